/** Something that one of several processes does: who holds an advisory lock in Postgres. It ends with the process. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { KEEP_ALIVE } from '../../db/forgotten.ts';

const POLL_MILLIS = 1_000;

export class Turn {
  private readonly url: string;
  private readonly lock: number;
  private readonly onLost: () => void;
  private client: pg.Client | undefined;
  private closed = false;

  /** @param onLost called when it was this process's turn and may be another's now; it may wait for its turn again */
  constructor(url: string, lock: number, onLost: () => void) {
    this.url = url;
    this.lock = lock;
    this.onLost = onLost;
  }

  /** @throws when the database does not answer */
  async tryTake(): Promise<boolean> {
    const client = new pg.Client({ connectionString: this.url, application_name: 'compute-credit-exchange turn', ...KEEP_ALIVE });
    const lost = (): void => {
      if (this.client !== client || this.closed) return;
      this.client = undefined;
      this.onLost();
    };
    client.on('error', lost);
    client.on('end', lost);
    await client.connect();
    const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [this.lock]);
    if (rows[0].locked && !this.closed) this.client = client;
    else await client.end();
    return this.client === client;
  }

  /** Resolves true when it is this process's turn, false when it does not wait any more. */
  async wait(): Promise<boolean> {
    while (!this.closed) {
      if (await this.tryTake().catch(() => false)) return true;
      await sleep(POLL_MILLIS, undefined, { ref: false });
    }
    return false;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.client?.end();
  }
}
