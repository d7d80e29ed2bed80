/**
 * The call auction: all orders of a book at one price. The price executes the largest volume; of
 * several the one that leaves the smallest surplus, then the one nearest the reference (without one,
 * the lowest limit), then the lowest. At that price orders execute by price, then time.
 */
import { Reopening } from './after_call.ts';
import type { Book } from './book.ts';
import type { BookSide } from './levels.ts';
import { CallQueue } from './call_queue.ts';
import { MARKET, STOP } from '../vocabulary.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { isLimit, noteTrade } from './matching.ts';
import type { MatchHost } from './match_host.ts';
import type { Matcher } from './matching.ts';
import { FLAG } from './orders.ts';
import type { Orders } from './orders.ts';

export interface Uncross {
  price: number;
  /** Steps. */
  volume: bigint;
}

interface Level {
  price: number;
  quantity: bigint;
}

/** Bids that may not trade with every ask sit out: those that name a model, and those whose credit some provider may not have. */
const sitsOut = (orders: Orders, row: number): boolean => orders.model(row) >= 0 || (orders.flags(row) & FLAG.limited) !== 0;

/** Levels of one side, best first. */
function levelsOf(side: BookSide, orders: Orders): Level[] {
  const levels: Level[] = [];
  side.forEach(orders, (row) => {
    if (sitsOut(orders, row)) return true;
    const price = orders.price(row);
    const last = levels.at(-1);
    if (last?.price === price) last.quantity += BigInt(orders.remaining(row));
    else levels.push({ price, quantity: BigInt(orders.remaining(row)) });
    return true;
  });
  return levels;
}

const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const distance = (a: bigint, b: bigint): bigint => (a > b ? a - b : b - a);

/** The uncross that the book's orders give, undefined when nothing would execute. `reference`: last trade when absent. */
function findUncross(book: Book, orders: Orders, reference: number): Uncross | undefined {
  const bids = levelsOf(book.bids, orders);
  const asks = levelsOf(book.asks, orders);
  const limits = [...bids, ...asks].map((level) => level.price).filter(isLimit);
  const nearest = reference > 0 ? reference : limits.reduce((least, price) => Math.min(least, price), Infinity);
  // One walk up the prices: asks join as the price reaches them, bids leave as it passes them.
  let demand = bids.reduce((sum, level) => sum + level.quantity, 0n);
  let supply = 0n;
  let bid = bids.length - 1;
  let ask = 0;
  let best: (Uncross & { surplus: bigint }) | undefined;
  for (const price of candidatePrices(limits, reference)) {
    for (; bid >= 0 && bids[bid].price < price; bid--) demand -= bids[bid].quantity;
    for (; ask < asks.length && asks[ask].price <= price; ask++) supply += asks[ask].quantity;
    const found = { price, volume: smaller(demand, supply), surplus: distance(demand, supply) };
    if (found.volume > 0n && (best === undefined || isBetter(found, best, nearest))) best = found;
  }
  return best;
}

/**
 * Prices at which the best uncross can lie, ascending: volume and surplus change only at a limit, so its neighbours stand for all
 * between two. Orders without a price may execute beyond every limit, where the reference alone says how far.
 */
function candidatePrices(limits: readonly number[], reference: number): number[] {
  const found = new Set(limits.flatMap((price) => [price - 1, price, price + 1]).filter((price) => price > 0 && isLimit(price)));
  // A reference may lie between two prices.
  for (const price of [Math.floor(reference), Math.ceil(reference)]) if (price > 0) found.add(price);
  return [...found].sort((a, b) => a - b);
}

/** Of two alike the first stays: prices are tried upwards. */
function isBetter(a: Uncross & { surplus: bigint }, b: Uncross & { surplus: bigint }, nearest: number): boolean {
  if (a.volume !== b.volume) return a.volume > b.volume;
  if (a.surplus !== b.surplus) return a.surplus < b.surplus;
  return Math.abs(a.price - nearest) < Math.abs(b.price - nearest);
}

interface Pair {
  readonly bid: number;
  readonly ask: number;
  readonly quantity: number;
}

/** Who executes with whom in an uncross of that volume: both sides by price, then time. */
function pairsAt(book: Book, orders: Orders, host: AuctionHost, { volume }: Uncross): Pair[] {
  const [bids, asks] = queuesOf(book, orders, host);
  const pairs: Pair[] = [];
  for (let left = volume; left > 0n; ) {
    const quantity = Math.min(bids.left, asks.left);
    pairs.push({ bid: bids.current, ask: asks.current, quantity });
    left -= BigInt(quantity);
    bids.take(quantity);
    asks.take(quantity);
  }
  return pairs;
}

function queuesOf(book: Book, orders: Orders, host: AuctionHost): [CallQueue, CallQueue] {
  const takesPart = (row: number): boolean => !sitsOut(orders, row);
  const groupOf = (row: number): number => host.groupOf(row);
  return [new CallQueue(book.bids, orders, takesPart, groupOf), new CallQueue(book.asks, orders, takesPart, groupOf)];
}

export interface AuctionHost extends MatchHost {
  /** The beneficial owner. */
  groupOf(row: number): number;
  /** Whether a came before b; decides who is the maker. */
  isOlder(a: number, b: number): boolean;
}

/**
 * Ends the auction: executes the uncross and lets continuous trading begin. Two orders of one group
 * never execute with each other (the newer is cancelled), a minimum quantity is never undercut (the
 * order sits the uncross out); either changes the uncross, which is then found anew.
 */
export function uncross(book: Book, orders: Orders, host: AuctionHost, matcher: Matcher, reference: number): Uncross | undefined {
  const satOut = removeUnfit(book, orders, host, matcher, reference);
  const found = findUncross(book, orders, reference);
  const pairs = found === undefined ? [] : pairsAt(book, orders, host, found);
  book.auction = false;
  for (const pair of pairs) execute(book, orders, host, matcher, pair, found?.price ?? 0);
  cancelUnpriced(book, orders, host, matcher);
  // What sat out arrives again now, and what is left of sides that still cross by a model trades.
  const reopening = new Reopening(book, orders, matcher);
  reopening.enter(satOut);
  reopening.settle();
  // Stops that came during the call and whose price was met before it.
  if (matcher.rulesVersion >= 4 && book.lastPrice > 0) noteTrade(book, book.lastPrice);
  matcher.runStops(book);
  return found;
}

/**
 * Takes out what may not execute, until the rest may. Returns the orders that only sit this uncross out.
 *
 * Side by side, each side by price, then time, orders execute with each other for as long as the bid's limit reaches the
 * ask's: to there goes the largest volume, whatever its price. So one walk finds what a search of the uncross for each
 * order taken out would find. What stands before an order does not change when it goes; what was beside it is met anew.
 */
function removeUnfit(book: Book, orders: Orders, host: AuctionHost, matcher: Matcher, reference: number): number[] {
  const [bids, asks] = queuesOf(book, orders, host);
  const satOut: number[] = [];
  // Without a limit and without a reference there is no price.
  while (bids.limits > 0 || asks.limits > 0 || reference > 0) {
    const [bid, ask] = [bids.current, asks.current];
    const executes = bid !== NIL && ask !== NIL && orders.price(bid) >= orders.price(ask);
    if (executes && host.groupOf(bid) !== host.groupOf(ask)) {
      // The larger of the two executes with all that it reaches, as far as its own group.
      const quantity = bids.left >= asks.left
        ? Math.min(bids.left, asks.within(orders.price(bid), host.groupOf(bid)))
        : Math.min(asks.left, bids.within(orders.price(ask), host.groupOf(ask)));
      bids.take(quantity);
      asks.take(quantity);
      continue;
    }
    // Of the last two that execute one may execute in part; all before them execute whole.
    const unfit = executes ? (host.isOlder(bid, ask) ? asks : bids) : bids.fallsShort ? bids : asks.fallsShort ? asks : undefined;
    if (unfit === undefined) break;
    const opposite = unfit === bids ? asks : bids;
    const passed = unfit.used;
    const row = unfit.drop(host.groupOf(unfit.current));
    opposite.giveBack(passed);
    matcher.withdraw(book, row);
    if (executes) host.cancelled(row, 'self_trade');
    else satOut.push(row);
  }
  return satOut;
}

function execute(book: Book, orders: Orders, host: AuctionHost, matcher: Matcher, { bid, ask, quantity }: Pair, price: number): void {
  const bidIsOlder = host.isOlder(bid, ask);
  noteTrade(book, price);
  matcher.take(bid, quantity);
  matcher.take(ask, quantity);
  host.traded(bidIsOlder ? bid : ask, bidIsOlder ? ask : bid, price, quantity);
  for (const row of [bid, ask]) {
    if (orders.remaining(row) === 0) {
      matcher.withdraw(book, row);
      host.filled(row);
    } else if (orders.visible(row) === 0) {
      matcher.withdraw(book, row);
      matcher.rest(book, row);
    }
  }
}

/** Market orders live for the uncross alone. */
function cancelUnpriced(book: Book, orders: Orders, host: AuctionHost, matcher: Matcher): void {
  const unpriced: number[] = [];
  const collect = (row: number): boolean => {
    if (orders.orderType(row) === MARKET || orders.orderType(row) === STOP) unpriced.push(row);
    return true;
  };
  book.bids.forEach(orders, collect);
  book.asks.forEach(orders, collect);
  for (const row of unpriced) {
    matcher.withdraw(book, row);
    host.cancelled(row, 'no_liquidity');
  }
}
