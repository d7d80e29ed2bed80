/** The bots on the real engine: through the end of an hour, with every rule in force. */
import { describe, expect, test } from 'vitest';
import { listInputs, listPrice } from '../../db/seed/list_price.ts';
import { CLASSES, OFFERS, PROVIDERS, REGIONS } from '../../db/seed/offers.ts';
import { SELL, marketOf } from '../../engine/vocabulary.ts';
import type { Command } from '../../engine/commands.ts';
import { Engine } from '../../engine/engine.ts';
import { decodeEvents } from '../../engine/events.ts';
import type { EngineEvent } from '../../engine/events.ts';
import { MICRO, MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../../engine/numbers/units.ts';
import { BIDDERS, askHours, offeredMarkets, quotedMarkets } from './plan.ts';
import { STEP_MILLIS, planStep } from './quotes.ts';

const HOUR = 495_000;
const classId = (name: string) => CLASSES.findIndex((entry) => entry.name === name);
const regionId = (name: string) => REGIONS.findIndex((entry) => entry === name);
const list = (name: string) => listPrice(listInputs(OFFERS, name));

function apply(engine: Engine, command: Command): EngineEvent[] {
  engine.apply({ command, idempotencyKey: '', bodyHash: '' });
  return decodeEvents(engine.buffer.take());
}

/** The seed's companies in order: providers, then bidders. */
function openedMarket(now: number): Engine {
  const engine = new Engine();
  const all = (commands: Command[]) => commands.forEach((command) => expect(apply(engine, command).filter((event) => event.kind === 'rejected')).toEqual([]));
  all([{ type: 'tick', now }]);
  all(REGIONS.map((name) => ({ type: 'addRegion', name })));
  all(CLASSES.map((entry) => ({ type: 'addClass', ...entry, listPrice: list(entry.name), listInputs: listInputs(OFFERS, entry.name) })));
  PROVIDERS.forEach(({ name }, company) => all([
    { type: 'registerCompany', name, role: 'provider', group: '' },
    { type: 'deposit', company, amount: 1_000_000 * MICRO, reference: 'bond' },
    { type: 'postBond', company, amount: 1_000_000 * MICRO },
  ]));
  BIDDERS.forEach((name, index) => all([
    { type: 'registerCompany', name, role: 'borrower', group: '' },
    { type: 'deposit', company: PROVIDERS.length + index, amount: 500_000 * MICRO, reference: 'credit' },
    { type: 'prepay', company: PROVIDERS.length + index, amount: 500_000 * MICRO },
  ]));
  for (const { provider, market } of offeredMarkets(classId, regionId)) {
    const company = PROVIDERS.findIndex((entry) => entry.provider === provider);
    all([{ type: 'declareCapacity', company, market, gpus: 20_000 }, { type: 'verifyCapacity', company, market, gpus: 20_000 }]);
  }
  return engine;
}

const quoted = quotedMarkets({
  companyId: (provider) => PROVIDERS.findIndex((entry) => entry.provider === provider),
  marketId: (className, region) => marketOf(classId(className), regionId(region)),
  listPrice: list,
});
const bidders = BIDDERS.map((_, index) => PROVIDERS.length + index);

interface Run {
  engine: Engine;
  rejected: Map<string, number>;
  fills: number;
  operations: number;
  steps: number;
  /** Books of the running hour that had no ask after a step. */
  empty: string[];
}

function run(from: number, until: number): Run {
  const result: Run = { engine: openedMarket(from), rejected: new Map(), fills: 0, operations: 0, steps: 0, empty: [] };
  const { engine } = result;
  for (let now = from; now < until; now += STEP_MILLIS) {
    if (now > from) apply(engine, { type: 'tick', now });
    if (now % MILLIS_PER_HOUR < STEP_MILLIS) apply(engine, { type: 'endHour', hour: Math.floor(now / MILLIS_PER_HOUR) - 1, pending: [] });
    const { orders } = engine.query('market', {});
    collectEmpty(result, now, orders);
    for (const batch of planStep({ now, markets: quoted, bidders, orders, others: () => ({ bid: 0, ask: 0 }), traded: () => true })) {
      if (result.steps > 0) result.operations += batch.operations.length;
      for (const event of apply(engine, batch)) {
        if (event.kind === 'rejected') result.rejected.set(event.code, (result.rejected.get(event.code) ?? 0) + 1);
        if (event.kind === 'fill') result.fills += 1;
      }
    }
    result.steps += 1;
  }
  return result;
}

function collectEmpty(result: Run, now: number, orders: readonly { market: number; hour: number; side: number }[]): void {
  if (result.steps === 0) return;
  const asked = new Set(orders.filter((order) => order.side === SELL).map((order) => `${order.market}:${order.hour}`));
  for (const { market, main } of quoted) {
    const [hour] = askHours(now, main);
    if (hour === Math.floor(now / MILLIS_PER_HOUR) && !asked.has(`${market}:${hour}`)) result.empty.push(`${market} at ${new Date(now).toISOString()}`);
  }
}

describe('the bots through the end of an hour', () => {
  const from = HOUR * MILLIS_PER_HOUR + 48 * MILLIS_PER_MINUTE;
  const result = run(from, from + 20 * MILLIS_PER_MINUTE);

  test('send nothing that the market refuses', () => {
    expect(Object.fromEntries(result.rejected)).toEqual({});
  });

  test('trade every few seconds and otherwise do little', () => {
    expect(result.fills / result.steps).toBeGreaterThan(0.6);
    expect(result.fills / result.steps).toBeLessThan(3);
    expect(result.operations / result.steps).toBeLessThan(80);
  });

  test('always leave something to buy in the running hour', () => {
    expect(result.empty).toEqual([]);
  });

  test('keep every invariant', () => {
    expect(result.engine.checkInvariants().filter((check) => !check.ok)).toEqual([]);
  });

  test('do the same again', () => {
    expect(run(from, from + MILLIS_PER_MINUTE).engine.stateHash()).toBe(run(from, from + MILLIS_PER_MINUTE).engine.stateHash());
  });

  test('spend less than they are refinanced with', () => {
    for (const company of bidders) {
      expect(result.engine.query('balances', { company }).available).toBeGreaterThan(700_000 * MICRO);
    }
  });
});
