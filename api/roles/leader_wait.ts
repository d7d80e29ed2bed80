/** A standby that starts together with its engine lets it go first. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';

const POLL_MILLIS = 100;
const WAIT_MILLIS = 10_000;

/** Resolves when somebody leads, or after a while although nobody does. */
export async function waitForLeader(database: Knex): Promise<void> {
  for (const end = performance.now() + WAIT_MILLIS; performance.now() < end; await sleep(POLL_MILLIS)) {
    const { rows } = await database.raw<{ rows: { leads: boolean }[] }>(`select renewed_at > clock_timestamp() - interval '2 s' as leads from journal_lease`);
    if (rows[0].leads) return;
  }
}
