/** How far the projections have come, and waiting for them: a client reads what it has written. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import { PROJECTION_NAMES } from '../projections/index.ts';
import type { ProjectionName } from '../projections/index.ts';
import { number, text } from './fields.ts';
import type { RowOf } from './fields.ts';
import { readAll } from './pages.ts';

const POSITION = { name: text('name'), version: number('version'), sequence: number('sequence'), engineTime: number('engine_time') } as const;
/** sequence: last one included; engineTime: its, 0 at the beginning. */
export type ProjectionPosition = RowOf<typeof POSITION>;

const POLL_MILLIS = 10;
/** What was read holds this long: a projection may have been emptied since. */
const FRESH_MILLIS = 100;

export const projectionPositions = (db: Knex): Promise<ProjectionPosition[]> => readAll(db('projections.positions').orderBy('name'), POSITION);

/** One for a process: however many wait, the database is asked once at a time. */
export class ProjectionWaiter {
  private readonly db: Knex;
  private known = new Map<string, number>();
  private knownAt = -Infinity;
  /** When any was last seen to have moved. */
  private movedAt = -Infinity;
  private reading: Promise<void> | undefined;

  constructor(db: Knex) {
    this.db = db;
  }

  /**
   * Resolves true when the projections include the sequence, false when they have not within `timeoutMillis`, or none has moved for `stillMillis`
   * although they are behind. A slow machine may take seconds from one move to the next.
   * @throws Error when the database does not answer
   */
  async waitFor(sequence: number, timeoutMillis: number, names: readonly ProjectionName[] = PROJECTION_NAMES, stillMillis = Infinity): Promise<boolean> {
    const begun = performance.now();
    while (!this.includes(sequence, names)) {
      const now = performance.now();
      if (now >= begun + timeoutMillis || now >= Math.max(begun, this.movedAt) + stillMillis) return false;
      await this.read();
      if (!this.includes(sequence, names)) await sleep(POLL_MILLIS);
    }
    return true;
  }

  private includes(sequence: number, names: readonly ProjectionName[]): boolean {
    return performance.now() - this.knownAt < FRESH_MILLIS && names.every((name) => (this.known.get(name) ?? 0) >= sequence);
  }

  private read(): Promise<void> {
    const asked = performance.now();
    this.reading ??= projectionPositions(this.db)
      .then((positions) => {
        this.knownAt = asked;
        if (positions.some(({ name, sequence }) => this.known.get(name) !== sequence)) this.movedAt = performance.now();
        this.known = new Map(positions.map((position) => [position.name, position.sequence]));
      })
      .finally(() => {
        this.reading = undefined;
      });
    return this.reading;
  }
}
