/** A market over a real Postgres of its own in a temporary folder, for the benchmarks of durability and recovery. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { Envelope } from '../../engine/commands.ts';
import { KIND, forEachEvent } from '../../engine/events.ts';
import type { SequencerPort } from '../../api/sequencer/port.ts';
import { startSequencer } from '../../api/sequencer/start.ts';
import { openDatabase } from '../../db/database.ts';
import { migrate } from '../../db/migrate.ts';
import { openTemporaryPostgres } from '../../db/temporary_postgres.ts';
import type { TemporaryPostgres } from '../../db/temporary_postgres.ts';
import { inEnvelope, marketCommands, START } from './engine_market.ts';

export class DurableMarket {
  private readonly own: TemporaryPostgres;
  private readonly say: (line: string) => void;

  private constructor(own: TemporaryPostgres, say: (line: string) => void) {
    this.own = own;
    this.say = say;
  }

  static async open(say: (line: string) => void): Promise<DurableMarket> {
    // The bundles stand in dist/, one folder below the root.
    execFileSync(process.execPath, ['api/cli/build.mjs', 'sequencer_worker'], { cwd: fileURLToPath(new URL('..', import.meta.url)), stdio: ['ignore', 'ignore', 'inherit'] });
    const own = await openTemporaryPostgres('ccx-bench-', { say, preparesLog: true });
    const database = openDatabase(own.postgres.url, 2);
    await migrate(database);
    await database.destroy();
    return new DurableMarket(own, say);
  }

  get url(): string {
    return this.own.postgres.url;
  }

  start(): Promise<SequencerPort> {
    return startSequencer({
      url: () => this.url, clock: 'manual', manualStart: START, say: this.say,
      onFatal: (error) => {
        throw error;
      },
    });
  }

  async connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url });
    await client.connect();
    return client;
  }

  close(): Promise<void> {
    return this.own.end();
  }
}

/** Submits the commands of rows from..to with so many on their way at once. @throws Error when one is refused */
export async function submitAll(port: SequencerPort, envelopeOf: (row: number) => Envelope, from: number, to: number, outstanding: number): Promise<void> {
  let next = from;
  let refusals = 0;
  const unsubscribe = port.onCommitted(({ events }) => forEachEvent(events, (kind) => void (refusals += kind === KIND.rejected ? 1 : 0)));
  const client = async () => {
    while (next < to) await port.submit(envelopeOf(next++));
  };
  await Promise.all(Array.from({ length: outstanding }, client));
  unsubscribe();
  if (refusals > 0) throw new Error(`${refusals} commands were refused`);
}

/** What the market is founded by. */
export async function submitMarket(port: SequencerPort, outstanding: number): Promise<void> {
  const envelopes = marketCommands().map(inEnvelope);
  await submitAll(port, (row) => envelopes[row], 0, envelopes.length, outstanding);
}
