/**
 * Tells companies of what happens. Two steps, each safe in any number of processes because Postgres gives a row to one of
 * them: events become deliveries, deliveries that are due are sent. What fails is sent again, ever more seldom, for three days.
 */
import type { Knex } from 'knex';
import type { Logger } from 'pino';
import { Agent, request } from 'undici';
import type { buildConnector } from 'undici';
import { lifeEventsAfter } from '../../db/queries/life_events.ts';
import { AddressGuard, AddressRefused } from '../gateway/endpoints/address_guard.ts';
import type { Vault } from '../gateway/endpoints/vault.ts';
import { Rounds } from '../rounds.ts';
import { lifeEventWire } from './life_wire.ts';
import type { Reader } from './life_wire.ts';
import { signedHeaders } from './signature.ts';

const POLL_MILLIS = 500;
const EVENTS_MAX = 500;
/** In one round; by chance, so that none waits for ever. */
const WEBHOOKS_MAX = 200;
const SENT_MAX = 20;
const TIMEOUT_MILLIS = 10_000;
/** A delivery that its process never answers for is due again. */
const CLAIM = '1 minute';
/** Seconds after each attempt that failed; there is none after the last. */
export const RETRY_SECONDS = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400] as const;
const GONE = 410;
const BODY_MAX = 16_384;
const ERROR_LENGTH = 300;

interface WebhookRow {
  id: string;
  company: number;
  events: string[];
  sequence: string;
  place: number;
}
interface DueRow {
  id: string;
  message: string;
  payload: string;
  attempts: number;
  webhook: string;
  url: string;
  secret: Buffer;
  previous_secret: Buffer | null;
}

export interface SenderParts {
  database: Knex;
  log: Logger;
  vault: Vault;
  directory: Reader['directory'];
  /** `host:port` or CIDR of addresses that need not be public. */
  allow: readonly string[];
}

interface Outcome {
  status: number | null;
  error: string;
}

export class WebhookSender extends Rounds {
  private readonly parts: SenderParts;
  private readonly guard: AddressGuard;
  private closed = false;

  constructor(parts: SenderParts) {
    super({ everyMillis: POLL_MILLIS, failed: (error) => parts.log.warn({ err: error }, 'webhooks wait for the database') });
    this.parts = parts;
    this.guard = new AddressGuard(parts.allow);
  }

  override close(): Promise<void> {
    this.closed = true;
    return super.close();
  }

  /** Both steps. */
  protected async round(): Promise<void> {
    if (this.closed) return;
    await this.collect();
    const due = await this.claim();
    await Promise.all(due.map((row) => this.send(row)));
  }

  /** New events of each webhook's company become its deliveries. */
  private async collect(): Promise<void> {
    await this.parts.database.transaction(async (transaction) => {
      const webhooks: WebhookRow[] = await transaction('webhooks').where({ status: 'active' }).orderByRaw('random()').limit(WEBHOOKS_MAX).forUpdate().skipLocked()
        .select('id', 'company', 'events', 'sequence', 'place');
      for (const webhook of webhooks) await this.collectFor(transaction, webhook);
    });
  }

  private async collectFor(transaction: Knex.Transaction, webhook: WebhookRow): Promise<void> {
    const events = await lifeEventsAfter(transaction, { company: webhook.company, sequence: Number(webhook.sequence), place: webhook.place, limit: EVENTS_MAX });
    const last = events.at(-1);
    if (last === undefined) return;
    // An event of a company and of everybody at once has two parties.
    const rows = [...new Map(events.map((event) => [`${event.sequence}:${event.place}`, event])).values()].map((event) => lifeEventWire(event, { company: webhook.company, directory: this.parts.directory }))
      .filter(({ type }) => webhook.events.length === 0 || webhook.events.includes(type))
      .map(({ id, ...told }) => ({ id: `${webhook.id}.${id}`, webhook: webhook.id, message: id, type: told.type, payload: JSON.stringify(told) }));
    if (rows.length > 0) await transaction('webhook_deliveries').insert(rows).onConflict(['webhook', 'message']).ignore();
    await transaction('webhooks').where({ id: webhook.id }).update({ sequence: last.sequence, place: last.place });
  }

  private async claim(): Promise<DueRow[]> {
    const { database } = this.parts;
    const claimed = (await database.raw(
      `update webhook_deliveries set attempts = attempts + 1, next_attempt_at = now() + interval '${CLAIM}' where id in (
         select d.id from webhook_deliveries d join webhooks w on w.id = d.webhook and w.status = 'active'
         where d.status = 'pending' and d.next_attempt_at <= now() order by d.next_attempt_at limit ? for update of d skip locked
       ) returning id`,
      [SENT_MAX],
    )) as { rows: { id: string }[] };
    if (claimed.rows.length === 0) return [];
    return database('webhook_deliveries as d').join('webhooks as w', 'w.id', 'd.webhook').whereIn('d.id', claimed.rows.map(({ id }) => id)).orderBy('d.created_at')
      .select<DueRow[]>('d.id', 'd.message', 'd.payload', 'd.attempts', 'd.webhook', 'w.url', 'w.secret', database.raw('case when w.previous_until > now() then w.previous_secret end as previous_secret'));
  }

  private async send(row: DueRow): Promise<void> {
    const { database } = this.parts;
    const { status, error } = await this.post(row);
    if (this.closed && status === null) return;
    const delivery = database('webhook_deliveries').where({ id: row.id });
    if (status !== null && status >= 200 && status < 300) {
      await delivery.update({ status: 'delivered', last_status: status, last_error: '', delivered_at: database.fn.now() });
      return;
    }
    const wait = RETRY_SECONDS.at(row.attempts - 1);
    const failed = { last_status: status, last_error: error.slice(0, ERROR_LENGTH) };
    if (status === GONE || wait === undefined) {
      await delivery.update({ ...failed, status: 'failed' });
      if (status === GONE) await database('webhooks').where({ id: row.webhook }).update({ status: 'disabled', reason: 'the address answered 410 Gone' });
      return;
    }
    await delivery.update({ ...failed, next_attempt_at: database.raw(`now() + make_interval(secs => ?)`, [wait]) });
  }

  /** Redirects are not followed, and a name is looked at by what it resolves to at that moment. */
  private async post({ url: text, message, payload, webhook, secret, previous_secret: previous }: DueRow): Promise<Outcome> {
    const { vault } = this.parts;
    let agent: Agent | undefined;
    try {
      const url = new URL(text);
      this.guard.check(url);
      const secrets = [secret, ...(previous === null ? [] : [previous])].map((sealed) => vault.open(sealed, webhook));
      agent = new Agent({ connect: { lookup: this.guard.lookupFor(url), timeout: TIMEOUT_MILLIS } as buildConnector.BuildOptions });
      const headers = { 'content-type': 'application/json', 'user-agent': 'compute-credit-exchange', ...signedHeaders(secrets, { id: message, timestamp: Math.floor(Date.now() / 1_000), payload }) };
      const answer = await request(url, { method: 'POST', headers, body: payload, dispatcher: agent, headersTimeout: TIMEOUT_MILLIS, bodyTimeout: TIMEOUT_MILLIS, signal: AbortSignal.timeout(TIMEOUT_MILLIS) });
      // What it says besides is of no interest; a large body ends with the connection.
      await answer.body.dump({ limit: BODY_MAX, signal: AbortSignal.timeout(TIMEOUT_MILLIS) }).catch(() => undefined);
      return { status: answer.statusCode, error: answer.statusCode < 300 ? '' : `answered ${answer.statusCode}` };
    } catch (error) {
      return { status: null, error: error instanceof AddressRefused ? `address refused: ${error.message}` : error instanceof Error ? error.message : String(error) };
    } finally {
      void agent?.destroy();
    }
  }
}
