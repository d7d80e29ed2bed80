/**
 * Tells a company what it should know before it is too late, each thing once however many processes notice it: its id names
 * what it warns of, and the message to every webhook is made in the same transaction.
 */
import type { Knex } from 'knex';
import type { Logger } from 'pino';
import { listWarnings } from '../../db/queries/warnings.ts';
import type { WarningRecord, WarningType } from '../../db/queries/warnings.ts';
import { Rounds } from '../rounds.ts';

export interface Warning {
  /** Of this and nothing else. */
  id: string;
  company: number;
  type: WarningType;
  /** Engine time. */
  at: number;
  data: Record<string, unknown>;
}
export interface WarningWire {
  id: string;
  type: WarningType;
  timestamp: string;
  data: Record<string, unknown>;
}

export const warningWire = ({ id, type, at, data }: Pick<WarningRecord, 'id' | 'type' | 'at' | 'data'>): WarningWire => ({ id, type, timestamp: new Date(at).toISOString(), data });

const POLL_MILLIS = 1_000;
/** Others write a row before it can be seen here. */
const SEEN = '30 seconds';
const KEPT = '400 days';
/** What a socket is told of the past. */
const SHOWN = 100;

export class Warnings extends Rounds {
  private readonly database: Knex;
  private readonly listeners = new Set<(company: number) => void>();
  /** What was seen lately; undefined before the first look. */
  private seen: ReadonlySet<string> | undefined;

  constructor(database: Knex, log: Logger) {
    super({ everyMillis: POLL_MILLIS, failed: (error) => log.debug({ err: error }, 'warnings wait for the database') });
    this.database = database;
  }

  async forgetOld(): Promise<void> {
    await this.database('warnings').whereRaw(`created_at < now() - interval '${KEPT}'`).delete();
  }

  /** Does nothing when it has been raised before. */
  async raise({ id, company, type, at, data }: Warning): Promise<void> {
    await this.database.transaction(async (transaction) => {
      const made: { id: string }[] = await transaction('warnings').insert({ id, company, type, at, data: JSON.stringify(data) }).onConflict('id').ignore().returning('id');
      if (made.length === 0) return;
      const { id: _id, ...told } = warningWire({ id, type, at, data });
      const webhooks: { id: string; events: string[] }[] = await transaction('webhooks').where({ company, status: 'active' }).select('id', 'events');
      const rows = webhooks.filter(({ events }) => events.length === 0 || events.includes(type))
        .map((webhook) => ({ id: `${webhook.id}.${id}`, webhook: webhook.id, message: id, type, payload: JSON.stringify(told) }));
      if (rows.length > 0) await transaction('webhook_deliveries').insert(rows);
    });
  }

  /** The latest of a company, oldest first. */
  async latest(company: number): Promise<WarningWire[]> {
    return (await listWarnings(this.database, { company, limit: SHOWN })).rows.reverse().map(warningWire);
  }

  /** @param listener hears which company has a new one, whichever process raised it. @returns the unsubscription */
  follow(listener: (company: number) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Looks for what any process has raised. */
  protected async round(): Promise<void> {
    if (this.listeners.size === 0) {
      this.seen = undefined;
      return;
    }
    const rows: { id: string; company: number }[] = await this.database('warnings').whereRaw(`created_at > now() - interval '${SEEN}'`).select('id', 'company');
    const { seen } = this;
    this.seen = new Set(rows.map(({ id }) => id));
    for (const company of new Set(rows.filter(({ id }) => seen?.has(id) !== true).map((row) => row.company))) for (const listener of this.listeners) listener(company);
  }
}
