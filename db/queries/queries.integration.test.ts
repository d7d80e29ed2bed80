import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BUY, CANCEL_NEWEST, GTC, IOC, LIMIT, NONE, SELL, STOP_LIMIT } from '../../engine/vocabulary.ts';
import type { Command, FacilityApplication, PlaceOrder } from '../../engine/commands.ts';
import type { EngineEvent, EventKind, EventOf, ScheduleRow } from '../../engine/events.ts';
import type { MarketSnapshot } from '../../engine/queries.ts';
import { Simulation } from '../../engine/simulation/simulation.ts';
import { HOUR, START, gpuHours, price, usd } from '../../engine/test/world.ts';
import { MILLIS_PER_DAY, MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../../engine/numbers/units.ts';
import { openProjectedMarket } from '../projections/test/projected_market.ts';
import type { ProjectedMarket } from '../projections/test/projected_market.ts';
import { getAllocation, listAllocations, listDeliveries } from './allocations.ts';
import { getFacility, listDeclines, listFacilities, listLots, portfolio, statement } from './credit.ts';
import { listFills, listFillsOfOrder } from './fills.ts';
import { accountBalances, listLedger } from './ledger.ts';
import { findOrderByClientId, getOrder, listOffers, listOrders } from './orders.ts';
import { InvalidCursor } from './pages.ts';
import type { Page } from './pages.ts';
import { listPayments, listPayouts } from './payments.ts';
import { listActs, listCapacities, listCompanies, listListPrices } from './registry.ts';
import { listCandles, listTrades, recentTrades } from './trades.ts';
import { listUsage, usageReport } from './usage.ts';
import { openBlocks, openOrders } from '../../engine/test/open.ts';

const OPERATOR = 0;
const PROVIDER = 1;
const BUYER = 2;
const LENDER = 3;
const BORROWER = 4;
const LIMIT_ALL = 1_000;
const APPLICATION: FacilityApplication = {
  cash: usd(8_000_000), monthlyBurn: usd(200_000), monthlyRevenue: usd(500_000), cashTrend3m: 50_000, revenueGrowth: 1_500_000, grossMargin: 700_000,
  computeShare: 300_000, forecastError: 100_000, topCustomer: 150_000, pastDaysOverdue: 0,
};

const order = (company: number, side: 0 | 1, credits: number, hours: number, more: Partial<PlaceOrder> = {}): PlaceOrder => ({
  type: 'place', company, market: 0, hour: HOUR, side, orderType: LIMIT, price: price(credits), quantity: gpuHours(hours), timeInForce: GTC, postOnly: false,
  displayQuantity: 0, minimumQuantity: 0, stopPrice: 0, expiresAt: 0, model: NONE, resaleOf: 0, selfTradePrevention: CANCEL_NEWEST, cancelOnDisconnect: false,
  clientOrderId: '', ...more,
});
const idOf = (events: EngineEvent[]): number => eventIn(events, 'orderAccepted').order;
function eventIn<K extends EventKind>(events: EngineEvent[], kind: K): EventOf<K> {
  const found = events.find((event): event is EngineEvent & EventOf<K> => event.kind === kind);
  if (found === undefined) throw new Error(`no ${kind} in ${JSON.stringify(events)}`);
  return found;
}

async function open(): Promise<ProjectedMarket> {
  const market = await openProjectedMarket();
  await market.journal.run(
    { type: 'tick', now: START }, { type: 'addRegion', name: 'us-east' }, { type: 'addModel', name: 'small' },
    { type: 'addClass', name: 'H100-SXM-80', chip: 'H100', memoryGb: 80, formFactor: 'SXM', listPrice: price(3), listInputs: [{ provider: 'a', usd: usd(3) }] },
  );
  await market.journal.run(
    { type: 'registerCompany', name: 'operator', role: 'operator', group: '' }, { type: 'registerCompany', name: 'provider', role: 'provider', group: 'p' },
    { type: 'registerCompany', name: 'buyer', role: 'borrower', group: '' }, { type: 'registerCompany', name: 'lender', role: 'lender', group: '' },
    { type: 'registerCompany', name: 'borrower', role: 'borrower', group: '' },
  );
  await market.journal.run(
    { type: 'declareCapacity', company: PROVIDER, market: 0, gpus: 500 }, { type: 'verifyCapacity', company: PROVIDER, market: 0, gpus: 400 },
    { type: 'setEligibility', company: PROVIDER, market: 0, models: [0] },
    { type: 'deposit', company: PROVIDER, amount: usd(1_000_000), reference: 'wire 1' }, { type: 'postBond', company: PROVIDER, amount: usd(500_000) },
    { type: 'deposit', company: BUYER, amount: usd(100_000), reference: 'wire 2' }, { type: 'prepay', company: BUYER, amount: usd(90_000) },
  );
  return market;
}

/** Every page, two rows at a time. */
async function everyPage<Row>(list: (page: { limit: number; cursor?: string }) => Promise<Page<Row>>): Promise<Row[]> {
  const rows: Row[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await list({ limit: 2, cursor });
    rows.push(...page.rows);
    if (page.nextCursor === null) return rows;
    cursor = page.nextCursor;
  }
}

describe('orders and fills', () => {
  let market: ProjectedMarket;
  const ids: Record<string, number> = {};
  const run = async (command: Command): Promise<EngineEvent[]> => {
    const events = await market.journal.run(command);
    await market.projector.catchUp();
    return events;
  };
  beforeAll(async () => {
    market = await open();
    await run({ type: 'tick', now: START + MILLIS_PER_MINUTE });
    ids.ask = idOf(await run(order(PROVIDER, SELL, 2, 10, { clientOrderId: 'ask-1' })));
    ids.bid = idOf(await run(order(BUYER, BUY, 2.5, 6, { model: 0, clientOrderId: 'bid-1' })));
    await run({ type: 'tick', now: START + 3 * MILLIS_PER_MINUTE });
    ids.second = idOf(await run(order(BUYER, BUY, 2, 1, { timeInForce: IOC })));
    ids.resting = idOf(await run(order(BUYER, BUY, 1, 5)));
    await run({ type: 'amend', company: BUYER, order: ids.resting, price: 0, quantity: gpuHours(4) });
    ids.stop = idOf(await run(order(BUYER, BUY, 2.9, 1, { orderType: STOP_LIMIT, stopPrice: price(2.8) })));
    ids.gone = idOf(await run(order(BUYER, BUY, 1, 1)));
    await run({ type: 'cancel', company: BUYER, order: ids.gone });
    await run({ type: 'batch', company: BUYER, operations: [order(BUYER, BUY, 1, 1), order(BUYER, BUY, 1, 2), order(BUYER, BUY, 1, 3)] });
  });
  afterAll(() => market.close());

  test('an order is told as the engine tells it', async () => {
    for (const view of openOrders(market.journal.engine, BUYER)) expect(await getOrder(market.db, view.order)).toMatchObject(view);
    expect(await getOrder(market.db, ids.bid)).toMatchObject({
      company: BUYER, status: 'filled', reason: 'filled', quantity: 600, filled: 600, remaining: 0, hold: 0, notional: price(2) * 600, fees: 60_000, model: 0,
      acceptedAt: START + MILLIS_PER_MINUTE, sequence: 19, clientOrderId: 'bid-1',
    });
    expect(await getOrder(market.db, ids.ask)).toMatchObject({ status: 'partially_filled', reason: '', filled: 700, remaining: 300, fees: 0 });
    expect(await getOrder(market.db, ids.gone)).toMatchObject({ status: 'canceled', reason: 'requested', quantity: 100, remaining: 100, hold: 0 });
    expect(await getOrder(market.db, 999)).toBeUndefined();
  });

  test('orders are listed newest first, by status, by side, in pages', async () => {
    const all = await listOrders(market.db, { company: BUYER, limit: LIMIT_ALL });
    expect(all.nextCursor).toBeNull();
    expect(all.rows.map(({ quantity }) => quantity)).toEqual([300, 200, 100, 100, 100, 400, 100, 600]);
    expect(await everyPage((page) => listOrders(market.db, { company: BUYER, ...page }))).toEqual(all.rows);
    const open = await listOrders(market.db, { company: BUYER, status: 'open', limit: LIMIT_ALL });
    expect(open.rows.map(({ order: id }) => id)).toContain(ids.resting);
    expect(open.rows).toHaveLength(4);
    expect((await listOrders(market.db, { company: BUYER, status: 'untriggered', limit: 9 })).rows.map(({ order: id }) => id)).toEqual([ids.stop]);
    expect((await listOrders(market.db, { company: BUYER, status: 'canceled', limit: 9 })).rows.map(({ order: id }) => id)).toEqual([ids.gone]);
    expect((await listOffers(market.db, { company: PROVIDER, limit: 9 })).rows.map(({ order: id }) => id)).toEqual([ids.ask]);
    expect((await listOffers(market.db, { company: BUYER, limit: 9 })).rows).toEqual([]);
    expect((await listOrders(market.db, { company: BUYER, instrument: { market: 1, hour: HOUR }, limit: 9 })).rows).toEqual([]);
  });

  test('an order is found by the id its client gave it', async () => {
    expect((await findOrderByClientId(market.db, { company: BUYER, clientOrderId: 'bid-1' }))?.order).toBe(ids.bid);
    expect(await findOrderByClientId(market.db, { company: PROVIDER, clientOrderId: 'bid-1' })).toBeUndefined();
    expect(await findOrderByClientId(market.db, { company: BUYER, clientOrderId: '' })).toBeUndefined();
  });

  test('a fill shows each side what is its own', async () => {
    const bought = await listFills(market.db, { company: BUYER, limit: 9 });
    expect(bought.rows).toMatchObject([
      { fill: 2, order: ids.second, side: 'buy', liquidity: 'taker', quantity: 100, at: START + 3 * MILLIS_PER_MINUTE },
      { fill: 1, order: ids.bid, side: 'buy', liquidity: 'taker', quantity: 600, price: price(2), fee: 60_000, feeCurrency: 'CR', at: START + MILLIS_PER_MINUTE },
    ]);
    const sold = await listFills(market.db, { company: PROVIDER, limit: 9 });
    // 12 CR x 0.62 x 0.2 %
    expect(sold.rows[1]).toMatchObject({ order: ids.ask, side: 'sell', liquidity: 'maker', fee: 14_880, feeCurrency: 'USD', allocation: null });
    expect(Object.keys(sold.rows[1])).not.toEqual(expect.arrayContaining(['buyer', 'seller', 'maker', 'taker']));
    expect(await everyPage((page) => listFills(market.db, { company: BUYER, ...page }))).toEqual(bought.rows);
    expect((await listFillsOfOrder(market.db, ids.ask)).map(({ fill }) => fill)).toEqual([1, 2]);
    expect(await listFillsOfOrder(market.db, ids.second)).toEqual([bought.rows[0]]);
  });

  test('trades and candles are there for anybody', async () => {
    const trades = await listTrades(market.db, { market: 0, hour: HOUR, limit: 9 });
    expect(trades.map(({ fill, takerSide }) => [fill, takerSide])).toEqual([[2, 'buy'], [1, 'buy']]);
    expect(await listTrades(market.db, { market: 0, hour: HOUR, before: 2, limit: 9 })).toEqual([trades[1]]);
    expect((await recentTrades(market.db, START, 10_000)).map(({ fill, buyer, provider }) => [fill, buyer, provider])).toEqual([[1, BUYER, PROVIDER], [2, BUYER, PROVIDER]]);
    // A day later only the last of an hour to come is recent.
    expect((await recentTrades(market.db, START + MILLIS_PER_DAY + MILLIS_PER_MINUTE, 10_000)).map(({ fill }) => fill)).toEqual([2]);
    expect(await recentTrades(market.db, START, 19)).toHaveLength(1);
    const minutes = await listCandles(market.db, { market: 0, hour: HOUR, interval: '1m', limit: 9 });
    expect(minutes).toMatchObject([{ start: START + MILLIS_PER_MINUTE, volume: 600, trades: 1 }, { start: START + 3 * MILLIS_PER_MINUTE, volume: 100, trades: 1 }]);
    const [hour] = await listCandles(market.db, { market: 0, hour: HOUR, interval: '1h', limit: 9 });
    expect(hour).toEqual({ start: START, open: price(2), high: price(2), low: price(2), close: price(2), volume: 700, notional: 14_000_000n, trades: 2 });
    expect(await listCandles(market.db, { market: 0, hour: HOUR, interval: '1m', from: START + 2 * MILLIS_PER_MINUTE, limit: 9 })).toHaveLength(1);
  });

  test('the ledger names account, amount and cause, and every balance as it once was', async () => {
    const { rows } = await listLedger(market.db, { company: BUYER, ledger: 'CR', limit: LIMIT_ALL });
    const ofBid = rows.filter(({ sequence }) => sequence === 19).reverse();
    expect(ofBid.slice(0, 2)).toMatchObject([
      { account: 'lot.available', owner: 0, ownerKind: 'lot', amount: 15_075_000, event: 'orderAccepted', at: START + MILLIS_PER_MINUTE },
      { account: 'lot.held', amount: -15_075_000, event: 'orderAccepted' },
    ]);
    expect(ofBid.slice(2).every(({ event }) => event === 'fill')).toBe(true);
    expect(await everyPage((page) => listLedger(market.db, { company: BUYER, ledger: 'CR', ...page }))).toEqual(rows);
    const mint = await listLedger(market.db, { company: BUYER, account: 'lot.issued', limit: LIMIT_ALL });
    expect(mint.rows.at(-1)).toMatchObject({ amount: usd(135_000), event: 'lotMinted' });

    const now = await accountBalances(market.db, { company: BUYER });
    const of = (balances: typeof now, account: string): number | undefined => balances.find((row) => row.account === account)?.balance;
    const balances = market.journal.engine.query('balances', { company: BUYER });
    expect(of(now, 'lot.available')).toBe(-balances.available);
    expect(of(now, 'lot.held')).toBe(-balances.held);
    expect(of(now, 'lot.contracted')).toBe(-balances.contracted);
    expect(of(now, 'unapplied')).toBe(-balances.usd);
    expect(of(await accountBalances(market.db, { company: BUYER, sequence: 18 }), 'lot.available')).toBe(-usd(135_000));
    // Capacity is the provider's business.
    expect((await listLedger(market.db, { company: BUYER, ledger: 'CAP', limit: 9 })).rows).toEqual([]);
    expect((await listLedger(market.db, { company: PROVIDER, account: 'capacity.source', limit: 9 })).rows).toMatchObject([{ event: 'fill' }, { event: 'fill' }]);
  });

  test('a cursor of another list is refused', async () => {
    const { nextCursor } = await listFills(market.db, { company: BUYER, limit: 1 });
    await expect(listOrders(market.db, { company: BUYER, limit: 1, cursor: nextCursor ?? '' })).rejects.toThrow(InvalidCursor);
    for (const cursor of ['', 'x', Buffer.from('p1:1:1e400').toString('base64url'), Buffer.from("p1:1:1';").toString('base64url')]) {
      await expect(listOrders(market.db, { company: BUYER, limit: 1, cursor })).rejects.toThrow(InvalidCursor);
    }
  });

  test('who takes part is listed', async () => {
    expect((await listCompanies(market.db, { limit: 9 })).rows.map(({ name, role }) => `${name} ${role}`)).toEqual([
      'borrower borrower', 'lender lender', 'buyer borrower', 'provider provider', 'operator operator',
    ]);
    expect(await listCapacities(market.db, PROVIDER)).toEqual([{ company: PROVIDER, market: 0, declared: 500, verified: 400, models: [0], updatedAt: START }]);
    expect((await listPayments(market.db, { company: PROVIDER, limit: 9 })).rows).toMatchObject([
      { kind: 'bondPosted', amount: usd(500_000) }, { kind: 'deposited', amount: usd(1_000_000), reference: 'wire 1' },
    ]);
  });
});

describe('delivery', () => {
  let market: ProjectedMarket;
  let allocation = 0;
  const capture = (request: string, gpu: number): Command => ({
    type: 'capture', company: BUYER, allocation, gpu, request, model: 0, promptTokens: 100, completionTokens: 20,
    detail: { key: request === 'c' ? 'key_2' : 'key_1', endpoint: 'e', spotFees: 7, estimated: false },
  });
  const GPU_HOUR = 3_600_000_000;
  beforeAll(async () => {
    market = await open();
    const { journal } = market;
    await journal.run(order(PROVIDER, SELL, 2, 10));
    allocation = eventIn(await journal.run(order(BUYER, BUY, 2, 4, { model: 0 })), 'fill').allocation;
    await journal.run({ type: 'tick', now: HOUR * MILLIS_PER_HOUR + MILLIS_PER_MINUTE });
    await journal.run(capture('a', GPU_HOUR), capture('b', GPU_HOUR / 2));
    await market.projector.catchUp();
    await journal.run({ type: 'tick', now: (HOUR + 1) * MILLIS_PER_HOUR }, { type: 'endHour', hour: HOUR, pending: [{ allocation, gpu: GPU_HOUR }] });
    await journal.run(capture('c', GPU_HOUR / 4));
    await market.projector.catchUp();
  });
  afterAll(() => market.close());

  test('an allocation tells what was used, delivered unused and is under way', async () => {
    const { rows } = await listAllocations(market.db, { company: BUYER, limit: 9 });
    expect(rows).toMatchObject([{
      allocation, provider: PROVIDER, hour: HOUR, price: price(2), quantity: 400, model: 0, requests: 3, usedGpu: 1.75 * GPU_HOUR, usedCredits: usd(3.5),
      unusedCredits: usd(3), pendingGpu: 0.75 * GPU_HOUR, promptTokens: 300, completionTokens: 60, settledAt: (HOUR + 1) * MILLIS_PER_HOUR,
    }]);
    expect(await getAllocation(market.db, allocation)).toEqual(rows[0]);
  });

  test('what was released is delivered unused, and a week later paid out', async () => {
    const { journal } = market;
    await journal.run({ type: 'releasePending', allocation, gpu: 0.75 * GPU_HOUR });
    await journal.run({ type: 'tick', now: (HOUR + 1) * MILLIS_PER_HOUR + 40 * MILLIS_PER_DAY }, { type: 'payout', company: PROVIDER });
    await market.projector.catchUp();
    expect(await getAllocation(market.db, allocation)).toMatchObject({ usedCredits: usd(3.5), unusedCredits: usd(4.5), pendingGpu: 0 });
    const { rows } = await listDeliveries(market.db, { provider: PROVIDER, limit: 9 });
    // 8 CR x 0.62, less the maker's 0.2 %
    expect(rows).toMatchObject([{ hour: HOUR, market: 0, sold: 400, notional: usd(8), usedCredits: usd(3.5), unusedCredits: usd(4.5), requests: 3, payable: 4_950_080, commission: 9_920 }]);
    expect(await listDeliveries(market.db, { provider: PROVIDER, fromHour: HOUR + 1, limit: 9 })).toEqual({ rows: [], nextCursor: null });
    expect((await listPayouts(market.db, { company: PROVIDER, limit: 9 })).rows).toMatchObject([{ kind: 'payoutMade', amount: 4_950_080 }]);
  });

  test('usage is listed and reported by day, model, provider and key', async () => {
    const { rows } = await listUsage(market.db, { company: BUYER, limit: 9 });
    expect(rows.map(({ request, credits, spotFees }) => [request, credits, spotFees])).toEqual([['c', usd(0.5), 7], ['b', usd(1), 7], ['a', usd(2), 7]]);
    expect((await listUsage(market.db, { company: BUYER, end: (HOUR + 1) * MILLIS_PER_HOUR, limit: 9 })).rows).toHaveLength(2);
    const day = Math.floor(HOUR / 24);
    const span = { company: BUYER, startDay: day, endDay: day + 1 };
    const total = { requests: 3, promptTokens: 300, completionTokens: 60, gpu: BigInt(1.75 * GPU_HOUR), credits: 3_500_000n, spotFees: 21n };
    expect(await usageReport(market.db, span)).toEqual([{ group: null, ...total }]);
    expect(await usageReport(market.db, { ...span, groupBy: 'model' })).toEqual([{ group: 0, ...total }]);
    expect(await usageReport(market.db, { ...span, groupBy: 'provider' })).toEqual([{ group: PROVIDER, ...total }]);
    expect(await usageReport(market.db, { ...span, groupBy: 'day' })).toEqual([{ group: day, ...total }]);
    expect((await usageReport(market.db, { ...span, groupBy: 'key' })).map(({ group, requests }) => [group, requests])).toEqual([['key_1', 2], ['key_2', 1]]);
    expect(await usageReport(market.db, { ...span, startDay: day + 1 })).toEqual([]);
  });
});

/** What the engine tells of a schedule and its events do, too: what a row that is not billed yet will bill of interest grows from day to day. */
const planned = (rows: readonly ScheduleRow[]): object[] => rows.map((row) => (row.billed ? row : { ...row, interest: expect.any(Number) as number }));

describe('credit', () => {
  let market: ProjectedMarket;
  let facility = 0;
  beforeAll(async () => {
    market = await open();
    const { journal } = market;
    await journal.run({ type: 'createMandate', bankCovers: true, company: LENDER, amount: usd(5_000_000), grades: ['A', 'B', 'C'], maximumPerBorrower: usd(2_000_000), minimumAnnualRate: 50_000 });
    const apply = { type: 'applyFacility', company: BORROWER, amount: usd(1_000_000), months: 12, method: 'annuity' } as const;
    facility = eventIn(await journal.run({ ...apply, application: APPLICATION }), 'facilityOffered').facility;
    await journal.run({ ...apply, application: { ...APPLICATION, cash: 1, monthlyRevenue: 0, monthlyBurn: usd(5_000_000), pastDaysOverdue: 60 } });
    await journal.run({ type: 'acceptFacility', company: BORROWER, facility });
    const lot = eventIn(await journal.run({ type: 'draw', company: BORROWER, facility, amount: usd(100_000) }), 'lotMinted').lot;
    await journal.run({ type: 'tick', now: START + 10 * MILLIS_PER_DAY });
    await journal.run({ type: 'deposit', company: BORROWER, amount: usd(20_000), reference: '' }, { type: 'repay', company: BORROWER, facility, amount: usd(15_000), mode: 'shorten', bankCovers: true });
    await journal.run({ type: 'returnCredits', company: BORROWER, facility, lot, credits: usd(1_000) });
    await journal.run({ type: 'freeze', company: LENDER, facility, fraction: 1_000_000, reason: 'covenant' });
    await journal.run({ type: 'setTradingMode', company: OPERATOR, class: NONE, market: 0, hour: NONE, mode: 'halted', reason: 'drill' });
    await journal.run({ type: 'setListPrice', class: 0, price: price(2.5), effectiveAt: START + 30 * MILLIS_PER_DAY, inputs: [{ provider: 'b', usd: usd(2.5) }] });
    await journal.run({ type: 'tick', now: START + 31 * MILLIS_PER_DAY });
    await market.projector.catchUp();
  });
  afterAll(() => market.close());

  test('a facility is told as the engine tells it', async () => {
    const view = market.journal.engine.query('facility', { facility });
    const record = await getFacility(market.db, facility);
    expect(record).toMatchObject({
      company: BORROWER, lender: LENDER, state: 'frozen', stateReason: 'covenant', frozenFraction: 1_000_000, amount: view?.amount, grade: view?.grade,
      principal: view?.principal, interest: view?.accruedInterest, drawn: view?.drawn, schedule: planned(view?.schedule ?? []), acceptedAt: START, feesOwed: 0,
    });
    expect((await listFacilities(market.db, { company: BORROWER, limit: 9 })).rows).toEqual([record]);
    expect((await listDeclines(market.db, { company: BORROWER, limit: 9 })).rows).toMatchObject([{ amount: usd(1_000_000), months: 12 }]);
  });

  test('its statement adds up to what is owed', async () => {
    const { rows } = await statement(market.db, { facility, limit: LIMIT_ALL });
    const kinds = [...rows].reverse().map(({ kind }) => kind).filter((kind) => !['interestAccrued', 'facilityNotice', 'instalmentDue', 'covenantTested'].includes(kind));
    expect(kinds).toEqual(['facilityOffered', 'facilityStateChanged', 'facilityDrawn', 'repaid', 'creditsReturned', 'returnSettled', 'facilityFrozen', 'facilityStateChanged']);
    const sign = (kind: string): number => (['repaid', 'creditsReturned', 'returnSettled'].includes(kind) ? -1 : 1);
    // Notices and due dates carry no money.
    const sum = (of: 'principal' | 'interest'): number => rows.reduce((total, line) => total + sign(line.kind) * line[of], 0);
    const record = await getFacility(market.db, facility);
    expect(sum('principal')).toBe(record?.principal);
    expect(sum('interest')).toBe(record?.interest);
    expect(await everyPage((page) => statement(market.db, { facility, ...page }))).toEqual(rows);
  });

  test('a lender sees what it has given', async () => {
    const found = await portfolio(market.db, LENDER);
    const record = await getFacility(market.db, facility);
    expect(found.mandates).toMatchObject([{ amount: usd(5_000_000), grades: ['A', 'B', 'C'] }]);
    expect(found.facilities).toEqual([record]);
    expect(found).toMatchObject({ committed: record?.amount, drawn: usd(100_000), principal: record?.principal, interest: record?.interest });
    expect((await portfolio(market.db, OPERATOR)).facilities).toEqual([]);
  });

  test('lots keep their terms and what was given back', async () => {
    const { rows } = await listLots(market.db, { company: BORROWER, limit: 9 });
    const [view] = market.journal.engine.query('lots', { company: BORROWER });
    expect(rows).toMatchObject([{ lot: view.lot, facility, source: 'facility', usd: usd(100_000), minted: view.minted, conversionRate: view.conversionRate, returned: usd(1_000), expired: 0, mintedAt: START }]);
  });

  test('acts and list prices are remembered', async () => {
    const { rows } = await listActs(market.db, { limit: 9 });
    expect(rows.map(({ kind, actor, reason }) => [kind, actor, reason])).toEqual([
      ['tradingModeSet', OPERATOR, 'drill'], ['facilityStateChanged', LENDER, 'covenant'], ['facilityFrozen', LENDER, 'covenant'], ['facilityStateChanged', BORROWER, 'accepted'],
    ]);
    expect((await listActs(market.db, { actor: OPERATOR, limit: 9 })).rows).toEqual([rows[0]]);
    expect((await listListPrices(market.db, { class: 0, limit: 9 })).rows.map(({ kind, price: at }) => [kind, at])).toContainEqual(['effective', price(2.5)]);
  });
});

test('in a whole life of the market, what is open and owned is what the engine says', async () => {
  const market = await openProjectedMarket();
  const simulation = new Simulation(21);
  // Until there is something to compare: a life has moments in which nothing is open, or no block has begun to execute.
  const isPoor = ({ orders, blocks }: MarketSnapshot): boolean => orders.length < 10 || !blocks.some(({ filled }) => filled > 0);
  while (simulation.engine.sequence < 5_000 || isPoor(simulation.engine.query('market', {}))) simulation.step();
  await market.journal.runAll(simulation.take().commands);
  await market.projector.catchUp();
  const { engine } = market.journal;
  const companies = engine.query('directory', {}).companies.map(({ company }) => company);
  let compared = 0;
  let begun = 0;
  for (const company of companies) {
    for (const view of openOrders(engine, company)) {
      // In the running hour asks shrink; their quantity is then what is filled and remains.
      const { quantity: _quantity, ...rest } = view;
      expect(await getOrder(market.db, view.order)).toMatchObject(rest);
      compared++;
    }
    // Blocks that wait are orders too, and told by a question of their own.
    for (const { block, quantity, fromHour, toHour, filled, notional, hold } of openBlocks(engine, company)) {
      const status = filled > 0 ? 'partially_filled' : 'open';
      expect(await getOrder(market.db, block)).toMatchObject({ filled, notional, hold, status, remaining: quantity * (toHour - fromHour) - filled });
      if (filled > 0) begun++;
    }
    const open = new Set([...openOrders(engine, company).map(({ order: id }) => id), ...openBlocks(engine, company).map(({ block }) => block)]);
    const listed = (['open', 'partially_filled', 'untriggered'] as const).map((status) => listOrders(market.db, { company, status, limit: LIMIT_ALL }));
    expect(new Set((await Promise.all(listed)).flatMap(({ rows }) => rows.map(({ order: id }) => id)))).toEqual(open);
    for (const view of engine.query('allocations', { company })) {
      const { allocation, provider, hour, model, price: at, quantity, usedGpu } = view;
      const record = await getAllocation(market.db, allocation);
      expect(record).toMatchObject({ provider, hour, model, price: at, usedGpu });
      expect((record?.quantity ?? 0) - (record?.resold ?? 0)).toBe(quantity);
    }
    for (const { facility, state, principal, accruedInterest: interest, schedule, frozenFraction } of engine.query('facilities', { company, lender: false })) {
      expect(await getFacility(market.db, facility)).toMatchObject({ state, principal, interest, schedule: planned(schedule), frozenFraction });
    }
    const lots = (await listLots(market.db, { company, limit: LIMIT_ALL })).rows;
    const balances = await accountBalances(market.db, { company });
    for (const view of engine.query('lots', { company })) {
      expect(lots.find(({ lot }) => lot === view.lot)).toMatchObject({ usd: view.usd, minted: view.minted, expiresAt: view.expiresAt });
      expect(balances.find(({ account, owner }) => account === 'lot.contracted' && owner === view.lot)?.balance ?? 0).toBe(view.contracted === 0 ? 0 : -view.contracted);
    }
  }
  expect(compared).toBeGreaterThan(5);
  expect(begun).toBeGreaterThan(0);
  await market.close();
});
