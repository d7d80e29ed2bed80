import { describe, expect, test } from 'vitest';
import { PROVIDERS } from '../../db/seed/offers.ts';
import { MICRO } from '../../engine/numbers/units.ts';
import { createInProcessSequencer } from '../sequencer/in_process.ts';
import type { Ack, SequencerPort } from '../sequencer/port.ts';
import { DEMO_COMPANIES, ensureCredit, seedMarket, submit } from './seed.ts';

const MODELS = ['model-a', 'model-b'];

/** A sequencer that stops answering after a number of commands, as a killed process does. */
function dyingAfter(sequencer: SequencerPort, commands: number): SequencerPort {
  let left = commands;
  return {
    ...sequencer,
    query: (name, ask) => sequencer.query(name, ask),
    submit: (envelope): Promise<Ack> => (left-- > 0 ? sequencer.submit(envelope) : Promise.reject(new Error('killed'))),
  };
}

/** Without the sign that a zero may have. */
async function balancesOf(sequencer: SequencerPort, company: number): Promise<Record<string, number>> {
  const balances = await sequencer.query('balances', { company });
  return Object.fromEntries(Object.entries(balances).map(([name, amount]: [string, number]) => [name, amount + 0]));
}

describe('seeding', () => {
  test('opens a market once, with a financed borrower and nothing else in its account', async () => {
    const sequencer = createInProcessSequencer();
    const market = await seedMarket(sequencer, MODELS);
    const view = await sequencer.query('directory', {});
    expect([view.classes.length, view.regions.length, view.models.length]).toEqual([20, 3, 2]);
    expect(view.companies).toHaveLength(4 + 21 + 9);
    expect(new Set(view.companies.map((entry) => entry.name)).size).toBe(view.companies.length);
    expect([...market.providers.keys()]).toEqual(PROVIDERS.map((entry) => entry.provider));

    const { borrower, provider, lender } = market.accounts;
    expect(await balancesOf(sequencer, borrower)).toMatchObject({ usd: 0, available: 600_000 * MICRO, held: 0, contracted: 0, frozen: 0 });
    expect(await sequencer.query('lots', { company: borrower })).toMatchObject([{ source: 'facility', usd: 400_000 * MICRO, conversionRate: 1_500_000 }]);
    expect(await sequencer.query('facilities', { company: borrower, lender: false })).toMatchObject([
      { state: 'active', grade: 'A', amount: 1_000_000 * MICRO, drawn: 400_000 * MICRO, undrawn: 600_000 * MICRO, lender },
    ]);
    expect((await sequencer.query('market', {})).orders.filter(({ company }) => company === borrower)).toEqual([]);
    expect(await balancesOf(sequencer, provider)).toMatchObject({ usd: 750_000 * MICRO, bond: 250_000 * MICRO });
    expect(await sequencer.query('mandates', { company: lender })).toMatchObject([{ amount: 10_000_000 * MICRO, committed: 1_000_000 * MICRO }]);
    expect((await sequencer.query('invariants', {})).checks.filter((check) => !check.ok)).toEqual([]);
    await sequencer.close();
  });

  test('sends nothing to a market that is seeded, whatever its owners did since', async () => {
    const sequencer = createInProcessSequencer();
    const first = await seedMarket(sequencer, MODELS);
    await submit(sequencer, { type: 'draw', company: first.accounts.borrower, facility: 0, amount: 100_000 * MICRO });
    await submit(sequencer, { type: 'registerCompany', name: DEMO_COMPANIES.borrower, role: 'borrower', group: '' });
    const before = (await sequencer.status()).sequence;
    expect(await seedMarket(sequencer, MODELS)).toEqual(first);
    expect((await sequencer.status()).sequence).toBe(before);
    await sequencer.close();
  });

  test.each([3, 25, 40, 60, 190, 215, 225, 236, 245, 247, 248, 249])('ends in the same place after being killed at command %i', async (commands) => {
    const sequencer = createInProcessSequencer();
    await expect(seedMarket(dyingAfter(sequencer, commands), MODELS)).rejects.toThrow('killed');
    const market = await seedMarket(sequencer, MODELS);
    const view = await sequencer.query('directory', {});
    expect(view.companies).toHaveLength(34);
    expect(view.capacities).toHaveLength(125);
    for (const company of market.providers.values()) {
      expect(await balancesOf(sequencer, company)).toMatchObject({ usd: 0, bond: 1_000_000 * MICRO });
    }
    for (const company of [...market.bidders, market.load]) {
      expect(await balancesOf(sequencer, company)).toMatchObject({ usd: 0, available: 750_000 * MICRO });
    }
    expect(await balancesOf(sequencer, market.accounts.borrower)).toMatchObject({ available: 600_000 * MICRO });
    expect(await sequencer.query('mandates', { company: market.accounts.lender })).toHaveLength(1);
    await sequencer.close();
  });

  test('refinances a bot only when its credit runs low', async () => {
    const sequencer = createInProcessSequencer();
    const { load } = await seedMarket(sequencer, MODELS);
    const before = (await sequencer.status()).sequence;
    await ensureCredit(sequencer, load);
    expect((await sequencer.status()).sequence).toBe(before);
    await sequencer.close();
  });
});
