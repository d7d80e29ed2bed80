/**
 * Seeded lives of loans, day by day: borrowers of every kind draw, buy hours, pay on time, late, too much or never, return
 * credit and report; lenders freeze and unfreeze. For auditors, for the invariants, and to see how long a day takes.
 */
import { ACCOUNTS, ACCOUNT_NAMES, accountRef } from '../ledger/accounts.ts';
import { BUY, CANCEL_NEWEST, GTC, IOC, LIMIT, LOAN_RULES, NONE, REPAYMENT_MODES, FACILITY_METHODS, SELL } from '../vocabulary.ts';
import type { Command, FacilityApplication, PlaceOrder } from '../commands.ts';
import { DAY_COUNTS } from '../credit/day_count.ts';
import { DUE_DATE_ROLLS } from '../credit/due_dates.ts';
import { Engine } from '../engine.ts';
import { KIND, forEachEvent } from '../events.ts';
import type { EventBatch } from '../events.ts';
import type { InvariantCheck } from '../queries.ts';
import { State } from '../state.ts';
import type { Facility } from '../lending/facility.ts';
import { ExactSum } from '../numbers/exact_sum.ts';
import { MICRO, MILLIS_PER_DAY, MILLIS_PER_HOUR } from '../numbers/units.ts';
import { Random } from './random.ts';

/** The end of a month before a leap year's February: dates are at their worst. */
const START = Date.UTC(2027, 10, 30, 9);
const LENDERS = 3;
const DAYS_APART = 30;
const LIST_PRICE = 30_000;
const MARKET = 0;
const CASH = 500 * MICRO * 1_000;

/** How likely a borrower pays on a day on which something is due. */
const CHARACTERS = [1, 1, 1, 1, 0.3, 0.3, 0.05, 0] as const;

export interface LivesOptions {
  seed: number;
  facilities: number;
  /** Of every facility; absent: of each by chance. */
  loanRules?: number;
  /** Sees every batch of events; for auditors. */
  onBatch?: (batch: EventBatch) => void;
  /** Milliseconds, to measure by. */
  clock?: () => number;
}

export class LoanLives {
  readonly state = new State();
  readonly engine = new Engine(this.state);
  /** Transactions posted so far. */
  transactions = 0;
  refusals = 0;
  private readonly random: Random;
  private readonly onBatch: (batch: EventBatch) => void;
  private readonly clock: () => number;
  private readonly loanRules: number | undefined;
  private readonly provider: number;
  private readonly operator: number;
  private readonly lenders: number[] = [];
  private readonly borrowers: number[] = [];
  /** By company. */
  private readonly character = new Map<number, number>();

  constructor({ seed, facilities, loanRules, onBatch, clock }: LivesOptions) {
    this.random = new Random(seed);
    this.onBatch = onBatch ?? (() => undefined);
    this.loanRules = loanRules;
    this.clock = clock ?? (() => 0);
    this.run({ type: 'tick', now: START });
    this.run({ type: 'addRegion', name: 'us-east' });
    this.run({ type: 'addClass', name: 'H100-SXM-80', chip: 'H100', memoryGb: 80, formFactor: 'SXM', listPrice: LIST_PRICE, listInputs: [] });
    this.operator = this.company('operator', 'operator');
    this.provider = this.company('provider', 'provider');
    for (let lender = 0; lender < LENDERS; lender++) this.openLender(lender);
    this.equip();
    for (let borrower = 0; borrower < facilities; borrower++) this.openFacility(borrower);
  }

  run(command: Command): void {
    const { engine } = this;
    engine.apply({ command, idempotencyKey: '', bodyHash: '' });
    const batch = engine.buffer.take();
    forEachEvent(batch, (kind) => {
      if (kind === KIND.posted) this.transactions++;
      if (kind === KIND.rejected) this.refusals++;
    });
    this.onBatch(batch);
  }

  private company(role: 'operator' | 'provider' | 'lender' | 'borrower', name: string): number {
    this.run({ type: 'registerCompany', name, role, group: '' });
    return this.state.companies.length - 1;
  }

  private openLender(index: number): void {
    const lender = this.company('lender', `lender ${index}`);
    this.lenders.push(lender);
    this.run({ type: 'createMandate', bankCovers: true, company: lender, amount: 9e14, grades: ['A', 'B', 'C'], maximumPerBorrower: 400_000 * MICRO + index, minimumAnnualRate: 40_000 + 7_001 * index });
  }

  private equip(): void {
    const { provider: company } = this;
    this.run({ type: 'declareCapacity', company, market: MARKET, gpus: 100_000 });
    this.run({ type: 'verifyCapacity', company, market: MARKET, gpus: 100_000 });
    this.run({ type: 'deposit', company, amount: 9e14, reference: '' });
    this.run({ type: 'postBond', company, amount: 8e14 });
  }

  private openFacility(index: number): void {
    const { random, state } = this;
    const company = this.company('borrower', `borrower ${index}`);
    this.borrowers.push(company);
    this.character.set(company, random.pick(CHARACTERS));
    const [months, method] = [random.between(1, 18), random.pick(FACILITY_METHODS)];
    const repays = method !== 'bullet' && method !== 'revenue_share';
    this.run({
      type: 'applyFacility', company, amount: random.between(10_000, 1_000_000) * MICRO + random.between(0, MICRO), months, method,
      application: this.application(), dayCount: random.pick(DAY_COUNTS), dueDateRoll: random.pick(DUE_DATE_ROLLS), drawOnDemand: random.chance(0.2), loanRules: this.loanRules ?? random.between(1, LOAN_RULES),
      ...(repays && random.chance(0.3) ? { interestOnly: random.between(0, months - 1) } : {}), ...(method === 'annuity' && random.chance(0.3) ? { refine: true } : {}),
    });
    const facility = state.facilities.at(-1);
    if (facility?.company !== company) return;
    this.run({ type: 'acceptFacility', company, facility: facility.facility });
    this.draw(facility);
  }

  private application(): FacilityApplication {
    const { random } = this;
    return {
      cash: random.between(5, 20) * 1e12, monthlyBurn: random.between(1, 5) * 1e11, monthlyRevenue: random.between(5, 20) * 1e11, cashTrend3m: random.between(-50_000, 300_000),
      revenueGrowth: random.between(0, 3_000_000), grossMargin: random.between(300_000, 900_000), computeShare: random.between(0, 400_000), forecastError: random.between(0, 200_000),
      topCustomer: random.between(0, 300_000), pastDaysOverdue: 0,
    };
  }

  private draw({ company, facility, amount }: Facility): void {
    this.run({ type: 'draw', company, facility, amount: this.random.between(1, Math.floor(amount * 0.4)) });
  }

  /** Something happens to each of some facilities, then a day passes. @returns milliseconds that the day's end took, as long as the longest command of it */
  day(): { total: number; longest: number } {
    const { random, state } = this;
    for (const facility of state.facilities) {
      if (this.isDue(facility) ? random.chance(this.character.get(facility.company) ?? 0) : false) this.payDue(facility);
      if (random.chance(0.06)) this.act(facility);
    }
    this.trade();
    return this.passDay();
  }

  private isDue({ schedule }: Facility): boolean {
    return schedule.length > 0 && schedule[0].billed;
  }

  private payDue({ company, facility, schedule }: Facility): void {
    const owed = schedule.reduce((sum, row) => (row.billed ? sum + row.principal + row.interest + row.fee : sum), 0);
    const amount = this.random.chance(0.9) ? owed : this.random.between(1, 2 * owed + 1);
    if (amount > 0) this.run({ type: 'repay', company, facility, amount, mode: this.random.pick(REPAYMENT_MODES), bankCovers: true });
  }

  private act(facility: Facility): void {
    const { random, state } = this;
    const { company, facility: id } = facility;
    const lot = state.lots.of(id).at(0);
    const amount = random.between(1, 20_000 * MICRO);
    random.weighted<() => void>([
      [4, () => this.draw(facility)],
      [3, () => this.run({ type: 'repay', company, facility: id, amount, mode: random.pick(REPAYMENT_MODES), bankCovers: random.chance(0.8) })],
      [2, () => this.run({ type: 'returnCredits', company, facility: id, lot: lot?.lot ?? 0, credits: amount })],
      [1, () => this.run({ type: 'freeze', company: facility.lender, facility: id, fraction: random.pick([MICRO, 400_000]), reason: 'covenant' })],
      [2, () => this.run({ type: 'unfreeze', company: facility.lender, facility: id })],
      [1, () => this.run({ type: 'reportFinancials', company, facility: id, cash: random.between(0, 1_000) * 1_000 * MICRO, monthlyBurn: 100_000 * MICRO, monthlyRevenue: random.between(0, 300_000) * MICRO })],
      [2, () => this.run({ type: 'deposit', company, amount, reference: '' })],
      [1, () => this.run({ type: 'withdraw', company, amount })],
      [1, () => this.run({ type: 'prepay', company, amount })],
      [6, () => this.buy(company)],
    ])();
  }

  private order(company: number, side: 0 | 1, hour: number, price: number, quantity: number, timeInForce: number): PlaceOrder {
    return {
      type: 'place', company, market: MARKET, hour, side, orderType: LIMIT, price, quantity, timeInForce, postOnly: false, displayQuantity: 0, minimumQuantity: 0, stopPrice: 0, expiresAt: 0,
      model: NONE, resaleOf: 0, selfTradePrevention: CANCEL_NEWEST, cancelOnDisconnect: false, clientOrderId: '',
    };
  }

  private hourAhead(): number {
    return Math.floor(this.engine.now / MILLIS_PER_HOUR) + this.random.between(2, 40);
  }

  private buy(company: number): void {
    this.run(this.order(company, BUY, this.hourAhead(), LIST_PRICE, this.random.between(1, 50_000), this.random.chance(0.5) ? IOC : GTC));
  }

  /** The provider quotes the hours to come; now and then marks are told, and what is due is paid out. */
  private trade(): void {
    const { random, provider: company } = this;
    const first = Math.floor(this.engine.now / MILLIS_PER_HOUR) + 2;
    for (let hour = first; hour < first + 40; hour += random.between(1, 6)) this.run(this.order(company, SELL, hour, random.between(LIST_PRICE / 3, LIST_PRICE), random.between(100, 100_000), GTC));
    if (random.chance(0.2)) this.run({ type: 'setMarks', classes: [{ class: 0, price: random.between(LIST_PRICE / 6, LIST_PRICE) }], hours: [] });
    if (random.chance(0.2)) this.run({ type: 'payout', company });
    if (random.chance(0.05)) this.run({ type: 'grantCredits', company: this.lenders[0], recipient: random.pick(this.borrowers), amount: CASH });
    if (random.chance(0.05)) this.run({ type: 'deposit', company: this.lenders[0], amount: CASH, reference: '' });
    if (random.chance(0.1)) this.lend();
    if (random.chance(0.02)) this.run({ type: 'setSwitch', company: this.operator, name: random.pick(['draw', 'payout'] as const), on: random.chance(0.5), reason: 'drill' });
  }

  /** A lender takes money out, thinks of a mandate anew, or lends what lies idle. */
  private lend(): void {
    const { random, state } = this;
    const company = random.pick(this.lenders);
    const mandate = random.between(0, state.mandates.length);
    const free = this.engine.query('balances', { company }).fund?.withdrawable ?? 0;
    random.weighted<() => void>([
      [6, () => this.run({ type: 'withdraw', company, amount: random.chance(0.5) ? Math.max(1, Math.min(free, CASH)) : random.between(1, 2 * CASH) })],
      [3, () => this.run({ type: 'changeMandate', company, mandate, reinvest: random.chance(0.5) })],
      [1, () => this.run({ type: 'changeMandate', company, mandate, amount: random.between(1, 9e14) })],
      [1, () => this.run({ type: 'createMandate', company, amount: CASH, grades: ['A'], maximumPerBorrower: CASH, minimumAnnualRate: random.between(0, 90_000), reinvest: random.chance(0.5), fromIdle: random.chance(0.5), bankCovers: random.chance(0.5) })],
      // The first are what most borrow of.
      [1, () => this.run({ type: 'changeMandate', company, mandate: Math.max(LENDERS, mandate), close: true })],
    ])();
  }

  private passDay(): { total: number; longest: number } {
    const { engine } = this;
    const midnight = (Math.floor(engine.now / MILLIS_PER_DAY) + 1) * MILLIS_PER_DAY;
    const morning = engine.now + MILLIS_PER_DAY;
    this.run({ type: 'tick', now: midnight - 1 });
    const started = this.clock();
    let longest = 0;
    const tick = (now: number): void => {
      const before = this.clock();
      this.run({ type: 'tick', now });
      longest = Math.max(longest, this.clock() - before);
    };
    tick(midnight);
    // As the sequencer does: the day's end goes on in parts, so that others get in between.
    while (engine.hasWork) tick(engine.now);
    const total = this.clock() - started;
    this.run({ type: 'tick', now: morning });
    this.run({ type: 'endHour', hour: Math.floor(engine.now / MILLIS_PER_HOUR) - 1, pending: [] });
    return { total, longest };
  }

  /**
   * A market with every facility so many times over, each copy of a company of its own and as if it had begun some days
   * earlier, so that on each day some instalments fall due. Copied, because applying for each would take long.
   */
  multiplied(times: number): Engine {
    const { state } = this;
    const originals = [...state.facilities];
    for (let copy = 1; copy < times; copy++) {
      // As many lenders would be needed for so many loans.
      const mandates = state.mandates.length;
      for (let lender = 0; lender < LENDERS; lender++) this.openLender(lender);
      for (const original of originals) this.copy(original, copy % DAYS_APART, mandates);
    }
    // What an engine remembers beside its state is made of the state.
    return new Engine(state);
  }

  private copy(original: Facility, daysEarlier: number, mandates: number): void {
    const { state } = this;
    const company = this.company('borrower', '');
    const facility = state.facilities.length;
    const back = daysEarlier * MILLIS_PER_DAY;
    state.ledger.openOwner('facility', facility);
    const shares = original.shares.map((share) => ({ ...share, mandate: mandates + share.mandate, lender: state.mandates[mandates + share.mandate].company }));
    state.facilities.push({
      ...structuredClone(original), accrualExact: new ExactSum(original.accrualExact.value), facility, company, lender: shares[0].lender, mandate: shares[0].mandate, shares, offeredAt: original.offeredAt - back, acceptedAt: original.acceptedAt - back, maturesAt: original.maturesAt - back,
      schedule: original.schedule.map((row) => ({ ...row, due: row.due - daysEarlier })),
    });
    for (const { mandate, amount, returned = 0 } of shares) state.mandates[mandate].committed += amount - returned;
    const lots = [...state.lots.of(original.facility)].map((lot) => [lot.lot, state.lots.create({ ...lot.toJSON(), company, facility, expiresAt: lot.expiresAt - back, mintedAt: lot.mintedAt - back }).lot] as const);
    state.ledger.begin();
    ACCOUNT_NAMES.forEach((name, account) => {
      const { owner } = ACCOUNTS[name];
      const pairs = owner === 'facility' ? [[original.facility, facility] as const] : owner === 'company' ? [[original.company, company] as const] : owner === 'lot' ? lots : [];
      for (const [from, to] of pairs) state.ledger.post(account, to, state.ledger.balance(account, from));
    });
    state.ledger.end();
    state.buffer.take();
  }

  get broken(): InvariantCheck[] {
    return this.engine.checkInvariants().filter(({ ok }) => !ok);
  }

  /** Every account that is not at zero, as the engine has it. Cells are numbered anew once settled: they are left out. */
  balances(): [ref: number, balance: number][] {
    const { ledger } = this.state;
    return ACCOUNT_NAMES.flatMap((name, account) =>
      ACCOUNTS[name].owner === 'cell' ? [] : [...ledger.column(account)].flatMap((balance, owner): [number, number][] => (balance === 0 ? [] : [[accountRef(account, owner), balance]])));
  }
}
