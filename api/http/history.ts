/** Reading the past: from projections, never older than what was acknowledged before. */
import type { ProjectionName } from '../../db/projections/index.ts';
import { ApiError } from '../errors.ts';
import type { Services } from '../services.ts';

const BEHIND_MILLIS = 5_000;
/** Who changes the market has an answer within a second where nothing moves: a database may answer while it can write nothing. */
export const STILL_MILLIS = 850;

type Means = Pick<Services, 'projections' | 'committed'>;

/** @throws ApiError unavailable when a projection stays behind: a client never misses its own writes */
export async function projectionsCaughtUp(means: Means, ...names: ProjectionName[]): Promise<void> {
  await caughtUp(means, names, Infinity);
}

/** As `projectionsCaughtUp`, for what goes with a command: told at once where the projections stand still. @throws ApiError unavailable */
export async function projectionsMoving(means: Means, ...names: ProjectionName[]): Promise<void> {
  await caughtUp(means, names, STILL_MILLIS);
}

async function caughtUp({ projections, committed }: Means, names: readonly ProjectionName[], stillMillis: number): Promise<void> {
  if (!(await projections.waitFor(await committed.present(), BEHIND_MILLIS, names, stillMillis))) throw new ApiError('unavailable', { retryAfterSeconds: 1 });
}
