/**
 * The call auction: all orders of a book at one price. The price executes the largest volume; of
 * several the one that leaves the smallest surplus, then the one nearest the reference (without one,
 * the lowest limit), then the lowest. At that price orders execute by price, then time.
 */
import type { Book, BookSide } from './book.ts';
import { MARKET, STOP } from '../commands.ts';
import { isLimit, noteTrade } from './matching.ts';
import type { MatchHost, Matcher } from './matching.ts';
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
export function findUncross(book: Book, orders: Orders, reference: number): Uncross | undefined {
  const bids = levelsOf(book.bids, orders);
  const asks = levelsOf(book.asks, orders);
  const limits = [...bids, ...asks].map((level) => level.price).filter(isLimit);
  const nearest = reference > 0 ? reference : Math.min(...limits);
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
  if (reference > 0) found.add(reference);
  return [...found].sort((a, b) => a - b);
}

/** Of two alike the first stays: prices are tried upwards. */
function isBetter(a: Uncross & { surplus: bigint }, b: Uncross & { surplus: bigint }, nearest: number): boolean {
  if (a.volume !== b.volume) return a.volume > b.volume;
  if (a.surplus !== b.surplus) return a.surplus < b.surplus;
  return Math.abs(a.price - nearest) < Math.abs(b.price - nearest);
}

interface Waiting {
  readonly row: number;
  left: number;
}

interface Pair {
  readonly bid: number;
  readonly ask: number;
  readonly quantity: number;
}

/** Who executes with whom at the price: both sides by price, then time. */
function pairsAt(book: Book, orders: Orders, { price, volume }: Uncross): Pair[] {
  const queue = (side: BookSide, within: (limit: number) => boolean): Waiting[] => {
    const waiting: Waiting[] = [];
    side.forEach(orders, (row) => {
      if (!within(orders.price(row))) return false;
      if (!sitsOut(orders, row)) waiting.push({ row, left: orders.remaining(row) });
      return true;
    });
    return waiting;
  };
  const bids = queue(book.bids, (limit) => limit >= price);
  const asks = queue(book.asks, (limit) => limit <= price);
  const pairs: Pair[] = [];
  let left = volume;
  for (let bid = 0, ask = 0; left > 0n && bid < bids.length && ask < asks.length; ) {
    const quantity = Math.min(bids[bid].left, asks[ask].left);
    pairs.push({ bid: bids[bid].row, ask: asks[ask].row, quantity });
    left -= BigInt(quantity);
    bids[bid].left -= quantity;
    asks[ask].left -= quantity;
    if (bids[bid].left === 0) bid++;
    if (asks[ask].left === 0) ask++;
  }
  return pairs;
}

export interface AuctionHost extends MatchHost {
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
  const pairs = found === undefined ? [] : pairsAt(book, orders, found);
  book.auction = false;
  for (const pair of pairs) execute(book, orders, host, matcher, pair, found?.price ?? 0);
  cancelUnpriced(book, orders, host, matcher);
  // What sat out arrives again now, and what is left of sides that still cross by a model trades.
  for (const row of satOut) matcher.enter(book, row);
  matcher.settleCrossed(book);
  matcher.runStops(book);
  return found;
}

/** Takes out what may not execute, until the rest may. Returns the orders that only sit this uncross out. */
function removeUnfit(book: Book, orders: Orders, host: AuctionHost, matcher: Matcher, reference: number): number[] {
  const satOut: number[] = [];
  for (;;) {
    const found = findUncross(book, orders, reference);
    if (found === undefined) return satOut;
    const pairs = pairsAt(book, orders, found);
    const related = pairs.find(({ bid, ask }) => host.sameGroup(bid, ask));
    if (related !== undefined) {
      const newer = host.isOlder(related.bid, related.ask) ? related.ask : related.bid;
      matcher.withdraw(book, newer);
      host.cancelled(newer, 'self_trade');
      continue;
    }
    const short = belowMinimum(pairs, orders);
    if (short === undefined) return satOut;
    matcher.withdraw(book, short);
    satOut.push(short);
  }
}

function belowMinimum(pairs: readonly Pair[], orders: Orders): number | undefined {
  const executed = new Map<number, number>();
  for (const { bid, ask, quantity } of pairs) {
    executed.set(bid, (executed.get(bid) ?? 0) + quantity);
    executed.set(ask, (executed.get(ask) ?? 0) + quantity);
  }
  for (const [row, quantity] of executed) if (quantity < orders.pendingMinimum(row)) return row;
  return undefined;
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
