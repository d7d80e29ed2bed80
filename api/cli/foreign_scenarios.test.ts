/**
 * Scenarios that other open matching engines publish as their unit tests, told in our own words and
 * replayed through a lone book: the same orders, the trades and the book that those engines expect.
 * Where their rule is another, `differs` says ours, which docs/market_rules.md lays down, and the
 * expectations are ours.
 *
 * Liquibook, (c) 2012-2017 Object Computing, Inc., its own BSD-like licence: test/unit/ut_all_or_none,
 * ut_immediate_or_cancel, ut_stop_orders. exchange-core, (c) 2019 Maksim Zheravin, Apache 2.0:
 * OrderBookBaseTest. OrderBook-rs, (c) Joaquin Bejar Garcia, MIT: tests/stp. Calls: the examples by which
 * Xetra's market model and Euronext's rules for calls explain their prices, as open engines repeat them.
 */
import { Readable, Writable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { replayBook } from './replay_book.ts';

interface Scenario {
  name: string;
  /** `ID buy|sell QUANTITY@PRICE|market [word...]`, `cancel ID`, `move ID PRICE`, `call`, `uncross REFERENCE`. Owners are by order unless `of=NAME`. */
  orders: readonly string[];
  /** `TAKER MAKER QUANTITY@PRICE`, in order. */
  trades: readonly string[];
  /** Best first, `PRICE:QUANTITY`. */
  bids: string;
  asks: string;
  /** `ID REASON` of what was cancelled or refused. */
  ended?: readonly string[];
  differs?: string;
}

const PREVENTIONS: Record<string, string> = { newest: 'cancel_newest', oldest: 'cancel_oldest', both: 'cancel_both', decrement: 'decrement' };

function operation(text: string): Record<string, unknown> {
  const [first, second, third, ...words] = text.split(' ');
  if (first === 'cancel') return { op: 'cancel', id: Number(second) };
  if (first === 'call') return { op: 'auction_start' };
  if (first === 'uncross') return { op: 'auction_uncross', reference: second };
  if (first === 'move') return { op: 'amend', id: Number(second), price: third };
  const [quantity, price] = third.split('@');
  const valued = Object.fromEntries(words.filter((word) => word.includes('=')).map((word) => word.split('=')));
  const stops = valued['stop'] !== undefined;
  const type = price === 'market' ? (stops ? 'stop' : 'market') : stops ? 'stop_limit' : 'limit';
  return {
    op: 'add', id: Number(first), owner: valued['of'] ?? `owner of ${first}`, side: second, type, quantity, ...(price === 'market' ? {} : { price }),
    time_in_force: words.find((word) => word === 'ioc' || word === 'fok') ?? 'gtc', ...(words.includes('aon') ? { minimum_quantity: quantity } : {}),
    ...(stops ? { stop_price: valued['stop'] } : {}), self_trade_prevention: PREVENTIONS[words.find((word) => word in PREVENTIONS) ?? 'newest'],
  };
}

interface Line {
  event: string;
  id: number;
  maker: number;
  taker: number;
  price: string;
  quantity: string;
  reason?: string;
  code?: string;
  bids: string[][];
  asks: string[][];
}

async function replayed(orders: readonly string[]): Promise<Line[]> {
  let text = '';
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  await replayBook({ tick: '1', step: '1', depth: 20 }, Readable.from(orders.map((order) => `${JSON.stringify(operation(order))}\n`)), output);
  return text.trim().split('\n').map((line) => JSON.parse(line) as Line);
}

const EXCHANGE_CORE = [
  '1 sell 100@81600', '2 sell 50@81599', '3 sell 25@81599', '4 buy 40@81593', '5 buy 20@81590', '6 buy 1@81590', '7 buy 20@81200', '8 sell 28@201000', '9 sell 32@201000',
  '10 sell 10@200954', '11 buy 12@10000', '12 buy 1@10000', '13 buy 2@9136',
];
const BIDS = '81593:40 81590:21 81200:20 10000:13 9136:2';
const ASKS = '81599:75 81600:100 200954:10 201000:60';
const FAR_BIDS = '81200:20 10000:13 9136:2';
const FAR_ASKS = '200954:10 201000:60';

const SCENARIOS: Record<string, readonly Scenario[]> = {
  'exchange-core': [
    { name: 'orders that do not meet', orders: ['93 sell 1@81598', '94 buy 9000000000@81594'], trades: [], bids: `81594:9000000000 ${BIDS}`, asks: `81598:1 ${ASKS}` },
    { name: 'a cancel', orders: ['cancel 5', 'cancel 2'], trades: [], bids: '81593:40 81590:1 81200:20 10000:13 9136:2', asks: '81599:25 81600:100 200954:10 201000:60', ended: ['5 requested', '2 requested'] },
    { name: 'a level whose last order is cancelled', orders: ['cancel 2', 'cancel 3'], trades: [], bids: BIDS, asks: `81600:100 ${FAR_ASKS}`, ended: ['2 requested', '3 requested'] },
    { name: 'orders nobody knows', orders: ['cancel 5291', 'move 2433 300'], trades: [], bids: BIDS, asks: ASKS, ended: ['5291 unknown_order', '2433 unknown_order'] },
    { name: 'a move to a level that exists', orders: ['move 7 81590'], trades: [], bids: '81593:40 81590:41 10000:13 9136:2', asks: ASKS },
    { name: 'a move to a new level', orders: ['move 7 81594'], trades: [], bids: '81594:20 81593:40 81590:21 10000:13 9136:2', asks: ASKS },
    { name: 'an IOC that takes part of the best bid', orders: ['123 sell 10@1 ioc'], trades: ['123 4 10@81593'], bids: '81593:30 81590:21 81200:20 10000:13 9136:2', asks: ASKS },
    { name: 'an IOC that takes the best bid', orders: ['123 sell 40@1 ioc'], trades: ['123 4 40@81593'], bids: '81590:21 81200:20 10000:13 9136:2', asks: ASKS },
    { name: 'an IOC over two levels', orders: ['123 sell 41@1 ioc'], trades: ['123 4 40@81593', '123 5 1@81590'], bids: `81590:20 ${FAR_BIDS}`, asks: ASKS },
    { name: 'an IOC over all near asks', orders: ['123 buy 175@400000 ioc'], trades: ['123 2 50@81599', '123 3 25@81599', '123 1 100@81600'], bids: BIDS, asks: FAR_ASKS },
    {
      name: 'an IOC for more than there is', orders: ['123 buy 270@400000 ioc'], bids: BIDS, asks: '', ended: ['123 ioc'],
      trades: ['123 2 50@81599', '123 3 25@81599', '123 1 100@81600', '123 10 10@200954', '123 8 28@201000', '123 9 32@201000'],
    },
    { name: 'a bid that is filled on arrival', orders: ['123 buy 1@81599'], trades: ['123 2 1@81599'], bids: BIDS, asks: '81599:74 81600:100 200954:10 201000:60' },
    { name: 'a bid of which the rest waits', orders: ['123 buy 77@81599'], trades: ['123 2 50@81599', '123 3 25@81599'], bids: `81599:2 ${BIDS}`, asks: `81600:100 ${FAR_ASKS}` },
  ].map((scenario) => ({ ...scenario, orders: [...EXCHANGE_CORE, ...scenario.orders] })),

  Liquibook: [
    {
      name: 'a bid passes over an all-or-none ask that is too large', orders: ['1 buy 100@1250', '2 sell 200@1251 aon', '3 sell 100@1251 aon', '4 sell 100@1252', '5 buy 100@1251'],
      trades: ['5 3 100@1251'], bids: '1250:100', asks: '1251:200 1252:100',
    },
    {
      name: 'a bid takes two all-or-none asks and part of a third', orders: ['1 buy 100@1250', '2 sell 100@1251 aon', '3 sell 100@1251 aon', '4 sell 700@1251', '5 buy 400@1251'],
      trades: ['5 2 100@1251', '5 3 100@1251', '5 4 200@1251'], bids: '1250:100', asks: '1251:500',
    },
    {
      name: 'an all-or-none bid for more than there is', orders: ['1 buy 100@1250', '2 sell 100@1251', '3 sell 100@1252', '4 buy 300@1251 aon'], trades: [], bids: '1250:100',
      asks: '1251:100 1252:100', ended: ['4 minimum_quantity'], differs: 'Liquibook lets it wait crossed; here it is refused, and its owner decides',
    },
    {
      name: 'an all-or-none bid that is filled', orders: ['1 buy 100@1250', '2 sell 400@1251', '3 sell 100@1252', '4 buy 300@1251 aon'], trades: ['4 2 300@1251'], bids: '1250:100',
      asks: '1251:100 1252:100',
    },
    {
      name: 'an all-or-none market bid where an all-or-none ask waits', trades: ['6 2 400@1251', '6 4 100@1252', '6 5 100@1252'], bids: '1250:100', asks: '1251:400',
      orders: ['1 buy 100@1250', '2 sell 400@1251', '3 sell 400@1251 aon', '4 sell 100@1252', '5 sell 100@1252', '6 buy 600@market aon'],
      differs: 'Liquibook makes room for the all-or-none ask at the cost of older orders; here price and time are kept, and who cannot be filled whole is passed over',
    },
    {
      name: 'an all-or-none market bid that only an all-or-none ask could fill', trades: [], bids: '1250:100', asks: '1251:400 1252:500', ended: ['5 minimum_quantity'],
      orders: ['1 buy 100@1250', '2 sell 400@1251', '3 sell 100@1252', '4 sell 400@1252 aon', '5 buy 600@market aon'], differs: 'as before',
    },
    { name: 'two all-or-none orders of one size', orders: ['1 buy 100@1250', '2 sell 300@1251 aon', '3 sell 100@1252', '4 buy 300@1251 aon'], trades: ['4 2 300@1251'], bids: '1250:100', asks: '1252:100' },
    {
      name: 'an ask passes over an all-or-none bid that is too large', orders: ['1 buy 100@1250', '2 buy 200@1251 aon', '3 buy 100@1251 aon', '4 sell 100@1252', '5 sell 100@1251'],
      trades: ['5 3 100@1251'], bids: '1251:200 1250:100', asks: '1252:100',
    },
    {
      name: 'an ask takes two all-or-none bids and part of a third', orders: ['1 sell 100@1252', '2 buy 700@1250', '3 buy 100@1251 aon', '4 buy 100@1251 aon', '5 sell 400@1250'],
      trades: ['5 3 100@1251', '5 4 100@1251', '5 2 200@1250'], bids: '1250:500', asks: '1252:100',
    },
    {
      name: 'an all-or-none ask for more than there is', orders: ['1 sell 100@1252', '2 buy 700@1250', '3 buy 100@1251', '4 buy 100@1251', '5 sell 400@1251 aon'], trades: [],
      bids: '1251:200 1250:700', asks: '1252:100', ended: ['5 minimum_quantity'], differs: 'Liquibook lets it wait crossed',
    },
    { name: 'an IOC bid that meets nobody', orders: ['1 sell 100@1251', '2 sell 100@1252', '3 buy 100@1249', '4 buy 100@1250 ioc'], trades: [], bids: '1249:100', asks: '1251:100 1252:100', ended: ['4 ioc'] },
    { name: 'an IOC bid that is filled in part', orders: ['1 sell 100@1250', '2 sell 100@1251', '3 buy 300@1250 ioc'], trades: ['3 1 100@1250'], bids: '', asks: '1251:100', ended: ['3 ioc'] },
    { name: 'an IOC bid over two levels', orders: ['1 sell 400@1250', '2 sell 100@1251', '3 sell 100@1252', '4 buy 500@1251 ioc'], trades: ['4 1 400@1250', '4 2 100@1251'], bids: '', asks: '1252:100' },
    { name: 'a FOK bid that meets too little', orders: ['1 sell 100@1250', '2 sell 100@1251', '3 buy 300@1250 fok'], trades: [], bids: '', asks: '1250:100 1251:100', ended: ['3 fok'] },
    { name: 'a FOK bid that is filled', orders: ['1 sell 400@1250', '2 sell 100@1251', '3 buy 300@1250 fok'], trades: ['3 1 300@1250'], bids: '', asks: '1250:100 1251:100' },
    { name: 'a FOK bid over two levels', orders: ['1 sell 400@1250', '2 sell 100@1251', '3 sell 100@1252', '4 buy 500@1251 fok'], trades: ['4 1 400@1250', '4 2 100@1251'], bids: '', asks: '1252:100' },
    {
      name: 'stops off the market wait', orders: ['1 buy 100@55', '2 sell 100@market', '3 buy 100@market stop=56', '4 sell 100@market stop=54'], trades: ['2 1 100@55'], bids: '', asks: '',
    },
    {
      name: 'stops at the last price are triggered at once', orders: ['1 buy 100@55', '2 sell 100@market', '3 buy 100@market stop=55', '4 sell 100@market stop=55'], trades: ['2 1 100@55'], bids: '', asks: '',
      ended: ['3 no_liquidity', '4 no_liquidity'], differs: 'Liquibook lets a market order wait for the next one; here what it does not find at once is cancelled',
    },
    {
      name: 'stops are triggered by a trade at their price', bids: '', asks: '',
      orders: [
        '1 buy 100@55', '2 sell 100@market', '3 buy 100@53', '4 sell 100@57', '5 buy 100@market stop=56', '6 sell 100@market stop=54', '7 buy 1000@56 aon', '8 sell 1000@56 aon',
        '9 buy 1000@54 aon', '10 sell 1000@54 aon',
      ],
      trades: ['2 1 100@55', '8 7 1000@56', '5 4 100@57', '10 9 1000@54', '6 3 100@53'],
    },
  ],

  'OrderBook-rs': [
    { name: 'cancel newest: the arriving order goes', orders: ['1 sell 10@100 of=a', '2 buy 10@market of=a newest'], trades: [], bids: '', asks: '100:10', ended: ['2 self_trade'] },
    { name: 'cancel newest: others trade', orders: ['1 sell 10@100 of=a', '2 buy 10@market of=b newest'], trades: ['2 1 10@100'], bids: '', asks: '' },
    { name: 'cancel newest: what came before its own order stays traded', orders: ['1 sell 5@100 of=b', '2 sell 10@200 of=a', '3 buy 20@market of=a newest'], trades: ['3 1 5@100'], bids: '', asks: '200:10', ended: ['3 self_trade'] },
    { name: 'cancel oldest: the resting order goes', orders: ['1 sell 5@100 of=a', '2 sell 10@100 of=b', '3 buy 10@market of=a oldest'], trades: ['3 2 10@100'], bids: '', asks: '', ended: ['1 self_trade'] },
    { name: 'cancel oldest: all of them', orders: ['1 sell 5@100 of=a', '2 sell 3@100 of=a', '3 buy 10@market of=a oldest'], trades: [], bids: '', asks: '', ended: ['1 self_trade', '2 self_trade', '3 no_liquidity'] },
    { name: 'cancel oldest: over levels', orders: ['1 sell 5@100 of=a', '2 sell 10@200 of=b', '3 buy 10@market of=a oldest'], trades: ['3 2 10@200'], bids: '', asks: '', ended: ['1 self_trade'] },
    { name: 'cancel both', orders: ['1 sell 10@100 of=a', '2 buy 10@market of=a both'], trades: [], bids: '', asks: '', ended: ['1 self_trade', '2 self_trade'] },
    { name: 'cancel both after a trade', orders: ['1 sell 3@100 of=b', '2 sell 10@200 of=a', '3 buy 20@market of=a both'], trades: ['3 1 3@100'], bids: '', asks: '', ended: ['2 self_trade', '3 self_trade'] },
    { name: 'cancel newest of a limit order', orders: ['1 sell 10@100 of=a', '2 buy 10@100 of=a newest'], trades: [], bids: '', asks: '100:10', ended: ['2 self_trade'] },
    { name: 'cancel oldest of a limit order', orders: ['1 sell 5@100 of=a', '2 sell 10@100 of=b', '3 buy 8@100 of=a oldest'], trades: ['3 2 8@100'], bids: '', asks: '100:2', ended: ['1 self_trade'] },
    { name: 'cancel newest of an ask', orders: ['1 buy 10@100 of=a', '2 sell 10@market of=a newest'], trades: [], bids: '100:10', asks: '', ended: ['2 self_trade'] },
    { name: 'cancel oldest of a bid', orders: ['1 buy 5@200 of=a', '2 buy 10@200 of=b', '3 sell 10@market of=a oldest'], trades: ['3 2 10@200'], bids: '', asks: '', ended: ['1 self_trade'] },
  ],

  'calls of Xetra': [
    {
      name: 'one price of the largest volume', bids: '198:100 196:100', asks: '200:100',
      orders: ['call', '1 sell 100@200', '2 sell 300@198', '3 sell 400@197', '4 buy 300@200', '5 buy 100@196', '6 buy 300@198', '7 buy 200@199', 'uncross 190'],
      trades: ['4 3 300@198', '7 3 100@198', '7 2 100@198', '6 2 200@198'],
    },
    {
      name: 'a surplus of bids', bids: '200:100 197:200', asks: '201:400',
      orders: ['call', '1 sell 400@201', '2 sell 100@199', '3 sell 100@198', '4 sell 300@197', '5 buy 600@200', '6 buy 200@197', 'uncross 195'],
      trades: ['5 4 300@199', '5 3 100@199', '5 2 100@199'], differs: 'on Xetra the side with the surplus sets the price (200); here the nearest to the reference is taken',
    },
    {
      name: 'a surplus of asks', bids: '197:400', asks: '198:100 201:200',
      orders: ['call', '1 sell 200@201', '2 sell 600@198', '3 buy 400@197', '4 buy 100@199', '5 buy 100@201', '6 buy 300@202', 'uncross 190'],
      trades: ['6 2 300@198', '5 2 100@198', '4 2 100@198'],
    },
    {
      name: 'no surplus at several prices', bids: '197:100', asks: '203:100',
      orders: ['call', '1 sell 100@203', '2 sell 300@199', '3 sell 200@198', '4 buy 100@197', '5 buy 200@201', '6 buy 300@202', 'uncross 200'],
      trades: ['6 3 200@200', '6 2 100@200', '5 2 200@200'],
    },
    { name: 'nothing that crosses', orders: ['call', '1 sell 300@202', '2 sell 200@201', '3 buy 100@200', '4 buy 400@199', 'uncross 200'], trades: [], bids: '200:100 199:400', asks: '201:200 202:300' },
    {
      name: 'equal surpluses of both sides', bids: '199:100 198:1000', asks: '201:100 202:1000',
      orders: ['call', '1 sell 100@198', '2 sell 100@201', '3 sell 1000@202', '4 buy 100@202', '5 buy 100@199', '6 buy 1000@198', 'uncross 200'], trades: ['4 1 100@200'],
    },
  ],

  'calls of Euronext': [
    { name: 'a market bid reaches the dearest ask', orders: ['call', '1 buy 80@market', '2 sell 40@1002', '3 sell 40@1004', 'uncross 1000'], trades: ['2 1 40@1004', '3 1 40@1004'], bids: '', asks: '' },
    { name: 'a market ask reaches the cheapest bid', orders: ['call', '1 buy 40@998', '2 buy 40@996', '3 sell 80@market', 'uncross 1000'], trades: ['3 1 40@996', '3 2 40@996'], bids: '', asks: '' },
    { name: 'the reference above the only limit', orders: ['call', '1 buy 40@market', '2 sell 40@998', 'uncross 1000'], trades: ['2 1 40@1000'], bids: '', asks: '' },
    {
      name: 'market orders alone', orders: ['call', '1 buy 40@market', '2 sell 45@market', '3 buy 20@market', 'uncross 1000'], trades: ['2 1 40@1000', '3 2 5@1000'], bids: '', asks: '',
      ended: ['3 no_liquidity'], differs: 'on Euronext what is left of a market order waits; here it is cancelled',
    },
    {
      name: 'market and limit orders', bids: '1010:20 990:10', asks: '1015:60',
      orders: ['call', '1 buy 50@market', '2 buy 20@market', '3 buy 90@1010', '4 buy 10@990', '5 sell 40@market', '6 sell 100@1008', '7 sell 60@1015', 'uncross 1000'],
      trades: ['5 1 40@1008', '6 1 10@1008', '6 2 20@1008', '6 3 70@1008'], differs: 'on Euronext the side with the surplus sets the price (1010); here the nearest to the reference is taken',
    },
  ],
};

const all = Object.entries(SCENARIOS).flatMap(([engine, scenarios]) => scenarios.map((scenario) => ({ engine, ...scenario })));
const levels = (side: string[][]): string => side.map(([price, quantity]) => `${price}:${quantity}`).join(' ');

describe.each(Object.entries(SCENARIOS))('%s', (_engine, scenarios) => {
  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))('%s', async (_name, scenario) => {
    const lines = await replayed(scenario.orders);
    const trades = lines.filter(({ event }) => event === 'trade').map(({ taker, maker, quantity, price }) => `${taker} ${maker} ${quantity}@${price}`);
    const ended = lines.filter(({ event }) => event === 'canceled' || event === 'rejected').map(({ id, reason, code }) => `${id} ${reason ?? code}`);
    const book = lines.at(-1);
    expect({ trades, bids: levels(book?.bids ?? []), asks: levels(book?.asks ?? []), ended }).toEqual({
      trades: scenario.trades, bids: scenario.bids, asks: scenario.asks, ended: scenario.ended ?? [],
    });
  });
});

afterAll(() => {
  const others = all.filter(({ differs }) => differs !== undefined);
  process.stdout.write(`${all.length} scenarios of other engines, ${all.length - others.length} as they expect, ${others.length} by another rule:\n`);
  for (const { engine, name, differs } of others) process.stdout.write(`  ${engine}, ${name}: ${differs}\n`);
});
