/** A market for the benchmark of the engine: many buyers with credit, many providers with capacity, one instrument. */
import type { Command, Envelope, PlaceOrder } from '../../engine/commands.ts';
import { BUY, GTC, IOC, LIMIT, NONE, SELL, marketOf } from '../../engine/vocabulary.ts';
import type { Role, Side } from '../../engine/vocabulary.ts';
import { Engine } from '../../engine/engine.ts';
import { KIND, decodeEvent, type EventBuffer } from '../../engine/events.ts';
import { MICRO, MILLIS_PER_HOUR, TICKS_PER_CREDIT } from '../../engine/numbers/units.ts';
import type { Hour } from '../../engine/numbers/units.ts';
import { ADD, BUYERS, CANCEL, PROVIDERS, TAKE, type OrderFlow } from './order_flow.ts';

/** Engine time of the whole run. */
export const START = Date.UTC(2026, 0, 1);

/** A delivery hour as commands that come from the network have it: a small integer, where a quotient is a double that stands in an object of its own. */
export function hoursAfterStart(hours: number): Hour {
  return (START / MILLIS_PER_HOUR + hours) | 0;
}
const MARKET = marketOf(0, 0);
export const DELIVERY_HOUR = hoursAfterStart(48);
const LIST_PRICE = 100 * TICKS_PER_CREDIT;
/** Two prepaid lots each; far more than any buyer of the run can spend. */
const LOT_USD = 50_000_000 * MICRO;
const BOND_USD = 500_000_000 * MICRO;
const GPUS = 1_000_000;
/** Commands between two readings of the event buffer, as the sequencer's batches. */
export const BATCH = 256;

export const inEnvelope = (command: Command): Envelope => ({ command, idempotencyKey: '', bodyHash: '' });

export function applyAll(engine: Engine, envelopes: readonly Envelope[], begin = 0, end = envelopes.length): void {
  for (let from = begin; from < end; from += BATCH) {
    const to = Math.min(end, from + BATCH);
    engine.applyAll(envelopes, from, to);
    engine.buffer.clear();
  }
}

export interface BenchMarket {
  engine: Engine;
  market: number;
  buyers: number[];
  providers: number[];
}

/** Companies are numbered in order of registration: the operator, the buyers, the providers. */
const buyers = Array.from({ length: BUYERS }, (_, index) => 1 + index);
const providers = Array.from({ length: PROVIDERS }, (_, index) => 1 + BUYERS + index);

const register = (name: string, role: Role): Command => ({ type: 'registerCompany', name, role, group: '' });

function buyerCommands(company: number): Command[] {
  const lot: Command = { type: 'prepay', company, amount: LOT_USD };
  return [register(`buyer ${company}`, 'borrower'), { type: 'deposit', company, amount: 2 * LOT_USD, reference: '' }, lot, lot];
}

function providerCommands(company: number): Command[] {
  return [
    register(`provider ${company}`, 'provider'),
    { type: 'deposit', company, amount: BOND_USD, reference: '' },
    { type: 'postBond', company, amount: BOND_USD },
    { type: 'declareCapacity', company, market: MARKET, gpus: GPUS },
    { type: 'verifyCapacity', company, market: MARKET, gpus: GPUS },
  ];
}

/** Everything that precedes the flow, but the tick to START. */
export function marketCommands(): Command[] {
  return [
    register('operator', 'operator'),
    { type: 'addRegion', name: 'us-east' },
    { type: 'addClass', name: 'H100-SXM-80', chip: 'H100', memoryGb: 80, formFactor: 'SXM', listPrice: LIST_PRICE, listInputs: [] },
    ...buyers.flatMap(buyerCommands),
    ...providers.flatMap(providerCommands),
  ];
}

/**
 * @param engine a spacious one as the server has, or a plain one where what it grows by is measured
 * @param told hears of each command when its events are at the end of the engine's buffer; without, they are forgotten
 * @throws Error when the engine refuses one of the commands
 */
export function openMarket(engine: Engine = Engine.spacious(), told: (envelope: Envelope) => void = () => engine.buffer.clear()): BenchMarket {
  for (const command of [{ type: 'tick', now: START } as const, ...marketCommands()]) {
    const envelope = inEnvelope(command);
    const begin = engine.buffer.length;
    engine.apply(envelope);
    forEachSince(engine.buffer, begin, (kind, at) => {
      if (kind === KIND.rejected) throw new Error(`${command.type} was refused: ${JSON.stringify(decodeEvent(engine.buffer, at))}`);
    });
    told(envelope);
  }
  return { engine, market: MARKET, buyers, providers };
}

/** What a run has led to, to be compared with what it must lead to. */
interface Outcome {
  fills: number;
  filledQuantity: number;
  refusals: number;
  /** Number that the engine gave to the order of the last command. */
  accepted: number;
}

/**
 * The flow as commands of this market. They are executed once, untimed: a cancel must name its order
 * by the number the engine gave it, and every run with the same beginning gives the same numbers.
 * Each is made when it is asked for: what is sent a long time after it was made is moved and copied by the
 * collector meanwhile, at the cost of whoever is measured.
 */
export class FlowCommands {
  private readonly flow: OrderFlow;
  private readonly bench: BenchMarket;
  private readonly orderOf: Float64Array;
  private readonly outcome: Outcome = { fills: 0, filledQuantity: 0, refusals: 0, accepted: NONE };
  private rehearsed = 0;

  constructor(flow: OrderFlow, bench: BenchMarket) {
    this.flow = flow;
    this.bench = bench;
    this.orderOf = new Float64Array(flow.length);
  }

  get length(): number {
    return this.flow.length;
  }

  /** The order of a cancel must have been rehearsed. */
  envelope(row: number): Envelope {
    const { flow, bench, orderOf } = this;
    const company = (flow.side[row] === BUY ? bench.buyers : bench.providers)[flow.trader[row]];
    return inEnvelope(flow.kind[row] === CANCEL ? { type: 'cancel', company, order: orderOf[flow.target[row]] } : placement(flow, row, company, bench.market));
  }

  /**
   * Executes the commands before `end`. @param told as in `openMarket`
   * @throws Error when one is refused or, at the end, the trades differ from the reference book's
   */
  rehearse(end = this.length, told: (envelope: Envelope) => void = () => this.bench.engine.buffer.clear()): void {
    const { engine } = this.bench;
    for (; this.rehearsed < end; this.rehearsed++) {
      const envelope = this.envelope(this.rehearsed);
      const begin = engine.buffer.length;
      engine.apply(envelope);
      count(this.outcome, engine.buffer, begin);
      this.orderOf[this.rehearsed] = this.outcome.accepted;
      told(envelope);
    }
    if (this.rehearsed === this.length) this.compare();
  }

  private compare(): void {
    const { flow, outcome } = this;
    const resting = this.bench.engine.query('market', {}).orders.length;
    const same = outcome.refusals === 0 && outcome.fills === flow.fills && outcome.filledQuantity === flow.filledQuantity && resting === flow.resting;
    if (!same) throw new Error(`the engine's trades are not the reference book's: ${JSON.stringify({ ...outcome, resting })}`);
  }
}

/** All of them, as one list. @throws Error as `FlowCommands` */
export function rehearse(flow: OrderFlow, bench: BenchMarket): Envelope[] {
  const commands = new FlowCommands(flow, bench);
  commands.rehearse();
  return Array.from({ length: commands.length }, (_, row) => commands.envelope(row));
}

/** As `forEachEvent`, of what was collected from a place on. */
function forEachSince({ words, length }: EventBuffer, begin: number, visit: (kind: number, at: number) => void): void {
  for (let at = begin; at < length; at += 2 + words[at + 1]) visit(words[at], at);
}

function count(outcome: Outcome, buffer: EventBuffer, begin: number): void {
  forEachSince(buffer, begin, (kind, at) => {
    if (kind !== KIND.fill && kind !== KIND.orderAccepted && kind !== KIND.rejected) return;
    const event = decodeEvent(buffer, at);
    if (event.kind === 'orderAccepted') outcome.accepted = event.order;
    if (event.kind === 'rejected') {
      if (outcome.refusals === 0) console.error(`first refusal: ${event.code}`);
      outcome.refusals += 1;
    }
    if (event.kind !== 'fill') return;
    outcome.fills += 1;
    outcome.filledQuantity += event.quantity;
  });
}

/** A limit order that waits, unless told otherwise. All are made here, and so of one shape, as the sequencer reads them and as the peer is given its own. */
export function order(company: number, market: number, hour: Hour, side: Side, price: number, quantity: number, timeInForce: number = GTC): PlaceOrder {
  return {
    type: 'place', company, market, hour, side, orderType: LIMIT, price, quantity, timeInForce, postOnly: false, displayQuantity: 0, minimumQuantity: 0,
    stopPrice: 0, expiresAt: 0, model: NONE, resaleOf: 0, selfTradePrevention: 0, cancelOnDisconnect: false, clientOrderId: '',
  };
}

export function placement(flow: OrderFlow, row: number, company: number, market: number, hour: Hour = DELIVERY_HOUR): PlaceOrder {
  return order(company, market, hour, flow.side[row] === BUY ? BUY : SELL, flow.price[row], flow.quantity[row], flow.kind[row] === TAKE ? IOC : GTC);
}

/** @throws Error naming the invariant that does not hold */
export function verifyInvariants(engine: Engine): void {
  const broken = engine.checkInvariants().filter(({ ok }) => !ok);
  if (broken.length > 0) throw new Error(`invariants do not hold: ${broken.map(({ name, detail }) => `${name}: ${detail}`).join('; ')}`);
}

/** A limit order far from the other side, to measure what a resting order takes. */
export function restingOrders({ market, buyers }: BenchMarket, count: number): Envelope[] {
  const flow: OrderFlow = {
    length: count,
    kind: new Uint8Array(count).fill(ADD),
    side: new Uint8Array(count).fill(BUY),
    trader: new Uint16Array(count),
    price: Int32Array.from({ length: count }, (_, row) => 10_000 + (row % 1_000)),
    quantity: new Int32Array(count).fill(100),
    target: new Int32Array(count).fill(NONE),
    fills: 0,
    filledQuantity: 0,
    resting: count,
    restingQuantity: 100 * count,
  };
  return Array.from({ length: count }, (_, row) => inEnvelope(placement(flow, row, buyers[row % buyers.length], market)));
}
