/**
 * Who watches over which company's orders, over all processes: each tells the engine once a second and
 * whenever it changes. When nobody does any more, or the process that did has fallen silent, the orders
 * that asked for it are cancelled. Whom an engine before this one knew to be watched is so until the
 * processes of now have had the time to say so themselves.
 */
import type { Logger } from 'pino';
import type { WatchLog } from '../../db/order_watches.ts';
import { CancelOnDisconnect } from '../realtime/cancel_on_disconnect.ts';
import type { SequencerPort } from '../sequencer/port.ts';

/** Looks, one a second, without a word of a client after which it has ended. */
const SILENT_MAX = 6;
/** Stands for all clients of the engine before. */
const BEFORE = 'before';

interface Client {
  companies: ReadonlySet<number>;
  silent: number;
}

export class Watches {
  private readonly clients = new Map<string, Client>();
  private readonly cancelOnDisconnect: Pick<CancelOnDisconnect, 'began' | 'ended'>;

  constructor(sequencer: SequencerPort, log: Logger, watchLog?: WatchLog, cancelOnDisconnect: Pick<CancelOnDisconnect, 'began' | 'ended'> = new CancelOnDisconnect(sequencer, log, watchLog)) {
    this.cancelOnDisconnect = cancelOnDisconnect;
  }

  /** @param companies whom an engine before this one knew to be watched */
  tookOver(companies: readonly number[]): void {
    this.clients.set(BEFORE, { companies: new Set(companies), silent: 0 });
  }

  /** @param companies all that are watched there now */
  told(client: string, companies: readonly number[]): void {
    this.replace(client, { companies: new Set(companies), silent: 0 });
  }

  /** To be called once a second while every client can be heard. */
  look(): void {
    for (const [client, entry] of this.clients) if (++entry.silent > SILENT_MAX) this.replace(client, undefined);
  }

  /** Clients could not be heard. */
  interrupted(): void {
    for (const entry of this.clients.values()) entry.silent = 0;
  }

  close(): void {
    this.clients.clear();
  }

  private replace(client: string, next: Client | undefined): void {
    const before = this.clients.get(client)?.companies ?? [];
    for (const company of next?.companies ?? []) if (!this.isWatched(company)) this.cancelOnDisconnect.began(company);
    if (next === undefined) this.clients.delete(client);
    else this.clients.set(client, next);
    for (const company of before) if (!this.isWatched(company)) this.cancelOnDisconnect.ended(company);
  }

  private isWatched(company: number): boolean {
    return [...this.clients.values()].some(({ companies }) => companies.has(company));
  }
}
