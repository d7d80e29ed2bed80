/** Looking ahead changes nothing, whatever the commands are. */
import { describe, expect, it } from 'vitest';
import { BUY, CANCEL_NEWEST, GTC, IOC, LIMIT, NONE, SELL } from '../vocabulary.ts';
import type { Command, Envelope } from '../commands.ts';
import { Engine } from '../engine.ts';
import { Random } from '../simulation/random.ts';
import { State } from '../state.ts';
import { MICRO, MILLIS_PER_HOUR } from '../numbers/units.ts';
import { FORESEEN, Foresight } from './foresight.ts';

const START = Date.UTC(2026, 11, 1);
const HOUR = START / MILLIS_PER_HOUR;
const HOURS = 5;
const COMPANIES = 6;
const inEnvelope = (command: Command): Envelope => ({ command, idempotencyKey: '', bodyHash: '' });

function opened(): { state: State; engine: Engine } {
  const state = new State();
  const engine = new Engine(state);
  const commands: Command[] = [{ type: 'tick', now: START }, { type: 'addRegion', name: 'r' }];
  commands.push({ type: 'addClass', name: 'GPU', chip: 'GPU', memoryGb: 80, formFactor: 'SXM', listPrice: 40_000, listInputs: [] });
  for (let company = 0; company < COMPANIES; company++) {
    commands.push({ type: 'registerCompany', name: `${company}`, role: company % 2 === BUY ? 'borrower' : 'provider', group: '' });
    commands.push({ type: 'deposit', company, amount: 1e6 * MICRO, reference: '' });
    if (company % 2 === BUY) commands.push({ type: 'prepay', company, amount: 1e6 * MICRO });
    else commands.push({ type: 'postBond', company, amount: 1e6 * MICRO }, { type: 'declareCapacity', company, market: 0, gpus: 1_000 }, { type: 'verifyCapacity', company, market: 0, gpus: 1_000 });
  }
  for (const command of commands) engine.apply(inEnvelope(command));
  return { state, engine };
}

/** Orders in their right mind, and cancels of orders that are, were or never will be; some of either make no sense. */
function randomCommand(random: Random, orders: readonly number[]): Command {
  const company = random.between(0, COMPANIES - 1);
  const odd = random.chance(0.05);
  if (random.chance(0.3)) return { type: 'cancel', company, order: odd || orders.length === 0 ? random.pick([0, -1, Number.NaN, 2 ** 52, 3]) : random.pick(orders) };
  return {
    type: 'place', company: odd ? random.pick([-1, 99, 0.5]) : company, market: odd ? random.between(-2, 40) : 0, hour: HOUR + random.between(2, 1 + HOURS), side: company % 2 === BUY ? BUY : SELL,
    orderType: LIMIT, price: odd ? random.pick([0, -3, Number.NaN]) : random.between(20_000, 20_040), quantity: random.between(100, 600), timeInForce: random.chance(0.25) ? IOC : GTC,
    postOnly: false, displayQuantity: 0, minimumQuantity: 0, stopPrice: 0, expiresAt: 0, model: NONE, resaleOf: 0, selfTradePrevention: CANCEL_NEWEST, cancelOnDisconnect: false, clientOrderId: '',
  };
}

describe('looking ahead', () => {
  it.each([1, 2, 3, 4])('leaves results as they are, seed %i', (seed) => {
    const random = new Random(seed);
    const [plain, seen, together] = [opened(), opened(), opened()];
    const foresight = new Foresight(seen.state);
    for (let turn = 0; turn < 60; turn++) {
      const live = seen.engine.query('market', {}).orders.map(({ order }) => order);
      const commands = Array.from({ length: random.between(1, FORESEEN + 4) }, () => inEnvelope(randomCommand(random, live)));
      commands.push(inEnvelope({ type: 'cancelAfter', company: 0, after: turn }));
      foresight.look(commands, 0, commands.length);
      for (const command of commands) for (const { engine } of [plain, seen]) engine.apply(command);
      together.engine.applyAll(commands);
      const events = Array.from(plain.engine.buffer.take().words);
      for (const { engine } of [seen, together]) expect(Array.from(engine.buffer.take().words)).toEqual(events);
    }
    expect(seen.engine.stateHash()).toBe(plain.engine.stateHash());
    expect(seen.engine.query('market', {}).orders.length).toBeGreaterThan(20);
  });
});
