/** A standby that starts together with its engine lets it go first. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';

const POLL_MILLIS = 100;
const WAIT_MILLIS = 10_000;
/** A market that nobody has led yet has an engine that is still starting. */
const FIRST_WAIT_MILLIS = 60_000;

/** Resolves when somebody leads, or after a while although nobody does. */
export async function waitForLeader(database: Knex): Promise<void> {
  const begun = performance.now();
  for (;;) {
    const { rows } = await database.raw<{ rows: { leads: boolean; led: boolean }[] }>(`select renewed_at > clock_timestamp() - interval '2 s' as leads, epoch > 0 as led from journal_lease`);
    const [{ leads, led }] = rows;
    if (leads || performance.now() - begun > (led ? WAIT_MILLIS : FIRST_WAIT_MILLIS)) return;
    await sleep(POLL_MILLIS);
  }
}
