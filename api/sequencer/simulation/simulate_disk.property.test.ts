import { expect, test } from 'vitest';
import { FLAW_NAMES, FLAWS } from './flaws.ts';
import { simulateDisk } from './simulate_disk.ts';

const SEEDS = 200;
const COMMANDS = 60;
/** A mistake that none of so many seeds finds would not be found. */
const FLAW_SEEDS = 10;

test(`${SEEDS} seeds: nothing acknowledged is lost, nothing happens twice, whatever fails`, { timeout: 300_000 }, async () => {
  const total = { crashes: 0, outages: 0, replacements: 0, damages: 0, fromSnapshot: 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { findings, sequence: _, stateHash: __, ...counts } = await simulateDisk({ seed, commands: COMMANDS });
    expect({ seed, findings }, `again: npm run sim -- --disk --seed ${seed} --commands ${COMMANDS}`).toEqual({ seed, findings: [] });
    for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += counts[name];
  }
  // The seeds are worth something only when much went wrong.
  for (const count of Object.values(total)) expect(count).toBeGreaterThan(50);
});

test.each(FLAW_NAMES)('finds a sequencer or a journal that has the flaw %s', { timeout: 300_000 }, async (flaw) => {
  for (let seed = 1; seed <= FLAW_SEEDS; seed++) {
    const { findings } = await simulateDisk({ seed, commands: COMMANDS, flaw });
    if (findings.length > 0) return;
  }
  expect.fail(`${FLAW_SEEDS} seeds did not find what ${FLAWS[flaw]}`);
});

test('a seed gives the same run each time', async () => {
  expect(await simulateDisk({ seed: 7, commands: COMMANDS })).toEqual(await simulateDisk({ seed: 7, commands: COMMANDS }));
});
