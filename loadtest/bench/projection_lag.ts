/** How far the projections are behind the market: the age of the oldest commit that one of them does not include. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import type { SequencerPort } from '../../api/sequencer/port.ts';
import { projectionPositions } from '../../db/queries/positions.ts';

const LOOK_MILLIS = 20;

export class ProjectionLag {
  private readonly database: Knex;
  private readonly unsubscribe: () => void;
  /** Commits that are not in every projection, oldest first. */
  private commits: { sequence: number; at: number }[] = [];
  private readonly lags: number[] = [];
  private watching = true;
  private readonly watched: Promise<void>;

  constructor(sequencer: SequencerPort, database: Knex) {
    this.database = database;
    this.unsubscribe = sequencer.onCommitted(({ lastSequence }) => void this.commits.push({ sequence: lastSequence, at: performance.now() }));
    this.watched = this.watch();
  }

  /** @returns milliseconds, sorted, as they were every so often since it was made */
  async end(): Promise<number[]> {
    this.watching = false;
    await this.watched;
    this.unsubscribe();
    return this.lags.sort((a, b) => a - b);
  }

  private async watch(): Promise<void> {
    for (; this.watching; await sleep(LOOK_MILLIS)) {
      const reached = Math.min(...(await projectionPositions(this.database)).map(({ sequence }) => sequence));
      const missing = this.commits.findIndex(({ sequence }) => sequence > reached);
      this.commits = missing === -1 ? [] : this.commits.slice(missing);
      this.lags.push(this.commits.length === 0 ? 0 : performance.now() - this.commits[0].at);
    }
  }
}
