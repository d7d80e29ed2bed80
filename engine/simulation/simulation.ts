/**
 * A seeded life of the market: providers, borrowers, lenders and operators do what they may, and much
 * that they may not; time passes; hours end. After each batch every invariant is checked.
 */
import { REJECT_CODES } from '../catalogue.ts';
import type { RejectCode } from '../catalogue.ts';
import { BUY, CANCEL_NEWEST, DECREMENT, FOK, GTC, GTD, IOC, LIMIT, MARKET, NONE, ORDER_TYPES, SELL, STOP } from '../vocabulary.ts';
import type { Command, CommandType, OrderCommand, PlaceBlock, PlaceOrder } from '../commands.ts';
import { Engine } from '../engine.ts';
import { KIND, decodeEvents, forEachEvent } from '../events.ts';
import type { EngineEvent, EventBatch } from '../events.ts';
import type { InvariantCheck } from '../queries.ts';
import { MICRO, MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../numbers/units.ts';
import { CLASSES, HOURS_AHEAD, LIST_PRICE } from './cast.ts';
import type { Cast } from './cast.ts';
import { CreditActs } from './credit_acts.ts';
import { DeliveryActs } from './delivery_acts.ts';
import { Random } from './random.ts';

const START = Date.UTC(2026, 11, 1, 9, 30);
const REGIONS = 2;
const BORROWERS = 8;
const PROVIDERS = 4;

export interface SimulationOptions {
  seed: number;
  commands: number;
  /** Commands between two checks of the invariants. */
  batch: number;
  /** Sees every batch of events; for auditors and replays. */
  onBatch?: (batch: EventBatch, commands: readonly Command[]) => void;
  onProgress?: (done: number) => void;
}

export interface SimulationResult {
  stateHash: string;
  sequence: number;
  /** Of the first check that failed; empty when all held. */
  broken: InvariantCheck[];
  fills: number;
  rejects: number;
  /** How often each was reached. */
  commandTypes: ReadonlyMap<CommandType, number>;
  rejectCodes: ReadonlyMap<RejectCode, number>;
}

interface Live {
  order: number;
  company: number;
}

export class Simulation implements Cast {
  readonly engine = new Engine();
  readonly random: Random;
  readonly borrowers: number[] = [];
  readonly providers: number[] = [];
  lender = NONE;
  readonly lenders: number[] = [];
  operator = NONE;
  private readonly live: Live[] = [];
  /** Where each live order stands in `live`. */
  private readonly places = new Map<number, number>();
  private halted: { class: number; market: number; hour: number }[] = [];
  allocations: { allocation: number; company: number; gpu: number; market: number; hour: number }[] = [];
  readonly facilities: { facility: number; company: number }[] = [];
  private readonly commands: Command[] = [];
  private readonly batches: EventBatch[] = [];
  private readonly delivery = new DeliveryActs(this);
  private readonly credit = new CreditActs(this);
  private ended = Math.floor(START / MILLIS_PER_HOUR);
  fills = 0;
  rejects = 0;
  readonly commandTypes = new Map<CommandType, number>();
  readonly rejectCodes = new Map<RejectCode, number>();

  constructor(seed: number) {
    this.random = new Random(seed);
    this.open();
  }

  run(command: Command): void {
    const { engine } = this;
    engine.apply({ command, idempotencyKey: '', bodyHash: '' });
    this.commands.push(command);
    count(this.commandTypes, command.type);
    const batch = engine.buffer.take();
    this.batches.push(batch);
    forEachEvent(batch, (kind, at) => {
      if (kind !== KIND.rejected) return;
      this.rejects++;
      count(this.rejectCodes, REJECT_CODES[batch.words[at + 2]]);
    });
    for (const event of decodeEvents(batch)) this.follow(event);
  }

  private follow(event: EngineEvent): void {
    if (event.kind === 'blockAccepted') this.places.set(event.block, this.live.push({ order: event.block, company: event.company }) - 1);
    if (event.kind === 'orderAccepted') this.places.set(event.order, this.live.push({ order: event.order, company: event.company }) - 1);
    if (event.kind === 'orderDone') this.forgetLive(event.order);
    if (event.kind === 'facilityOffered') this.facilities.push({ facility: event.facility, company: event.company });
    if (event.kind === 'fill') {
      this.fills++;
      this.allocations.push({ allocation: event.allocation, company: event.buyer, gpu: event.quantity * 36_000_000, market: event.market, hour: event.hour });
    }
  }

  private forgetLive(order: number): void {
    const place = this.places.get(order);
    const last = this.live.pop();
    if (place === undefined || last === undefined) throw new Error(`order ${order} ended without having been accepted`);
    this.places.delete(order);
    if (last.order === order) return;
    this.live[place] = last;
    this.places.set(last.order, place);
  }

  /** What collected since the last call. */
  take(): { batches: EventBatch[]; commands: Command[] } {
    return { batches: this.batches.splice(0), commands: this.commands.splice(0) };
  }

  private open(): void {
    this.run({ type: 'tick', now: START });
    for (let region = 0; region < REGIONS; region++) this.run({ type: 'addRegion', name: `region-${region}` });
    for (let id = 0; id < CLASSES; id++) {
      this.run({ type: 'addClass', name: `GPU-${id}`, chip: `GPU${id}`, memoryGb: 80, formFactor: 'SXM', listPrice: LIST_PRICE, listInputs: [] });
    }
    for (const name of ['small', 'large', 'vision']) this.run({ type: 'addModel', name });
    let company = 0;
    this.run({ type: 'registerCompany', name: 'operator', role: 'operator', group: '' });
    this.operator = company++;
    for (const name of ['lender', 'second lender']) {
      this.run({ type: 'registerCompany', name, role: 'lender', group: '' });
      this.lenders.push(company);
      this.run({ type: 'createMandate', bankCovers: true, company: company++, amount: 5e13, grades: ['A', 'B', 'C'], maximumPerBorrower: 1e13, minimumAnnualRate: 50_000 });
    }
    this.lender = this.lenders[0];
    for (let index = 0; index < BORROWERS; index++) this.openBorrower(company++, index);
    for (let index = 0; index < PROVIDERS; index++) this.openProvider(company++, index);
  }

  private openBorrower(company: number, index: number): void {
    this.run({ type: 'registerCompany', name: `borrower ${index}`, role: 'borrower', group: index < 2 ? 'pair' : '' });
    this.borrowers.push(company);
    this.run({ type: 'deposit', company, amount: 20_000 * MICRO, reference: 'seed' });
    this.run({ type: 'prepay', company, amount: 10_000 * MICRO });
  }

  private openProvider(company: number, index: number): void {
    this.run({ type: 'registerCompany', name: `provider ${index}`, role: 'provider', group: index === 0 ? 'pair' : '' });
    this.providers.push(company);
    this.run({ type: 'deposit', company, amount: 500_000 * MICRO, reference: 'seed' });
    this.run({ type: 'postBond', company, amount: 300_000 * MICRO });
    for (const market of this.markets()) {
      this.run({ type: 'declareCapacity', company, market, gpus: 400 });
      this.run({ type: 'verifyCapacity', company, market, gpus: 300 });
      this.run({ type: 'setEligibility', company, market, models: index % 2 === 0 ? [0, 1] : [0] });
    }
  }

  markets(): number[] {
    const found: number[] = [];
    for (let id = 0; id < CLASSES; id++) for (let region = 0; region < REGIONS; region++) found.push(id * 16 + region);
    return found;
  }

  /** One random act. */
  step(): void {
    const act = this.random.weighted(this.acts);
    act();
  }

  private readonly acts: readonly (readonly [number, () => void])[] = [
    [500, () => this.run(this.randomOrder())],
    [60, () => this.resellSome()],
    [30, () => this.run(this.randomBlock())],
    [200, () => this.cancelSome()],
    [80, () => this.amendSome()],
    [40, () => this.randomBatch()],
    [6, () => this.cancelAll()],
    [4, () => this.run({ type: 'cancelAfter', company: this.randomTrader(), after: this.random.between(0, 5) * MILLIS_PER_MINUTE })],
    [50, () => this.pass(this.random.between(1, 20_000))],
    [4, () => this.pass(this.random.between(1, 3 * MILLIS_PER_HOUR))],
    [1, () => this.pass(this.random.between(1, 10 * 24 * MILLIS_PER_HOUR))],
    [80, () => this.delivery.captureSome()],
    [10, () => this.delivery.payOut()],
    [60, () => this.delivery.minutePasses()],
    [3, () => this.delivery.faults()],
    [20, () => this.moneyMoves()],
    [25, () => this.credit.creditMoves()],
    [12, () => this.credit.creditTalks()],
    [3, () => this.credit.moneyRules()],
    [12, () => this.halts()],
    [3, () => this.capacityMoves()],
  ];

  randomTrader(): number {
    return this.random.chance(0.6) ? this.random.pick(this.borrowers) : this.random.pick(this.providers);
  }

  private randomOrder(): PlaceOrder {
    const { random } = this;
    const side = random.chance(0.5) ? BUY : SELL;
    const company = random.chance(0.97) ? random.pick(side === BUY ? this.borrowers : this.providers) : random.pick([this.randomTrader(), this.randomTrader(), 999]);
    const orderType = random.weighted([[80, LIMIT], [8, MARKET], [6, STOP], [6, ORDER_TYPES.indexOf('stop_limit')]] as const);
    const isStop = orderType >= STOP;
    const quantity = random.chance(0.97) ? random.between(1, 3_000) : random.pick([-2, -3, 0, 500_000, 500_000, 1e9]);
    const timeInForce = random.weighted([[70, GTC], [10, GTD], [12, IOC], [8, FOK]] as const);
    return {
      type: 'place', company, market: random.chance(0.98) ? random.pick(this.markets()) : random.pick([NONE, 77]),
      hour: Math.floor(this.engine.now / MILLIS_PER_HOUR) + random.between(random.chance(0.02) ? -1 : 0, HOURS_AHEAD), side, orderType,
      price: orderType === MARKET && random.chance(0.5) ? NONE : random.chance(0.99) ? random.between(19_900, random.chance(0.02) ? 30_500 : 20_100) : random.pick([-2, 1, 1_000_000]),
      quantity, timeInForce, postOnly: timeInForce < IOC && random.chance(0.15),
      displayQuantity: random.chance(0.1) ? Math.max(0, Math.floor(quantity / 4)) : 0,
      minimumQuantity: random.chance(0.08) ? Math.max(0, Math.floor(quantity / random.between(1, 4))) : 0,
      stopPrice: isStop ? random.between(19_900, 20_100) : 0,
      expiresAt: timeInForce === GTD ? this.engine.now + random.between(0, MILLIS_PER_HOUR) : 0,
      model: side === BUY && random.chance(0.2) ? random.between(0, 2) : NONE, resaleOf: 0,
      selfTradePrevention: random.between(CANCEL_NEWEST, DECREMENT), cancelOnDisconnect: random.chance(0.1),
      clientOrderId: random.chance(0.1) ? `c${random.between(0, 200)}` : '',
    };
  }

  private randomBlock(): PlaceBlock {
    const { random } = this;
    const side = random.chance(0.6) ? BUY : SELL;
    const fromHour = Math.floor(this.engine.now / MILLIS_PER_HOUR) + random.between(random.chance(0.05) ? 0 : 1, HOURS_AHEAD - 1);
    return {
      type: 'placeBlock', company: random.pick(side === BUY ? this.borrowers : this.providers), market: random.pick(this.markets()), fromHour,
      toHour: fromHour + random.between(random.chance(0.02) ? 1 : 2, HOURS_AHEAD), side, price: random.between(19_900, 20_100), quantity: random.between(1, 800),
      timeInForce: random.weighted([[60, GTC], [20, IOC], [20, FOK]] as const), minimumAcceptanceRatio: random.pick([0, 100_000, 500_000, MICRO]),
      model: side === BUY && random.chance(0.15) ? random.between(0, 2) : NONE, clientOrderId: random.chance(0.05) ? `b${random.between(0, 2_000)}` : '',
    };
  }

  /** Some of what somebody bought; now and then more than there is, or another's. */
  private resellSome(): void {
    const { random } = this;
    if (this.allocations.length === 0) return;
    const { allocation, company, gpu, market, hour } = random.pick(this.allocations);
    this.run({
      ...this.randomOrder(), company: random.chance(0.98) ? company : this.randomTrader(), market, hour, side: SELL, model: NONE, resaleOf: allocation,
      quantity: random.between(1, Math.ceil(gpu / 36_000_000 / random.between(1, 4))), displayQuantity: 0, minimumQuantity: 0,
      price: random.between(random.chance(0.3) ? 15_000 : 19_900, random.chance(0.3) ? 25_000 : 20_100),
      held: random.chance(0.2) ? random.between(0, gpu) : 0,
    });
  }

  private pickLive(): Live | undefined {
    return this.live.length === 0 ? undefined : this.random.pick(this.live);
  }

  private cancelOf(live: Live): OrderCommand {
    return { type: 'cancel', company: this.random.chance(0.98) ? live.company : this.randomTrader(), order: live.order };
  }

  private amendOf(live: Live): OrderCommand {
    const { random } = this;
    return {
      type: 'amend', company: live.company, order: live.order, price: random.chance(0.5) ? 0 : random.between(19_900, 20_100),
      quantity: random.chance(0.4) ? 0 : random.between(1, 3_000),
    };
  }

  private cancelSome(): void {
    const live = this.pickLive();
    if (live !== undefined) this.run(this.cancelOf(live));
  }

  private amendSome(): void {
    const live = this.pickLive();
    if (live !== undefined) this.run(this.amendOf(live));
  }

  /** Several operations of one company; now and then one of somebody else's slips in. */
  private randomBatch(): void {
    const operations: OrderCommand[] = [];
    const company = this.randomTrader();
    for (let count = this.random.between(1, 8); count > 0; count--) {
      const own = this.live.filter((live) => live.company === company);
      const live = own.length === 0 || this.random.chance(0.6) ? undefined : this.random.pick(own);
      const operation = live === undefined ? this.randomOrder() : this.random.chance(0.5) ? this.cancelOf(live) : this.amendOf(live);
      operations.push(this.random.chance(0.02) ? operation : this.asOwn(company, operation));
    }
    this.run({ type: 'batch', company, operations });
  }

  private asOwn(company: number, operation: OrderCommand): OrderCommand {
    if (operation.type !== 'place') return { ...operation, company };
    return { ...operation, company, side: this.borrowers.includes(company) ? BUY : SELL, model: NONE };
  }

  private cancelAll(): void {
    const { random } = this;
    this.run({
      type: 'cancelAll', company: this.randomTrader(), market: random.chance(0.5) ? NONE : random.pick(this.markets()), hour: NONE,
      side: random.between(NONE, SELL), onDisconnect: random.chance(0.3),
    });
  }

  /** Time passes; each hour that ends on the way is settled, some use still under way. */
  private pass(duration: number): void {
    const until = this.engine.now + duration;
    for (; (this.ended + 1) * MILLIS_PER_HOUR <= until; this.ended++) {
      this.run({ type: 'tick', now: (this.ended + 1) * MILLIS_PER_HOUR });
      const pending = this.allocations.filter(({ hour }) => hour === this.ended && this.random.chance(0.1));
      this.run({ type: 'endHour', hour: this.ended, pending: pending.map(({ allocation, gpu }) => ({ allocation, gpu: this.random.between(0, gpu) })) });
      this.allocations = this.allocations.filter((entry) => entry.hour > this.ended || pending.includes(entry));
    }
    this.run({ type: 'tick', now: until });
  }

  private moneyMoves(): void {
    const { random } = this;
    const company = random.pick(this.borrowers);
    const amount = random.between(1, 5_000 * MICRO);
    this.run(random.pick<Command>([
      { type: 'deposit', company, amount, reference: 'wire' },
      { type: 'withdraw', company, amount },
      { type: 'prepay', company, amount },
    ]));
  }

  /** A halt, and most of the time its end soon after. */
  private halts(): void {
    const { random } = this;
    const by = random.chance(0.9) ? this.operator : this.lender;
    if (this.halted.length > 0 && random.chance(0.9)) {
      for (const scope of this.halted.splice(0)) this.run({ type: 'setTradingMode', company: this.operator, ...scope, mode: 'open', reason: 'over' });
      return;
    }
    if (random.chance(0.7)) return;
    const market = random.chance(0.7) ? random.pick(this.markets()) : NONE;
    const hour = market !== NONE && random.chance(0.5) ? Math.floor(this.engine.now / MILLIS_PER_HOUR) + 1 : NONE;
    const scope = { class: market === NONE && random.chance(0.5) ? 0 : NONE, market, hour };
    this.halted.push(scope);
    const mode = random.pick(['cancel_only', 'halted', 'auction', 'auction'] as const);
    this.run({ type: 'setTradingMode', company: by, ...scope, mode, reason: 'drill', ...(mode === 'auction' && random.chance(0.5) ? { call: random.between(1, 90) * MILLIS_PER_MINUTE } : {}) });
  }

  private capacityMoves(): void {
    const { random } = this;
    if (random.chance(0.3)) {
      this.run({ type: 'verifyCapacity', company: random.pick(this.providers), market: random.pick(this.markets()), gpus: random.between(0, 400) });
      return;
    }
    this.run({
      type: 'setEligibility', company: random.pick(this.providers), market: random.pick(this.markets()),
      models: random.chance(0.8) ? [0, random.between(0, 2)] : [],
    });
  }
}

function count<Name>(counts: Map<Name, number>, name: Name): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/** Runs a simulation to its end, or to the first batch after which an invariant does not hold. */
export function simulate(options: SimulationOptions): SimulationResult {
  const simulation = new Simulation(options.seed);
  const { engine } = simulation;
  let broken: InvariantCheck[] = [];
  while (engine.sequence < options.commands && broken.length === 0) {
    const until = Math.min(engine.sequence + options.batch, options.commands);
    while (engine.sequence < until) simulation.step();
    const { batches, commands } = simulation.take();
    for (const batch of batches) options.onBatch?.(batch, commands);
    broken = engine.checkInvariants().filter(({ ok }) => !ok);
    options.onProgress?.(engine.sequence);
  }
  const { fills, rejects, commandTypes, rejectCodes } = simulation;
  return { stateHash: engine.stateHash(), sequence: engine.sequence, broken, fills, rejects, commandTypes, rejectCodes };
}
