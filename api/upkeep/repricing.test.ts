/** Offers follow the market by themselves, where their provider wants that. */
import { afterEach, describe, expect, test } from 'vitest';
import { BUY, CANCEL_NEWEST, GTC, LIMIT, NONE } from '../../engine/vocabulary.ts';
import { HOUR, MARKET, openGatewayWorld } from '../gateway/test/gateway_world.ts';
import type { GatewayWorld } from '../gateway/test/gateway_world.ts';
import { Repricing, priceWanted } from './repricing.ts';
import type { Moved, RepricingRule } from './repricing.ts';

describe('the price a rule wants', () => {
  const rule = { priceFloor: 15_000, priceCeiling: null, undercut: 10 };
  const capped = { ...rule, priceCeiling: 30_000 };
  const most = 40_000;
  test.each([
    ['just under the best ask of others', rule, { bestAsk: 20_000, bestBid: 10_000, most }, 19_990],
    ['no lower than the floor', rule, { bestAsk: 12_000, bestBid: 10_000, most }, 15_000],
    ['above the best bid, so that it never takes', rule, { bestAsk: 20_000, bestBid: 19_995, most }, 19_996],
    ['nothing where nobody else asks', rule, { bestAsk: undefined, bestBid: 10_000, most }, undefined],
    ['the ceiling where nobody else asks', capped, { bestAsk: undefined, bestBid: undefined, most }, 30_000],
    ['no higher than the ceiling', capped, { bestAsk: 35_000, bestBid: undefined, most }, 30_000],
    ['no higher than list price', { ...capped, priceCeiling: 50_000 }, { bestAsk: undefined, bestBid: undefined, most }, 40_000],
    ['nothing where list price is below the floor', rule, { bestAsk: 20_000, bestBid: undefined, most: 14_000 }, undefined],
    ['nothing where a bid stands above the ceiling', capped, { bestAsk: undefined, bestBid: 30_000, most }, undefined],
  ])('is %s', (_name, given, around, price) => expect(priceWanted(given, around)).toBe(price));
});

describe('repricing', () => {
  let world: GatewayWorld;
  let runners: Repricing[];
  let rule: RepricingRule;
  let moved: Moved[];

  /** Two providers, and two processes that look after the first one's rule. */
  async function open(change: Partial<RepricingRule> = {}): Promise<void> {
    world = await openGatewayWorld({ providers: 2 });
    const [own, other] = world.providers;
    await world.run({ type: 'verifyCapacity', company: other, market: MARKET, gpus: 1_000 });
    rule = { company: own, market: MARKET, enabled: true, priceFloor: 15_000, priceCeiling: null, undercut: 1, ...change };
    moved = [];
    const rules = { enabled: () => Promise.resolve(rule.enabled ? [rule] : []), moved: (_rule: RepricingRule, what: Moved) => Promise.resolve(void moved.push(what)) };
    runners = [new Repricing(world.services, rules), new Repricing(world.services, rules)];
  }
  afterEach(async () => {
    await Promise.all(runners.map((runner) => runner.close()));
    await world.check();
    await world.close();
  });
  const look = (): Promise<unknown> => Promise.all(runners.map((runner) => runner.run()));
  const prices = async (): Promise<number[]> => (await world.services.sequencer.query('market', {})).orders.filter(({ company }) => company === rule.company).map(({ price }) => price);

  test('undercuts others once, however many processes look, and itself never', async () => {
    await open();
    await world.offer(world.providers[0], 20_000, 200);
    await look();
    expect(await prices()).toEqual([20_000]);
    await world.offer(world.providers[1], 19_000, 200);
    await look();
    expect(await prices()).toEqual([18_999]);
    await look();
    expect(moved).toMatchObject([{ moves: 1, refusal: '' }]);
    await world.offer(world.providers[1], 12_000, 100);
    await look();
    expect(await prices()).toEqual([15_000]);
  });

  test('rises again up to its ceiling, and stands above bids', async () => {
    await open({ priceCeiling: 25_000 });
    await world.offer(world.providers[0], 20_000, 200);
    await look();
    expect(await prices()).toEqual([25_000]);
    await world.run({
      type: 'place', company: world.borrower, market: MARKET, hour: HOUR, side: BUY, orderType: LIMIT, price: 21_000, quantity: 100, timeInForce: GTC, postOnly: false, displayQuantity: 0, minimumQuantity: 0,
      stopPrice: 0, expiresAt: 0, model: NONE, resaleOf: 0, selfTradePrevention: CANCEL_NEWEST, cancelOnDisconnect: false, clientOrderId: '',
    });
    await world.offer(world.providers[1], 21_001, 200);
    await look();
    expect(await prices()).toEqual([21_001]);
  });

  test('does nothing when it is off', async () => {
    await open({ enabled: false });
    await world.offer(world.providers[0], 20_000, 200);
    await world.offer(world.providers[1], 19_000, 200);
    await look();
    expect(await prices()).toEqual([20_000]);
  });
});
