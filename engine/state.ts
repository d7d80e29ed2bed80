/** All that the engine knows, as one value. Everything in it can be written to and read from a snapshot. */
import { BookRows } from './book/book_rows.ts';
import { Orders } from './book/orders.ts';
import { REGIONS_PER_CLASS, TRADING_MODES, classOf } from './vocabulary.ts';
import type { CompanyId, FacilityId, MarketId, OrderId, TradingMode } from './vocabulary.ts';
import { Company } from './company.ts';
import type { CompanyImage } from './company.ts';
import type { Chain, FailedPlace, Outage, Replacement, SpotResale } from './delivery/records.ts';
import { EventBuffer } from './events.ts';
import { Ledger } from './ledger/ledger.ts';
import { LotAmounts, NIL } from './ledger/lot_amounts.ts';
import { LotRows } from './ledger/lot_rows.ts';
import { Lots } from './ledger/lots.ts';
import { SupplyCells } from './ledger/supply_cells.ts';
import type { Facility, ForcedResale, Mandate, MoneyRules, Spending, Switch, SwitchName } from './lending/facility.ts';
import { Levels } from './book/levels.ts';
import { ROWS_MOST } from './numbers/columns.ts';
import { RowPool } from './numbers/row_pool.ts';
import { MILLIS_PER_DAY, MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from './numbers/units.ts';
import type { Day, Hour, Micro, Millis, Ticks } from './numbers/units.ts';
import { PARAMETERS } from './parameters.ts';
import { RULES_VERSION } from './rules.ts';
import { Timers } from './time/timers.ts';
import { Allocations } from './trading/allocations.ts';
import { USUAL_BANDS } from './trading/bands.ts';
import type { Bands } from './trading/bands.ts';
import type { Block } from './trading/block.ts';
import { HourBook, Market } from './trading/markets.ts';
import { ProviderCells } from './trading/provider_cells.ts';
import type { Call, GpuClass, MarketImage } from './trading/markets.ts';
import { MAY_BUY, MAY_SELL, Standing } from './trading/standing.ts';
import { Supply } from './trading/supply.ts';

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
/** More hours than are listed at a time. */
const RING_MASK = 2 ** 12 - 1;
/** What an allocation is funded from and what its fee was paid from. */
const AMOUNTS_PER_ALLOCATION = 2;
const STRICTEST_FIRST = TRADING_MODES.toReversed();

/** Rows of each table to reserve memory for. */
export interface Room {
  orders: number;
  allocations: number;
  /** Of levels and tables of cells: so many small rows. */
  pool: number;
  /** Companies, lots, supply cells and books: so many of each. */
  others: number;
}

/** For a market of a test: some dozen books. */
export const LITTLE_ROOM: Room = { orders: 1_024, allocations: 1_024, pool: 4_096, others: 64 };
/** For all the orders and allocations there can be and a million of all else, so that a market never stops for growth. The memory is the system's until rows are used. */
export const ALL_ROOM: Room = { orders: ROWS_MOST, allocations: ROWS_MOST, pool: ROWS_MOST, others: 2 ** 20 };

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
  readonly lotRows: LotRows;
  readonly cells: SupplyCells;
  readonly standing: Standing;
  readonly ledger: Ledger;
  readonly lots: Lots;
  readonly amounts: LotAmounts;
  readonly orders: Orders;
  /** Of levels and tables of cells. */
  readonly pool: RowPool;
  readonly levels: Levels;
  readonly providerCells: ProviderCells;
  readonly supply: Supply;
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
  bands: Bands = USUAL_BANDS;
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

  /** @param room tables with less room than they come to need grow by doubling */
  constructor({ orders, allocations, pool, others }: Room = LITTLE_ROOM) {
    this.lotRows = new LotRows(others);
    this.cells = new SupplyCells(others);
    this.standing = new Standing(others);
    this.ledger = new Ledger(this.buffer, this.standing, this.lotRows, this.cells);
    this.lots = new Lots(this.ledger, this.standing, this.lotRows);
    this.amounts = new LotAmounts(AMOUNTS_PER_ALLOCATION * allocations);
    this.orders = new Orders(orders);
    this.pool = new RowPool(pool);
    this.levels = new Levels(this.pool, new BookRows(others));
    this.providerCells = new ProviderCells(this.levels.rows, this.pool, this.cells);
    this.supply = new Supply(this.ledger, this.cells);
    this.allocations = new Allocations(allocations);
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

  addMarket(image: MarketImage): void {
    const market = new Market(image);
    this.markets.set(market.market, market);
    this.marketTable[market.market] = market;
    this.noteMode(market);
  }

  /** To be called when a mode has changed: orders ask their market alone. */
  noteModes(): void {
    for (const market of this.markets.values()) this.noteMode(market);
  }
  private noteMode(market: Market): void {
    market.isOpen = this.mode === 'open' && this.classes[classOf(market.market)].mode === 'open' && market.mode === 'open';
  }

  /** undefined when class and region do not both exist. */
  findMarket(market: MarketId): Market | undefined {
    return market >= 0 && market < this.marketTable.length ? this.marketTable[market] : undefined;
  }

  /** The book of an hour, if it has been needed. */
  findBook(market: Market, hour: Hour): HourBook | undefined {
    const row = this.findRow(market, hour);
    return row === NIL ? undefined : this.books[row];
  }

  /** Its row; NIL without one. */
  findRow(market: Market, hour: Hour): number {
    const { ring } = market;
    const place = (hour & RING_MASK) << 1;
    return place < ring.length && ring[place] === hour ? ring[place + 1] : (market.books.get(hour) ?? NIL);
  }

  /** The book in an hour's place, which seldom is another hour's. */
  nearBook(market: MarketId, hour: Hour): number {
    const ring = this.findMarket(market)?.ring;
    const place = (hour & RING_MASK) << 1;
    return ring !== undefined && place < ring.length ? ring[place + 1] : NIL;
  }

  /** Lists a book (also when a snapshot is restored). */
  listBook(market: Market, book: HourBook): void {
    this.books[book.row] = book;
    market.books.set(book.hour, book.row);
    if (market.ring.length === 0) market.ring = new Int32Array(2 * (RING_MASK + 1)).fill(NIL);
    const place = (book.hour & RING_MASK) << 1;
    market.ring[place] = book.hour;
    market.ring[place + 1] = book.row;
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
    const book = new HourBook(this.levels, row, market.market, hour);
    book.auction = this.modeOf(market.market, undefined) === 'auction';
    this.listBook(market, book);
    return book;
  }

  closeBook(book: HourBook): void {
    const market = this.findMarket(book.market);
    market?.books.delete(book.hour);
    const place = ((book.hour & RING_MASK) << 1) + 1;
    if (market?.ring[place] === book.row) market.ring[place] = NIL;
    book.close();
    this.providerCells.clear(book.row);
    this.books[book.row] = undefined;
    this.freeBooks.push(book.row);
  }
}
