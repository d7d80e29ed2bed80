/** Standbys that are warm and reach Redis, as they note it themselves. All times are the database's. */
import type { Knex } from 'knex';

/** A note that is older says nothing any more. */
const NOTED_SECONDS = 1.5;
const KEPT_SECONDS = 3_600;

/** @param reachedMillis for how long it has reached Redis without a break */
export async function noteStandby(database: Knex, holder: string, reachedMillis: number): Promise<void> {
  await database.raw(
    `insert into standbys (holder, reached_since, seen_at) values (:holder, clock_timestamp() - make_interval(secs => :seconds), clock_timestamp())
     on conflict (holder) do update set reached_since = excluded.reached_since, seen_at = excluded.seen_at`,
    { holder, seconds: reachedMillis / 1000 },
  );
  await database.raw('delete from standbys where seen_at < clock_timestamp() - make_interval(secs => ?)', [KEPT_SECONDS]);
}

/** One that has reached Redis for so long; undefined: there is none. */
export async function findStandby(database: Knex, reachedMillis: number): Promise<string | undefined> {
  const { rows } = await database.raw<{ rows: { holder: string }[] }>(
    `select holder from standbys where seen_at > clock_timestamp() - make_interval(secs => :noted) and reached_since < clock_timestamp() - make_interval(secs => :seconds) limit 1`,
    { noted: NOTED_SECONDS, seconds: reachedMillis / 1000 },
  );
  return rows[0]?.holder;
}
