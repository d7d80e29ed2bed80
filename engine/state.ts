/** All that the engine knows, as one value. Everything in it can be written to and read from a snapshot. */
import { Allocations } from './allocations.ts';
import type { Block } from './blocks.ts';
import { Book } from './book.ts';
import type { ClassId, CompanyId, FacilityApplication, FacilityId, Grade, MandateId, MarketId, OrderId, Role, ScheduleMethod, TradingMode } from './commands.ts';
import { REGIONS_PER_CLASS, TRADING_MODES, classOf } from './commands.ts';
import type { Spending } from './credit_limits.ts';
import { EventBuffer } from './events.ts';
import type { ScheduleRow } from './events.ts';
import { Ledger } from './ledger.ts';
import { LotAmounts } from './lot_amounts.ts';
import { Lots } from './lots.ts';
import type { FailedPlace, Outage } from './minutes.ts';
import { Orders } from './orders.ts';
import type { Replacement } from './replacement.ts';
import type { Chain, SpotResale } from './resale.ts';
import { Supply } from './supply.ts';
import { Timers } from './timers.ts';
import { MILLIS_PER_DAY, MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from './units.ts';
import type { Day, Hour, Micro, Millis, Ppm, Ticks } from './units.ts';

export interface Company {
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
  readonly cells = new Map<CompanyId, number>();
  /** Chain of allocations, and how many of them are not yet done. */
  firstAllocation = -1;
  openAllocations = 0;

  constructor(row: number, market: MarketId, hour: Hour) {
    super();
    this.row = row;
    this.market = market;
    this.hour = hour;
  }
}

/** A book nobody has quoted, offered in or bought from. */
export const isUnused = (book: HourBook): boolean => book.isEmpty() && book.firstAllocation === -1 && book.cells.size === 0 && book.mode === 'open';

export type FacilityState = 'offered' | 'active' | 'watch' | 'cancel_only' | 'frozen' | 'defaulted' | 'written_off' | 'closed' | 'declined';

export interface Facility {
  readonly facility: FacilityId;
  readonly company: CompanyId;
  lender: CompanyId;
  mandate: MandateId;
  state: FacilityState;
  readonly amount: Micro;
  readonly months: number;
  readonly method: ScheduleMethod;
  readonly application: FacilityApplication;
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
  /** Principal as lent and capitalised, and as repaid. */
  lent: Micro;
  repaidPrincipal: Micro;
  /** Sum of principal x rate x days in micro x ppm, as decimal digits (exact), and what of it is posted. */
  accrualExact: string;
  accrualPosted: Micro;
  accruedTo: Day;
  schedule: ScheduleRow[];
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

export interface Remembered {
  readonly bodyHash: string;
  readonly sequence: number;
  readonly at: Millis;
}

const MILLIS_PER_SECOND = 1_000;
/** More orders than an account can enter in a second. */
export const RATE_SCALE = 2 ** 20;
const STRICTEST_FIRST = TRADING_MODES.toReversed();

export class State {
  /** Engine time, with its second, delivery hour and day; moved by `setNow` alone. */
  now: Millis = 0;
  hour: Hour = 0;
  day: Day = 0;
  /** Whole seconds of engine time. */
  second = 0;
  sequence = 0;
  readonly buffer = new EventBuffer();
  readonly ledger = new Ledger(this.buffer);
  readonly lots = new Lots(this.ledger);
  readonly amounts: LotAmounts;
  readonly orders: Orders;
  readonly supply = new Supply(this.ledger);
  readonly allocations: Allocations;
  readonly companies: Company[] = [];
  readonly groups = new Map<string, number>();
  readonly classes: GpuClass[] = [];
  readonly regions: string[] = [];
  readonly models: string[] = [];
  /** By market id; absent where class and region do not both exist. */
  readonly markets = new Map<MarketId, Market>();
  readonly books: (HourBook | undefined)[] = [];
  readonly freeBooks: number[] = [];
  readonly facilities: Facility[] = [];
  readonly mandates: Mandate[] = [];
  /** By `company:dueAt:facility`. */
  readonly payables = new Map<string, Payable>();
  mode: TradingMode = 'open';
  reason = '';
  fills = 0;
  /** Head of each company's chain of live orders and of allocations, and the orders' number. */
  readonly firstOrder: number[] = [];
  readonly openOrders: number[] = [];
  /** By company: its group's number, how many orders it may have, what it may buy in a day (micro-CR). */
  readonly groupIds: number[] = [];
  readonly orderLimits: number[] = [];
  readonly dayLimits: Micro[] = [];
  readonly firstAllocation: number[] = [];
  /** By company: the second of engine time in which it last entered an order, times RATE_SCALE, plus the orders entered in it. */
  readonly rates: number[] = [];
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
  /** By row of the allocation: what it owes to and has from resellers; sales of it in the running hour. */
  readonly chains = new Map<number, Chain>();
  readonly spotResales = new Map<number, SpotResale>();
  /** By hour, provider, market and model: minutes that were not delivered; and those in which the platform was down. */
  readonly failedPlaces = new Map<string, FailedPlace>();
  outages: Outage[] = [];
  /** By row of the allocation: what of it was bought elsewhere when its provider failed. */
  readonly replacements = new Map<number, Replacement>();
  readonly timers = new Timers();
  /** Every hour before this one is settled. */
  settledThrough: Hour = 0;
  /** The last minute and day (since 1970) whose beginning has been run. */
  minutesRun = 0;
  daysRun: Day = 0;

  /** @param rows orders and allocations to reserve memory for; more grow by doubling */
  constructor(rows = 1_024) {
    this.amounts = new LotAmounts(rows);
    this.orders = new Orders(rows);
    this.allocations = new Allocations(rows);
  }

  setNow(now: Millis): void {
    this.now = now;
    this.second = Math.floor(now / MILLIS_PER_SECOND);
    this.hour = Math.floor(now / MILLIS_PER_HOUR);
    this.day = Math.floor(now / MILLIS_PER_DAY);
  }

  addMarkets(): void {
    for (const gpuClass of this.classes) {
      for (let region = 0; region < this.regions.length; region++) {
        const market = gpuClass.class * REGIONS_PER_CLASS + region;
        if (!this.markets.has(market)) this.markets.set(market, { market, books: new Map(), mode: 'open', reason: '' });
      }
    }
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
    const existing = market.books.get(hour);
    if (existing !== undefined) return this.bookOf(existing);
    // Minutes are passed over while the running hour and the next have no book; from now on one of them has.
    if (hour <= this.hour + 1) this.minutesRun = Math.min(this.minutesRun, Math.floor(this.now / MILLIS_PER_MINUTE));
    const row = this.freeBooks.pop() ?? this.books.length;
    const book = new HourBook(row, market.market, hour);
    book.auction = this.modeOf(market.market, undefined) === 'auction';
    this.books[row] = book;
    market.books.set(hour, row);
    return book;
  }

  closeBook(book: HourBook): void {
    this.markets.get(book.market)?.books.delete(book.hour);
    this.books[book.row] = undefined;
    this.freeBooks.push(book.row);
  }
}
