/**
 * A part of the market as a market of its own, in which an order can be tried out: it does there what it would do in the whole, by
 * the same functions, and what it did is thrown away. It has the books that the order reaches, with all that their orders rest on: holds,
 * lots, capacity, allocations that are sold again, facilities. Orders, amounts, cells and allocations have other rows there than in the
 * whole; companies, lots, facilities and books have the same. Owners of no order there are the whole's own, only to be read.
 */
import { leastAccepted } from './book/block_plan.ts';
import { FLAG } from './book/orders.ts';
import type { OrderExtra } from './book/orders.ts';
import type { PlaceBlock, PlaceOrder } from './commands.ts';
import { NIL, isWhole } from './ledger/lot_amounts.ts';
import type { Facility } from './lending/facility.ts';
import { ExactSum } from './numbers/exact_sum.ts';
import type { Hour, Micro, Steps, Ticks } from './numbers/units.ts';
import { Company } from './company.ts';
import { LITTLE_ROOM, State } from './state.ts';
import type { Block } from './trading/block.ts';
import { HourBook } from './trading/markets.ts';
import type { Market } from './trading/markets.ts';
import { FINANCED } from './trading/standing.ts';
import { BUY, SELL } from './vocabulary.ts';
import type { CompanyId, FacilityId, OrderId } from './vocabulary.ts';

/** The market that the command reaches, and the command as it is to be given there. */
export function excerptFor<C extends PlaceOrder | PlaceBlock>(whole: State, command: C): { part: State; command: C } {
  const { part, resaleOf } = new Excerpt(whole, command);
  return { part, command: command.type === 'place' ? { ...command, resaleOf } : command };
}

/** Most orders meet few. */
const ROWS_FIRST = 64;
/** Of one side of a book: a bound for how long the market may stand still for it. */
const ORDERS_MOST = 2_000;

class Excerpt {
  readonly part = new State({ ...LITTLE_ROOM, orders: ROWS_FIRST, allocations: ROWS_FIRST });
  /** The allocation that the command would sell again, by its id here. */
  readonly resaleOf: number;
  private readonly whole: State;
  /** Rows of the whole, and here. */
  private readonly orders = new Map<number, number>();
  private readonly cells = new Map<number, number>([[NIL, NIL]]);
  private readonly allocations = new Map<number, number>();
  /** Whether some credit may not go everywhere: bids that wait for that may begin to trade. */
  private readonly isLimited: boolean;
  /** Who may be changed. */
  private readonly owners = new Set<CompanyId>();

  constructor(whole: State, command: PlaceOrder | PlaceBlock) {
    this.whole = whole;
    const { part } = this;
    this.isLimited = [...whole.spending.values()].some(({ groups }) => groups.some(({ barred }) => barred));
    this.takeTerms();
    this.owners.add(command.company);
    part.standing.adopt(whole.standing);
    const { books, waiting } = reachOf(whole, command);
    for (const book of books) this.takeBook(book, waiting.length > 0 ? undefined : command);
    for (const block of waiting) this.takeBlock(block, whole.orders.rowOf(block.block));
    this.resaleOf = command.type === 'place' && command.resaleOf !== 0 ? part.allocations.idOf(this.allocationOf(whole.allocations.rowOf(command.resaleOf))) : 0;
    this.takeOwners(command);
    this.linkOrders();
    for (const forced of whole.forced.values()) {
      const order = this.idOf(forced.order);
      if (order !== 0) part.forced.set(order, { ...forced, order });
    }
  }

  /** What holds for the whole market, and is not changed by an order. */
  private takeTerms(): void {
    const { whole, part } = this;
    part.setNow(whole.now);
    part.sequence = whole.sequence;
    part.rulesVersion = whole.rulesVersion;
    part.mode = whole.mode;
    part.bands = whole.bands;
    part.minutesRun = whole.minutesRun;
    Object.assign(part.money, whole.money);
    Object.assign(part.switches, structuredClone(whole.switches));
    for (const gpuClass of whole.classes) part.classes.push(gpuClass);
    for (const region of whole.regions) part.regions.push(region);
    for (const model of whole.models) part.models.push(model);
    for (const market of whole.markets.values()) part.addMarket(market);
    for (const [facility, bar] of whole.bars) part.bars.set(facility, bar);
    for (const mandate of whole.mandates) part.mandates.push({ ...mandate });
    part.supply.adoptCapacities(whole.supply);
    // A book that is opened here must not take the row of another.
    for (const _ of whole.books) part.books.push(undefined);
  }

  /** @param command the only one that enters there; undefined: others may trade first, and all orders are needed */
  private takeBook(book: HourBook, command: PlaceOrder | PlaceBlock | undefined): void {
    const { whole, part } = this;
    const taken = new HourBook(part.levels, book.row, book.market, book.hour);
    const { mode, reason, lastPrice, auction } = book;
    Object.assign(taken, { mode, reason, lastPrice, auction });
    for (const [provider, cell] of whole.providerCells.entries(book.row)) part.providerCells.add(book.row, provider, this.cellOf(cell));
    const met = command === undefined ? undefined : this.metBy(command, book);
    if (met !== undefined && command !== undefined) for (const row of met) taken.side(command.side === BUY).append(part.orders, this.takeOrder(row));
    else this.takeWhole(book, taken);
    part.books[book.row] = taken;
    part.findMarket(book.market)?.books.set(book.hour, book.row);
    for (const row of met === undefined ? book.stops.rows() : []) taken.addStop(this.takeOrder(row), whole.orders.isSell(row), whole.orders.extra(row)?.stopPrice ?? 0);
  }

  /**
   * The orders that the command may trade with, level by level, until what surely trades with it is as much as it wants. undefined where others
   * may begin to trade with each other then: stops that such trades trigger, who has passed over somebody for a minimum, bids whose credit may go elsewhere again.
   */
  private metBy(command: PlaceOrder | PlaceBlock, book: HourBook): number[] | undefined {
    const { orders, standing } = this.whole;
    if (this.isLimited) return undefined;
    const limit = command.type === 'place' && command.price > 0 ? command.price : undefined;
    const sell = command.side === BUY;
    const found: number[] = [];
    let left = book.auction ? 0 : command.quantity;
    let price = 0;
    let binds = false;
    book.side(sell).forEach(orders, (row) => {
      if (orders.price(row) !== price) {
        if (left <= 0 || (limit !== undefined && (sell ? orders.price(row) > limit : orders.price(row) < limit))) return false;
        price = orders.price(row);
      }
      found.push(row);
      binds ||= orders.pendingMinimum(row) > 0;
      const buyer = sell ? command.company : orders.company(row);
      // The trades of financed credit may bring a provider group to its limit: whom it trades with then is not to be seen from the book.
      const isSure = orders.model(row) < 0 && command.model < 0 && (standing.sides(buyer) & FINANCED) === 0;
      if (isSure && standing.group(orders.company(row)) !== standing.group(command.company)) left -= orders.remaining(row);
      return !binds && found.length < ORDERS_MOST;
    });
    const [first, last] = [orders.price(found[0]), price];
    return binds || (found.length > 0 && book.stops.length > 0 && book.stops.meets(Math.min(first, last), Math.max(first, last))) ? undefined : found;
  }

  /** The best of both sides: nobody's trades go through more of them at once. */
  private takeWhole(book: HourBook, taken: HourBook): void {
    for (const sell of [false, true]) {
      let left = ORDERS_MOST;
      book.side(sell).forEach(this.whole.orders, (row) => {
        taken.side(sell).append(this.part.orders, this.takeOrder(row));
        return --left > 0;
      });
    }
  }

  private takeOrder(row: number): number {
    const { whole, part } = this;
    const taken = part.orders.adopt(whole.orders, row);
    this.orders.set(row, taken);
    this.owners.add(whole.orders.company(row));
    part.orders.setCell(taken, this.cellOf(whole.orders.cell(row)));
    part.orders.setHoldList(taken, this.amountsOf(whole.orders.holdList(row)));
    const extra = whole.orders.extra(row);
    if (extra !== undefined) part.orders.extras.set(taken, this.extraOf(extra));
    return taken;
  }

  private extraOf(extra: OrderExtra): OrderExtra {
    const { whole, part } = this;
    const resaleOf = extra.resaleOf === 0 ? 0 : part.allocations.idOf(this.allocationOf(whole.allocations.rowOf(extra.resaleOf)));
    const block = whole.blocks.get(extra.block);
    if (block !== undefined && this.idOf(block.block) === 0) this.takeBlock(block, whole.orders.rowOf(block.block));
    const id = block === undefined ? 0 : this.idOf(block.block);
    return { ...extra, resaleOf, block: id };
  }

  /** The id that an order of the whole has here, 0 when it is not here. */
  private idOf(order: OrderId): OrderId {
    const row = this.orders.get(this.whole.orders.rowOf(order));
    return row === undefined ? 0 : this.part.orders.idOf(row);
  }

  /** Of the asks of a sell block only those are here that stand in the books. */
  private takeBlock(block: Block, row: number): void {
    const { part } = this;
    const id = part.orders.idOf(this.takeOrder(row));
    part.blocks.set(id, { ...block, block: id, asks: [] });
  }

  private cellOf(cell: number): number {
    const known = this.cells.get(cell);
    if (known !== undefined) return known;
    const taken = this.part.supply.adoptCell(this.whole.supply, cell);
    this.cells.set(cell, taken);
    return taken;
  }

  private amountsOf(list: number): number {
    const { amounts } = this.whole;
    if (isWhole(list)) return list;
    let taken: number = NIL;
    for (let node = list; node !== NIL; node = amounts.next(node)) taken = this.part.amounts.append(taken, amounts.lot(node), amounts.amount(node));
    return taken;
  }

  private allocationOf(row: number): number {
    const known = this.allocations.get(row);
    if (known !== undefined) return known;
    const { whole, part } = this;
    const taken = part.allocations.adopt(whole.allocations, row);
    this.allocations.set(row, taken);
    this.owners.add(whole.allocations.company(row));
    part.allocations.setCell(taken, this.cellOf(whole.allocations.cell(row)));
    part.allocations.setFunding(taken, this.amountsOf(whole.allocations.funding(row)));
    part.allocations.setFeeLots(taken, this.amountsOf(whole.allocations.feeLots(row)));
    part.allocations.setSpent(taken, this.amountsOf(whole.allocations.spent(row)));
    const chain = whole.chains.get(row);
    if (chain !== undefined) part.chains.set(taken, { ...chain, legs: chain.legs.map((leg) => ({ ...leg, funding: this.amountsOf(leg.funding), spent: this.amountsOf(leg.spent) })) });
    const spot = whole.spotResales.get(row);
    if (spot !== undefined) part.spotResales.set(taken, { ...spot });
    return taken;
  }

  private takeOwners(command: PlaceOrder | PlaceBlock): void {
    const { whole, part, owners } = this;
    for (const company of whole.companies) part.companies.push(owners.has(company.company) ? new Company(company.toJSON(), part.standing) : company);
    part.ledger.adopt(whole.ledger, () => part.lots.adopt(whole.lots, owners));
    for (const facility of whole.facilities) part.facilities.push(facility.company === command.company ? copyOf(facility) : facility);
    for (const [facility, spending] of whole.spending) if (this.isOwned(facility)) part.spending.set(facility, structuredClone(spending));
  }

  private isOwned(facility: FacilityId): boolean {
    return this.owners.has(this.whole.facilities[facility].company);
  }

  /** Each owner's orders as a chain from the newest to the oldest. Those that are not here count as open all the same. */
  private linkOrders(): void {
    const { part: { orders, standing, blocks } } = this;
    const rows = [...this.orders.values()].sort((a, b) => orders.sequence(a) - orders.sequence(b) || a - b);
    for (const row of rows) {
      const isSellBlock = (orders.flags(row) & FLAG.block) !== 0 && orders.isSell(row);
      if (isSellBlock) continue;
      const company = orders.company(row);
      const open = standing.openOrders(company);
      orders.link(row, standing.addOrder(company, row));
      standing.setOpenOrders(company, open);
      if ((orders.flags(row) & FLAG.blockAsk) !== 0) blocks.get(orders.extra(row)?.block ?? 0)?.asks.push(orders.idOf(row));
    }
  }
}

/** Its money may be changed: by a draw on demand. */
const copyOf = ({ accrualExact, ...facility }: Facility): Facility => ({ ...structuredClone(facility), accrualExact: new ExactSum(accrualExact.value) });

interface Reach {
  books: Set<HourBook>;
  /** Buy blocks that wait and may be let in. */
  waiting: Block[];
}

/** The books of the command's hours, and of the blocks that what it adds there may let in, and of those that these may, in the order in which all blocks stand. */
function reachOf(whole: State, command: PlaceOrder | PlaceBlock): Reach {
  const market = whole.findMarket(command.market);
  const hours: Span = command.type === 'place' ? { fromHour: command.hour, toHour: command.hour + 1 } : command;
  const books = new Set(market === undefined ? [] : booksIn(whole, market, hours));
  const found = new Set<Block>();
  const candidates = [...whole.blocks.values()].filter((block) => block.side === BUY && block.market === command.market);
  if (market === undefined || candidates.length === 0) return { books, waiting: [] };
  const asked = command.side === SELL ? Math.max(command.price, 1) : Infinity;
  for (let before = -1; before < found.size; ) {
    before = found.size;
    for (const block of candidates) {
      if (found.has(block) || !mayLetIn(whole, books, block, isApart(block, hours) ? Infinity : asked) || !mayExecute(whole, market, { books, hours }, block)) continue;
      found.add(block);
      for (const book of booksIn(whole, market, block)) books.add(book);
    }
  }
  return { books, waiting: candidates.filter((block) => found.has(block)) };
}

type Span = Pick<Block, 'fromHour' | 'toHour'>;

const isApart = (one: Span, other: Span): boolean => one.toHour <= other.fromHour || other.toHour <= one.fromHour;

function booksIn(whole: State, market: Market, { fromHour, toHour }: Span): HourBook[] {
  const hours = Array.from({ length: Math.max(0, toHour - fromHour) }, (_, index): Hour => fromHour + index);
  return hours.map((hour) => whole.findBook(market, hour)).filter((book) => book !== undefined);
}

/** Whether one of these books has, or may come to have, an ask that a block could pay if every other hour of it cost a tick. */
function mayLetIn(whole: State, books: ReadonlySet<HourBook>, block: Block, asked: Ticks): boolean {
  const others = block.toHour - block.fromHour - 1;
  const most = block.price * (others + 1) - others;
  if (asked <= most) return true;
  for (const book of books) {
    if (book.market !== block.market || book.hour < block.fromHour || book.hour >= block.toHour) continue;
    if (!book.asks.isEmpty && book.asks.best() <= most) return true;
    if (book.stops.rows().some((row) => whole.orders.isSell(row) && whole.orders.price(row) <= most)) return true;
  }
  return false;
}

/** Whether the other hours of a block have the least that it takes, for no more than it could pay for them if those that are reached cost a tick. */
function mayExecute(whole: State, market: Market, { books, hours }: { books: ReadonlySet<HourBook>; hours: Span }, block: Block): boolean {
  const least = leastAccepted(block.wanted, block.minimumAcceptanceRatio);
  let payable = block.price * least * (block.toHour - block.fromHour);
  for (let hour = block.fromHour; hour < block.toHour; hour++) {
    const book = whole.findBook(market, hour);
    const isReached = (book !== undefined && books.has(book)) || (hour >= hours.fromHour && hour < hours.toHour);
    const cost = isReached ? least : book === undefined ? Infinity : leastCost(whole, book, least);
    payable -= cost;
    if (payable < 0) return false;
  }
  return true;
}

/** What the cheapest so many steps of a book cost, whoever may buy them; Infinity where there are fewer. */
function leastCost({ orders }: State, book: HourBook, steps: Steps): Micro {
  let left = steps;
  let cost = 0;
  book.asks.forEach(orders, (row) => {
    const part = Math.min(left, orders.remaining(row));
    left -= part;
    cost += part * orders.price(row);
    return left > 0;
  });
  return left > 0 ? Infinity : cost;
}
