import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { buildServer } from './server_process.ts';
import { runSuite } from './suite.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** One of each kind; `npm run faults` injects all of them, and more often. */
const SHORT = ['commands doubled', 'killed between commit and acknowledge', 'connection cut after the commit', 'Postgres hanging', 'SIGTERM while Postgres hangs', 'journal rows flipped'];

test('the market holds whatever fails', { timeout: 900_000 }, async () => {
  buildServer(root);
  const outcomes = await runSuite({ root, long: false, only: SHORT, times: undefined, say: () => undefined });
  expect(outcomes.map(({ name, report, skipped }) => ({ name, findings: report?.findings ?? [`skipped: ${skipped}`] })).filter(({ findings }) => findings.length > 0)).toEqual([]);
  expect(outcomes).toHaveLength(SHORT.length);
});
