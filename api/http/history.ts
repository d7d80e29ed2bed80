/** Reading the past: from projections, never older than what was acknowledged before. */
import type { ProjectionName } from '../../db/projections/index.ts';
import { ApiError } from '../errors.ts';
import type { Services } from '../services.ts';

const BEHIND_MILLIS = 5_000;

/** @throws ApiError unavailable when a projection stays behind: a client never misses its own writes */
export async function projectionsCaughtUp({ projections, committed }: Pick<Services, 'projections' | 'committed'>, ...names: ProjectionName[]): Promise<void> {
  if (!(await projections.waitFor(await committed.present(), BEHIND_MILLIS, names))) throw new ApiError('unavailable', { retryAfterSeconds: 1 });
}
