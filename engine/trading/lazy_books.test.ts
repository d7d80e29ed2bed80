/** Listing costs nothing: a book exists from its first quote on, and an hour that is over leaves nothing behind. */
import { describe, expect, it } from 'vitest';
import { BUY, CANCEL_NEWEST, GTC, LIMIT, NONE, SELL } from '../vocabulary.ts';
import { Engine } from '../engine.ts';
import { PARAMETERS } from '../parameters.ts';
import { State } from '../state.ts';
import { MICRO, MILLIS_PER_HOUR } from '../numbers/units.ts';

const CLASSES = 20;
const REGIONS = 3;
const START = Date.UTC(2026, 11, 1);
const HOURS = 93 * 24;
const now = START / MILLIS_PER_HOUR;

function listed(): { state: State; run: (command: Parameters<Engine['apply']>[0]['command']) => void; seller: number; buyer: number } {
  const state = new State();
  const engine = new Engine(state);
  const run: ReturnType<typeof listed>['run'] = (command) => {
    engine.apply({ command, idempotencyKey: '', bodyHash: '' });
    engine.buffer.clear();
  };
  run({ type: 'tick', now: START });
  for (let region = 0; region < REGIONS; region++) run({ type: 'addRegion', name: `region-${region}` });
  for (let id = 0; id < CLASSES; id++) run({ type: 'addClass', name: `GPU-${id}`, chip: 'GPU', memoryGb: 80, formFactor: 'SXM', listPrice: 30_000, listInputs: [] });
  run({ type: 'registerCompany', name: 'seller', role: 'provider', group: '' });
  run({ type: 'registerCompany', name: 'buyer', role: 'borrower', group: '' });
  for (const market of state.markets.keys()) {
    run({ type: 'declareCapacity', company: 0, market, gpus: 1_000 });
    run({ type: 'verifyCapacity', company: 0, market, gpus: 1_000 });
  }
  run({ type: 'deposit', company: 0, amount: 1e6 * MICRO, reference: '' });
  run({ type: 'postBond', company: 0, amount: 1e6 * MICRO });
  run({ type: 'deposit', company: 1, amount: 1e6 * MICRO, reference: '' });
  run({ type: 'prepay', company: 1, amount: 1e6 * MICRO });
  return { state, run, seller: 0, buyer: 1 };
}

const order = (company: number, side: 0 | 1, market: number, hour: number, price: number, expiresAt = 0) => ({
  type: 'place', company, market, hour, side, orderType: LIMIT, price, quantity: 100, timeInForce: GTC, postOnly: false, displayQuantity: 0, minimumQuantity: 0, stopPrice: 0,
  expiresAt, model: NONE, resaleOf: 0, selfTradePrevention: CANCEL_NEWEST, cancelOnDisconnect: false, clientOrderId: '',
} as const);

const alive = (state: State): number[] => [
  state.books.filter((book) => book !== undefined).length, state.orders.count, state.orders.extras.size, state.supply.spotOccupied.size, state.timers.heap.length,
  [...state.markets.values()].reduce((sum, market) => sum + market.books.size, 0),
];

describe('books', () => {
  it(`of ${CLASSES * REGIONS * (HOURS + 1)} listed instruments none exists until it is quoted`, () => {
    const { state, run, seller, buyer } = listed();
    expect(alive(state)[0]).toBe(0);
    for (const refused of [order(seller, SELL, 0, now + 5, 40_000), order(buyer, BUY, 0, now + HOURS + 1, 100), order(seller, BUY, 0, now + 5, 100)]) run(refused);
    expect(alive(state)[0]).toBe(0);
    // The last hour there is, of the last market.
    run(order(seller, SELL, (CLASSES - 1) * 16 + REGIONS - 1, now + HOURS, 20_000));
    expect(alive(state)[0]).toBe(1);
  });

  it('that are over leave nothing behind, however many there were', () => {
    const { state, run, seller, buyer } = listed();
    const before = alive(state);
    const endDay = (day: number): void => {
      for (let hour = now + day * 24; hour < now + (day + 1) * 24; hour++) {
        run({ type: 'tick', now: (hour + 1) * MILLIS_PER_HOUR });
        run({ type: 'endHour', hour, pending: [] });
      }
    };
    // A book that has traded stays as long as a failure may still be found in its hour.
    const kept = PARAMETERS.clawBackHours / 24;
    const used: number[][] = [];
    for (let day = 0; day < kept + 4; day++) {
      for (let hour = now + day * 24 + 1; hour <= now + day * 24 + 20; hour++) {
        for (const market of [0, 17, 50]) {
          run(order(seller, SELL, market, hour, 20_000));
          run(order(buyer, BUY, market, hour, 20_000));
          run(order(buyer, BUY, market, hour, 10_000, (hour + 1) * MILLIS_PER_HOUR));
          run(order(seller, SELL, market, hour, 25_000));
        }
      }
      endDay(day);
      used.push([state.orders.used, state.supply.used, state.books.length, state.allocations.used]);
      // Orders, and the timers of those that would have expired, go with their hour.
      expect(alive(state).slice(1, 5)).toEqual(before.slice(1, 5));
    }
    // Rows are used again: from then on no day needs more than the one before.
    expect(used.at(-1)).toEqual(used.at(-3));
    for (let day = kept + 4; day <= 2 * kept + 5; day++) endDay(day);
    expect(alive(state)).toEqual(before);
  });
});
