/**
 * What makes the first orders and the first day of a process as quick as the later ones. The end of a day is run for many facilities at once,
 * and seldom: without this its first parts would be those in which everything is compiled and what a recovery left young is moved.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { decodeEnvelopes, encodeEnvelopes } from '../../engine/codec/command_codec.ts';
import { areEvents, encodeEvents } from '../../engine/codec/event_codec.ts';
import type { Command, PlaceOrder } from '../../engine/commands.ts';
import { Engine } from '../../engine/engine.ts';
import { MICRO } from '../../engine/numbers/units.ts';
import { BUY, GTC, LIMIT, LOAN_RULES, NONE, marketOf } from '../../engine/vocabulary.ts';
import { LoanLives } from '../../engine/simulation/loan_lives.ts';
import { State } from '../../engine/state.ts';

const FACILITIES = 24;
const DAYS = 3;
/** Until loops over balances are compiled, too. */
const CHECKS = 60;

/** Times that one row has to be used until the ids of its orders have more than 31 bits, and some. */
const LARGE_ID_ROUNDS = 160;
const LIST_PRICE = 30_000;

/**
 * Places and cancels orders in a market that nobody sees until their ids have more than 31 bits, as the ids of every market that has traded for a
 * while have. V8 would compile all of an order's path for smaller ones, and when the first large one comes would drop it, to run a
 * hundred thousand commands at a tenth of the speed. @returns the last id
 */
export function meetLargeIds(): number {
  const state = new State();
  const engine = new Engine(state);
  const run = (...commands: Command[]): void => {
    engine.applyAll(decodeEnvelopes(encodeEnvelopes(commands.map((command) => ({ command, idempotencyKey: '', bodyHash: '' })))));
    const { words, length, texts } = engine.buffer;
    areEvents(encodeEvents({ words: words.slice(0, length), texts }), engine.buffer);
    engine.buffer.clear();
  };
  const company = 0;
  run(
    { type: 'addRegion', name: 'region' },
    { type: 'addClass', name: 'class', chip: 'chip', memoryGb: 80, formFactor: 'form', listPrice: LIST_PRICE, listInputs: [] },
    { type: 'registerCompany', name: 'buyer', role: 'borrower', group: '' },
    { type: 'deposit', company, amount: 1_000 * MICRO, reference: '' },
    { type: 'prepay', company, amount: 1_000 * MICRO },
  );
  const bid: PlaceOrder = {
    type: 'place', company, market: marketOf(0, 0), hour: 1, side: BUY, orderType: LIMIT, price: LIST_PRICE, quantity: 100, timeInForce: GTC, postOnly: false, displayQuantity: 0,
    minimumQuantity: 0, stopPrice: 0, expiresAt: 0, model: NONE, resaleOf: 0, selfTradePrevention: 0, cancelOnDisconnect: false, clientOrderId: '',
  };
  let order = 0;
  for (let round = 0; round < LARGE_ID_ROUNDS; round++) {
    order = state.orders.nextId();
    run(bid);
    run({ type: 'amend', company, order, price: LIST_PRICE, quantity: 50 }, { type: 'cancel', company, order });
  }
  return order;
}

/** Lives through a few days of a small market that nobody sees. */
export function warmUp(): void {
  const lives = new LoanLives({ seed: 1, facilities: FACILITIES, loanRules: LOAN_RULES });
  for (let day = 0; day < DAYS; day++) lives.day();
  for (let check = 0; check < CHECKS; check++) lives.engine.checkInvariants();
}

/** Counts objects that have just been made, as all are after a recovery, among the old: the first collections would stop the market to move them. */
export function settleHeap(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void;
  // What survives two is old.
  collect({ type: 'minor' });
  collect({ type: 'minor' });
}
