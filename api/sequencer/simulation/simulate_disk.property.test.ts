import { expect, test } from 'vitest';
import { simulateDisk } from './simulate_disk.ts';

const SEEDS = 200;
const COMMANDS = 60;

test(`${SEEDS} seeds: nothing acknowledged is lost, nothing happens twice, whatever fails`, async () => {
  const total = { crashes: 0, outages: 0, replacements: 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { findings, crashes, outages, replacements } = await simulateDisk({ seed, commands: COMMANDS });
    expect({ seed, findings }, `again: npm run sim -- --disk --seed ${seed} --commands ${COMMANDS}`).toEqual({ seed, findings: [] });
    total.crashes += crashes;
    total.outages += outages;
    total.replacements += replacements;
  }
  // The seeds are worth something only when much went wrong.
  for (const count of Object.values(total)) expect(count).toBeGreaterThan(50);
});

test('a seed gives the same run each time', async () => {
  expect(await simulateDisk({ seed: 7, commands: COMMANDS })).toEqual(await simulateDisk({ seed: 7, commands: COMMANDS }));
});
