/** All that the engine knows, as one value. Everything in it can be written to and read from a snapshot. */
import { Allocations } from './trading/allocations.ts';
import type { Block } from './trading/blocks.ts';
import { Book } from './book/book.ts';
import type { ClassId, CompanyId, Evidence, FacilityApplication, FacilityId, FacilityMethod, Grade, MandateId, MarketId, OrderId, Role, TradingMode } from './commands.ts';
import { REGIONS_PER_CLASS, TRADING_MODES, classOf } from './commands.ts';
import type { DayCount } from './credit/day_count.ts';
import type { DueDateRoll } from './credit/due_dates.ts';
import type { Spending } from './lending/credit_limits.ts';
import { EventBuffer } from './events.ts';
import type { ScheduleRow } from './events.ts';
import { Ledger } from './ledger/ledger.ts';
import { LotAmounts } from './ledger/lot_amounts.ts';
import { LotRows } from './ledger/lot_rows.ts';
import { Lots } from './ledger/lots.ts';
import type { FailedPlace, Outage } from './delivery/minutes.ts';
import { Orders } from './book/orders.ts';
import { ProviderCells } from './trading/provider_cells.ts';
import type { Replacement } from './delivery/replacement.ts';
import { PARAMETERS } from './parameters.ts';
import { RULES_VERSION } from './rules.ts';
import type { Chain, SpotResale } from './delivery/resale.ts';
import { MAY_BUY, MAY_SELL, Standing } from './trading/standing.ts';
import { Supply } from './trading/supply.ts';
import { SupplyCells } from './ledger/supply_cells.ts';
import { Timers } from './time/timers.ts';
import { RowPool } from './numbers/row_pool.ts';
import { MILLIS_PER_DAY, MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from './numbers/units.ts';
import type { Day, Hour, Micro, Millis, Ppm, Ticks } from './numbers/units.ts';

/** A company as it is kept in snapshots. */
export interface CompanyImage {
  readonly company: CompanyId;
  readonly name: string;
  readonly role: Role;
  readonly group: string;
  /** Companies of one beneficial owner share this number. */
  readonly groupId: number;
  /** Redemption value of what a provider has sold and not delivered, in micro-CR. */
  undelivered: Micro;
  /** Micro-CR bought today, and the day it counts for. */
  boughtToday: Micro;
  boughtOn: Day;
  /** All orders are cancelled then, unless renewed; 0: disarmed. */
  deadMan: Millis;
  /** Credits retired so far, their cost and their value at list price. */
  retired: Micro;
  retiredCost: Micro;
  listValue: Micro;
  /** Micro-USD earned by deliveries, what was taken back left out, and what of it has left the house. */
  earned: Micro;
  paid: Micro;
  /** Of what was delivered to it: cost of the credits, and the spread and commissions out of it. */
  delivered: { cost: Micro; spread: Micro; commission: Micro };
  /** Suspended from then on; 0: it is not. */
  suspendedAt: Millis;
}

/** A company; what orders change stands in its row of Standing. */
export class Company implements CompanyImage {
  readonly company: CompanyId;
  readonly name: string;
  readonly role: Role;
  readonly group: string;
  readonly groupId: number;
  deadMan: Millis;
  listValue: Micro;
  earned: Micro;
  paid: Micro;
  readonly delivered: { cost: Micro; spread: Micro; commission: Micro };
  private readonly standing: Standing;

  constructor(image: CompanyImage, standing: Standing) {
    this.company = image.company;
    this.name = image.name;
    this.role = image.role;
    this.group = image.group;
    this.groupId = image.groupId;
    this.deadMan = image.deadMan;
    this.listValue = image.listValue;
    this.earned = image.earned;
    this.paid = image.paid;
    this.delivered = image.delivered;
    this.standing = standing;
    this.undelivered = image.undelivered;
    this.boughtToday = image.boughtToday;
    this.boughtOn = image.boughtOn;
    this.retired = image.retired;
    this.retiredCost = image.retiredCost;
    this.suspendedAt = image.suspendedAt;
  }

  get undelivered(): Micro {
    return this.standing.undelivered(this.company);
  }
  set undelivered(value: Micro) {
    this.standing.setUndelivered(this.company, value);
  }
  get boughtToday(): Micro {
    return this.standing.boughtToday(this.company);
  }
  set boughtToday(value: Micro) {
    this.standing.setBoughtToday(this.company, value);
  }
  get boughtOn(): Day {
    return this.standing.boughtOn(this.company);
  }
  set boughtOn(value: Day) {
    this.standing.setBoughtOn(this.company, value);
  }
  get retired(): Micro {
    return this.standing.retired(this.company);
  }
  set retired(value: Micro) {
    this.standing.setRetired(this.company, value);
  }
  get retiredCost(): Micro {
    return this.standing.retiredCost(this.company);
  }
  set retiredCost(value: Micro) {
    this.standing.setRetiredCost(this.company, value);
  }
  get suspendedAt(): Millis {
    return this.standing.suspendedAt(this.company);
  }
  set suspendedAt(value: Millis) {
    this.standing.setSuspendedAt(this.company, value);
  }

  toJSON(): CompanyImage {
    const { company, name, role, group, groupId, undelivered, boughtToday, boughtOn, deadMan, retired, retiredCost, listValue, earned, paid, delivered, suspendedAt } = this;
    return { company, name, role, group, groupId, undelivered, boughtToday, boughtOn, deadMan, retired, retiredCost, listValue, earned, paid, delivered, suspendedAt };
  }
}

export interface GpuClass {
  readonly class: ClassId;
  readonly name: string;
  readonly chip: string;
  readonly memoryGb: number;
  readonly formFactor: string;
  listPrice: Ticks;
  inputs: { provider: string; usd: Micro }[];
  next: { price: Ticks; effectiveAt: Millis; inputs: { provider: string; usd: Micro }[] } | null;
  mode: TradingMode;
  reason: string;
}

export interface Market {
  readonly market: MarketId;
  /** Rows of `books` by delivery hour. */
  readonly books: Map<Hour, number>;
  /** The same books where hours that are listed together have places of their own; empty until somebody quotes. */
  readonly ring: (HourBook | undefined)[];
  mode: TradingMode;
  reason: string;
}

export class HourBook extends Book {
  readonly row: number;
  readonly market: MarketId;
  readonly hour: Hour;
  mode: TradingMode = 'open';
  reason = '';
  /** Supply cells by provider. */
  readonly cells: ProviderCells;
  /** Chain of allocations, and how many of them are not yet done. */
  firstAllocation = -1;
  openAllocations = 0;

  override close(): void {
    super.close();
    this.cells.clear();
  }

  constructor(pool: RowPool, row: number, market: MarketId, hour: Hour) {
    super(pool);
    this.cells = new ProviderCells(pool);
    this.row = row;
    this.market = market;
    this.hour = hour;
  }
}

/** A book nobody has quoted, offered in or bought from. */
export const isUnused = (book: HourBook): boolean => book.isEmpty() && book.firstAllocation === -1 && book.cells.size === 0 && book.mode === 'open';

export type FacilityState = 'offered' | 'active' | 'watch' | 'cancel_only' | 'frozen' | 'defaulted' | 'written_off' | 'closed' | 'declined';

/** A lender's part of a facility. */
export interface Share {
  readonly mandate: MandateId;
  readonly lender: CompanyId;
  readonly amount: Micro;
  /** What its money has cost so far, rounded over the whole life. */
  costPosted: Micro;
}

export const COVENANTS = ['runway', 'minimum_cash', 'use'] as const;
/** What a breach that is not cured in time leads to. */
export const CONSEQUENCES = ['watch', 'cancel_only', 'frozen'] as const;
export type CovenantKind = (typeof COVENANTS)[number];
export interface Covenant {
  readonly kind: CovenantKind;
  /** Runway in millionths of a month, cash in micro-USD, use as a share of plan. */
  readonly threshold: number;
  readonly cureDays: number;
  readonly consequence: (typeof CONSEQUENCES)[number];
  /** Day of the last test that failed first; 0: kept. */
  breachedOn: Day;
  testedOn: Day;
}

/** What a borrower has told of its money. */
export interface Report {
  readonly day: Day;
  readonly cash: Micro;
  readonly monthlyBurn: Micro;
}

/** What a loan owes, by kind. */
export interface Debt {
  principal: Micro;
  interest: Micro;
  fees: Micro;
}

/** All that was paid on a loan: received = principal + interest + fees + recovered + unapplied. */
export interface Payments extends Debt {
  received: Micro;
  /** Of a debt that had been given up. */
  recovered: Micro;
  unapplied: Micro;
}

/** Who blocks how much of a facility's credit. */
export interface Freezes {
  lender: Ppm;
  operator: Ppm;
  rules: Ppm;
}

/** What a facility was decided on, so that the decision can be made again. */
export interface Decision {
  readonly version: number;
  readonly defaultProbability: Ppm;
  /** NONE, or the operator that overruled the scorecard, and why. */
  readonly overruledBy: CompanyId;
  readonly overruling: string;
  /** What was asked for, on which the scorecard judged; absent of decisions before rules version 4. */
  readonly asked?: Micro;
  /** What the application was taken from. */
  readonly evidence?: readonly Evidence[];
}

/** Instalments that are a share of revenue, until so many times what was lent has been paid in all. */
export interface RevenueShare {
  withheld: Ppm;
  cap: Ppm;
  /** Of a month, as last reported. */
  revenue: Micro;
}

export interface Facility {
  readonly facility: FacilityId;
  readonly company: CompanyId;
  /** The lender of the largest part, and its mandate. */
  lender: CompanyId;
  mandate: MandateId;
  shares: Share[];
  state: FacilityState;
  readonly amount: Micro;
  readonly months: number;
  readonly method: FacilityMethod;
  /** Of the method 'revenue_share' alone. */
  revenueShare?: RevenueShare;
  readonly dayCount: DayCount;
  readonly dueDateRoll: DueDateRoll;
  drawOnDemand: boolean;
  /** Which of LOAN_RULES it lives by; absent: the first. */
  readonly loanRules?: number;
  readonly application: FacilityApplication;
  readonly decision: Decision;
  readonly grade: Grade;
  readonly score: number;
  readonly reasons: string[];
  readonly annualRate: Ppm;
  readonly conversionRate: Ppm;
  readonly originationFee: Ppm;
  readonly offeredAt: Millis;
  acceptedAt: Millis;
  maturesAt: Millis;
  /** Fraction of the collateral that is blocked. */
  frozenFraction: Ppm;
  frozenReason: string;
  freezes: Freezes;
  /** Principal as lent and capitalised, as repaid, and as given up. */
  lent: Micro;
  repaidPrincipal: Micro;
  /** Of its interest and fees too. */
  writtenOff: Debt;
  payments: Payments;
  /** Sum of principal x rate x days in micro x ppm, as decimal digits (exact), and what of it is posted. */
  accrualExact: string;
  accrualPosted: Micro;
  accruedTo: Day;
  /** What an annuity's instalment comes to; of other methods the part of principal in it. */
  instalment: Micro;
  /** Instalments that are left; `billed` ones are due. */
  schedule: ScheduleRow[];
  /** Days past due of the last step of the ladder taken, 0 when none; and of the exposure's. */
  pastDueStep: number;
  exposureStep: Ppm;
  /** Since when its hours have been offered because of it; 0: they are not. */
  exposureForcedOn: Day;
  /** Lenders that will not fund it. */
  declinedBy: CompanyId[];
  covenants: Covenant[];
  report: Report | null;
}

export const SWITCHES = ['mint', 'draw', 'payout'] as const;
export type SwitchName = (typeof SWITCHES)[number];
/** A kill switch: what it stops does not happen while it is on. */
export interface Switch {
  on: boolean;
  reason: string;
  by: CompanyId;
  sequence: number;
}

/** The market's prices of money; a market of plain cash is m = 1, rho = 1, s_min = 0. */
export interface MoneyRules {
  redemptionRate: Ppm;
  spreadMinimum: Ppm;
  /** One conversion for everybody; 0: the tiers. */
  conversionRate: Ppm;
}

/** An ask that the rules have entered for a frozen facility's hours. */
export interface ForcedResale {
  readonly order: OrderId;
  readonly facility: FacilityId;
  readonly mark: Ticks;
  readonly from: Millis;
  readonly gate: Millis;
}

export interface Mandate {
  readonly mandate: MandateId;
  readonly company: CompanyId;
  readonly amount: Micro;
  committed: Micro;
  readonly grades: Grade[];
  readonly maximumPerBorrower: Micro;
  readonly minimumAnnualRate: Ppm;
}

/** What is owed to a provider and when it may be paid. */
export interface Payable {
  readonly company: CompanyId;
  /** Unused hours that this facility paid for: held while it is frozen or past due. NONE otherwise. */
  readonly facility: FacilityId;
  readonly amount: Micro;
  readonly dueAt: Millis;
}

/** Where orders collect until a time, and the operator who will have opened it. */
export interface Call {
  readonly class: ClassId;
  readonly market: MarketId;
  readonly hour: Hour;
  readonly by: CompanyId;
}

export interface Remembered {
  readonly bodyHash: string;
  readonly sequence: number;
  readonly at: Millis;
}

const MILLIS_PER_SECOND = 1_000;
/** More orders than an account can enter in a second. */
export const RATE_SCALE = 2 ** 20;
/** More hours than are listed at a time. */
const RING_MASK = 2 ** 12 - 1;
/** Room for some dozen books at first. */
const POOL_ROWS = 1 << 12;
const STRICTEST_FIRST = TRADING_MODES.toReversed();

export class State {
  /** Engine time, with its second, delivery hour and day; moved by `setNow` alone. */
  now: Millis = 0;
  hour: Hour = 0;
  day: Day = 0;
  /** Whole seconds of engine time. */
  second = 0;
  sequence = 0;
  /** The rules that commands are executed under; told, not kept. */
  rulesVersion = RULES_VERSION;
  readonly buffer = new EventBuffer();
  private readonly lotRows = new LotRows();
  private readonly cells = new SupplyCells();
  readonly ledger = new Ledger(this.buffer, this.lotRows, this.cells);
  readonly standing = new Standing();
  readonly lots = new Lots(this.ledger, this.standing, this.lotRows);
  readonly amounts: LotAmounts;
  readonly orders: Orders;
  /** Levels of the books, and their tables of cells. */
  readonly pool = new RowPool(POOL_ROWS);
  readonly supply = new Supply(this.ledger, this.cells);
  readonly allocations: Allocations;
  readonly companies: Company[] = [];
  readonly groups = new Map<string, number>();
  readonly classes: GpuClass[] = [];
  readonly regions: string[] = [];
  readonly models: string[] = [];
  /** By market id; absent where class and region do not both exist. */
  readonly markets = new Map<MarketId, Market>();
  private readonly marketTable: (Market | undefined)[] = [];
  readonly books: (HourBook | undefined)[] = [];
  readonly freeBooks: number[] = [];
  readonly facilities: Facility[] = [];
  readonly mandates: Mandate[] = [];
  readonly switches: Record<SwitchName, Switch> = {
    mint: { on: false, reason: '', by: -1, sequence: 0 }, draw: { on: false, reason: '', by: -1, sequence: 0 }, payout: { on: false, reason: '', by: -1, sequence: 0 },
  };
  readonly money: MoneyRules = { redemptionRate: PARAMETERS.redemptionRate, spreadMinimum: PARAMETERS.spreadMinimum, conversionRate: 0 };
  /** By order. */
  readonly forced = new Map<OrderId, ForcedResale>();
  /** The day whose beginning is being run, and the first facility that has still to hear of it. */
  readonly dayEnd: { day: Day; next: FacilityId } = { day: 0, next: 0 };
  /** Whether timers wait that price forced offers anew, and that look for more hours to offer. */
  readonly armed = { pricing: false, perishing: false };
  /** By `company:dueAt:facility`. */
  readonly payables = new Map<string, Payable>();
  mode: TradingMode = 'open';
  reason = '';
  fills = 0;
  /** Something that this command has caused waits for its end; never true between commands. */
  unsettled = false;
  readonly idempotency = new Map<string, Remembered>();
  /** `company:id` of client order ids, with the time of use. */
  readonly clientOrderIds = new Map<string, Millis>();
  /** Requests captured in the hours not yet settled, with the hour's end. */
  readonly captured = new Map<string, Millis>();
  /** Facilities whose credit buys nothing new, and why; what each has spent with whom. */
  readonly bars = new Map<FacilityId, 'facility_not_active' | 'past_due'>();
  readonly spending = new Map<FacilityId, Spending>();
  /** By id: blocks of which something is left. */
  readonly blocks = new Map<OrderId, Block>();
  /** Calls that end by themselves, by the number their timer has. */
  readonly calls = new Map<number, Call>();
  /** By row of the allocation: what it owes to and has from resellers; sales of it in the running hour. */
  readonly chains = new Map<number, Chain>();
  readonly spotResales = new Map<number, SpotResale>();
  /** By hour, provider, market and model: minutes that were not delivered; and those in which the platform was down. */
  readonly failedPlaces = new Map<string, FailedPlace>();
  outages: Outage[] = [];
  /** By row of the allocation: what of it was bought elsewhere when its provider failed. */
  readonly replacements = new Map<number, Replacement>();
  /** Marks that were told: of classes by their number, of hours by `market:hour`. */
  readonly marks = new Map<string, Ticks>();
  readonly timers = new Timers();
  /** Every hour before this one is settled. */
  settledThrough: Hour = 0;
  /** The last minute and day (since 1970) whose beginning has been run. */
  minutesRun = 0;
  daysRun: Day = 0;

  /** @param rows allocations to reserve memory for, and amounts; @param orders the same of orders. More grow by doubling */
  constructor(rows = 1_024, orders = rows) {
    this.amounts = new LotAmounts(rows);
    this.orders = new Orders(orders);
    this.allocations = new Allocations(rows);
  }

  setNow(now: Millis): void {
    this.now = now;
    this.second = Math.floor(now / MILLIS_PER_SECOND);
    this.hour = Math.floor(now / MILLIS_PER_HOUR);
    this.day = Math.floor(now / MILLIS_PER_DAY);
  }

  /** Registers a company (also when a snapshot is restored); `orderLimit` is how many orders it may have. */
  addCompany(image: CompanyImage, orderLimit: number): void {
    this.standing.open(image.groupId, image.role === 'borrower' ? MAY_BUY : image.role === 'provider' ? MAY_SELL : 0, orderLimit);
    this.companies.push(new Company(image, this.standing));
    this.lots.usable[image.company] = [];
    this.ledger.openOwner('company', image.company);
  }

  addMarkets(): void {
    for (const gpuClass of this.classes) {
      for (let region = 0; region < this.regions.length; region++) {
        const market = gpuClass.class * REGIONS_PER_CLASS + region;
        if (!this.markets.has(market)) this.addMarket({ market, mode: 'open', reason: '' });
      }
    }
  }

  addMarket(market: Pick<Market, 'market' | 'mode' | 'reason'>): void {
    const row: Market = { ...market, books: new Map(), ring: [] };
    this.markets.set(market.market, row);
    this.marketTable[market.market] = row;
  }

  /** undefined when class and region do not both exist. */
  findMarket(market: MarketId): Market | undefined {
    return market >= 0 && market < this.marketTable.length ? this.marketTable[market] : undefined;
  }

  /** The book of an hour, if it has been needed. */
  findBook(market: Market, hour: Hour): HourBook | undefined {
    const near = market.ring.length === 0 ? undefined : market.ring[hour & RING_MASK];
    // Written out: a comparison with what may be undefined is a call.
    if (near !== undefined && near.hour === hour) return near;
    const row = market.books.get(hour);
    return row === undefined ? undefined : this.books[row];
  }

  /** Lists a book (also when a snapshot is restored). */
  listBook(market: Market, book: HourBook): void {
    this.books[book.row] = book;
    market.books.set(book.hour, book.row);
    if (market.ring.length === 0) for (let place = 0; place <= RING_MASK; place++) market.ring.push(undefined);
    market.ring[book.hour & RING_MASK] = book;
  }

  /** What holds in a market or book: the strictest mode of all that it belongs to. */
  modeOf(market: MarketId, book: HourBook | undefined): TradingMode {
    const modes = [this.mode, this.classes[classOf(market)].mode, this.markets.get(market)?.mode, book?.mode];
    return STRICTEST_FIRST.find((mode) => modes.includes(mode)) ?? 'open';
  }

  /** Whether orders that cross in the book trade. */
  isTrading(book: HourBook): boolean {
    return !book.auction && this.modeOf(book.market, book) === 'open';
  }

  bookOf(row: number): HourBook {
    const book = this.books[row];
    if (book === undefined) throw new Error(`no book in row ${row}`);
    return book;
  }

  /** The book of an hour, made when first needed. */
  openBook(market: Market, hour: Hour): HourBook {
    const existing = this.findBook(market, hour);
    if (existing !== undefined) return existing;
    // Minutes are passed over while the running hour and the next have no book; from now on one of them has.
    if (hour <= this.hour + 1) this.minutesRun = Math.min(this.minutesRun, Math.floor(this.now / MILLIS_PER_MINUTE));
    const row = this.freeBooks.pop() ?? this.books.length;
    const book = new HourBook(this.pool, row, market.market, hour);
    book.auction = this.modeOf(market.market, undefined) === 'auction';
    this.listBook(market, book);
    return book;
  }

  closeBook(book: HourBook): void {
    const market = this.findMarket(book.market);
    market?.books.delete(book.hour);
    if (market?.ring[book.hour & RING_MASK] === book) market.ring[book.hour & RING_MASK] = undefined;
    book.close();
    this.books[book.row] = undefined;
    this.freeBooks.push(book.row);
  }
}
