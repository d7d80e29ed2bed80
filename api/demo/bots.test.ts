import pino from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../../engine/numbers/units.ts';
import { readConfig } from '../config.ts';
import { Directory } from '../directory.ts';
import { MarketView } from '../market/market_view.ts';
import { TEST_EPOCH, createInProcessSequencer } from '../sequencer/in_process.ts';
import { DemoBots } from './bots.ts';
import type { BotServices } from './bots.ts';
import { MAIN_CLASSES } from './plan.ts';
import { DEMO_GPUS, seedMarket, submit } from './seed.ts';
import type { SeededMarket } from './seed.ts';

const FIRST_HOUR = TEST_EPOCH / MILLIS_PER_HOUR;
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function opened(): Promise<{ services: BotServices; seeded: SeededMarket; warnings: string[] }> {
  const sequencer = createInProcessSequencer();
  const { directory } = await Directory.load(sequencer);
  const market = await MarketView.start(sequencer, directory);
  const warnings: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => void warnings.push(line) });
  const services = { clockFollowers: new Set<() => Promise<void>>(), config: readConfig({ CLOCK: 'manual' }), directory, log, market, sequencer };
  const seeded = await seedMarket(sequencer, ['model-a']);
  for (const { company, market: id } of directory.capacities()) await submit(sequencer, { type: 'verifyCapacity', company, market: id, gpus: DEMO_GPUS });
  closers.push(() => sequencer.close());
  return { services, seeded, warnings };
}

async function startBots(services: BotServices, seeded: SeededMarket): Promise<DemoBots> {
  const bots = new DemoBots(services, seeded);
  await bots.start();
  closers.push(() => bots.stop());
  return bots;
}

/** As the route of the manual clock does. */
async function passTo(services: BotServices, now: number): Promise<void> {
  await services.sequencer.setClock(now);
  await Promise.all([...services.clockFollowers].map((follow) => follow()));
}

const asksOf = ({ directory, market }: BotServices, name: string, region: string, hour: number) =>
  market.depth(market.instrumentOf(directory.marketId(name, region), hour), 10).asks;

describe('the bots', () => {
  test('quote when they start, and again when the clock has passed hours', async () => {
    const { services, seeded, warnings } = await opened();
    await startBots(services, seeded);
    for (const name of MAIN_CLASSES) for (const { name: region } of services.directory.regions()) {
      expect(asksOf(services, name, region, FIRST_HOUR).length, `${name} ${region}`).toBeGreaterThan(0);
    }
    await passTo(services, TEST_EPOCH + 30 * MILLIS_PER_HOUR + MILLIS_PER_MINUTE);
    for (const name of MAIN_CLASSES) expect(asksOf(services, name, 'us-east', FIRST_HOUR + 30 + 24).length, name).toBeGreaterThan(0);
    expect(warnings).toEqual([]);
    expect((await services.sequencer.query('invariants', {})).checks.filter((check) => !check.ok)).toEqual([]);
  });

  test('continue where others stopped', async () => {
    const { services, seeded, warnings } = await opened();
    await (await startBots(services, seeded)).stop();
    const { orders } = await services.sequencer.query('market', {});
    await startBots(services, seeded);
    const resumed = await services.sequencer.query('market', {});
    expect(Math.abs(resumed.orders.length - orders.length)).toBeLessThan(10);
    expect(warnings).toEqual([]);
  });

  test('leave the demo accounts alone', async () => {
    const { services, seeded } = await opened();
    const before = await services.sequencer.query('balances', { company: seeded.accounts.borrower });
    await startBots(services, seeded);
    for (let minute = 1; minute <= 10; minute++) await passTo(services, TEST_EPOCH + minute * MILLIS_PER_MINUTE);
    expect(await services.sequencer.query('balances', { company: seeded.accounts.borrower })).toEqual(before);
    const traded = services.directory.markets().flatMap((id) => services.market.trades(services.market.instrumentOf(id, FIRST_HOUR), 10));
    const later = services.directory.markets().flatMap((id) => services.market.trades(services.market.instrumentOf(id, FIRST_HOUR + 1), 10));
    expect(traded.length + later.length).toBeGreaterThan(0);
  });
});
