/** How a block meets the orders that rest in its hours: with whom it may trade and how much, and the trades. */
import type { Block } from './block.ts';
import { BlockPlan, leastAccepted } from '../book/block_plan.ts';
import type { BlockRoom, BlockTerms, Lacking } from '../book/block_plan.ts';
import { BUY, FOK, GTC, NONE, SELL } from '../vocabulary.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { noteTrade } from '../book/matching.ts';
import { FLAG } from '../book/orders.ts';
import type { State } from '../state.ts';
import type { HourBook, Market } from './markets.ts';
import type { TradingHost } from './trading_host.ts';
import { PRICE_TICKS_MAX } from '../numbers/units.ts';
import type { Hour, Micro, Steps, Ticks } from '../numbers/units.ts';

interface Terms extends BlockTerms {
  readonly books: readonly HourBook[];
}

export class BlockMatching {
  private readonly state: State;
  private readonly trading: TradingHost;
  private readonly plan: BlockPlan;

  constructor(state: State, trading: TradingHost) {
    this.state = state;
    this.trading = trading;
    this.plan = new BlockPlan(state.orders);
  }

  /** Executes the largest quantity that all hours have within the limit, if the block accepts it. */
  execute(block: Block, row: number): void {
    if (this.stillLacks(block, row)) return;
    const books = this.openBooks(block);
    if (books === undefined) return;
    const terms = this.termsOf(block, row, books);
    const quantity = this.largest(block, terms);
    if (quantity > 0) this.trade(block, row, terms, quantity);
  }

  /** What must be there for it: all that it may cost, or, where it is short of that and cannot wait, what it executes. */
  neededOf(block: Block, row: number, hold: Micro): Micro {
    if (this.state.rulesVersion < 6 || block.timeInForce === GTC || this.trading.holds.spendable(block.company, hold) >= hold) return hold;
    const books = this.openBooks(block);
    if (books === undefined) return 0;
    return this.trading.neededFor(block.company, hold, block.toHour - 1, () => {
      const terms = this.termsOf(block, row, books);
      const quantity = this.largest(block, terms);
      return quantity === 0 ? 0 : this.plan.costOf(terms, quantity);
    });
  }

  /** The quantity that all hours have within the limit; 0 where the block does not accept it. */
  private largest(block: Block, terms: BlockTerms): Steps {
    const lacking: Lacking = { hour: NONE };
    const { plan } = this;
    const least = leastOf(block);
    const quantity = this.state.rulesVersion >= 6 ? plan.largestFrom(terms, least, block.wanted, lacking) : plan.largest(terms, least, block.wanted, lacking);
    if (lacking.hour !== NONE) block.lacking = block.fromHour + lacking.hour;
    return quantity;
  }

  private termsOf(block: Block, row: number, books: HourBook[]): Terms {
    return { sells: block.side === SELL, price: block.price, books, mayTrade: this.counterpartiesOf(block, row), room: this.roomOf(block, row) };
  }

  /** What limits of concentration leave the block, or the bids that a seller's block meets; undefined where there are none to look at. */
  private roomOf(block: Block, row: number): BlockRoom | undefined {
    const { trading: { limits: { concentration }, matcher }, state: { orders, rulesVersion, standing } } = this;
    const isLimited = (bid: number): boolean => (orders.flags(bid) & FLAG.limited) !== 0;
    if (rulesVersion < 9 || !matcher.anyLimited || (block.side === BUY && !isLimited(row))) return undefined;
    const begin = (): void => concentration.beginMeeting();
    if (block.side === BUY) return { begin, most: (ask, price) => concentration.mostFrom(row, ask, price), took: (ask, notional) => concentration.took(row, ask, notional) };
    const group = standing.group(block.company);
    return {
      begin,
      most: (bid, price) => (isLimited(bid) ? concentration.mostFromGroup(bid, group, price) : Infinity),
      took: (bid, notional) => {
        if (isLimited(bid)) concentration.tookFromGroup(bid, group, notional);
      },
    };
  }

  /**
   * Whom a block may trade with; how much is another question from rules version 9 on. In version 8 what is decided of credit that may not go everywhere
   * stays so while the block executes: its own trades may bring a provider group to its limit, and what is planned of later hours would find nobody.
   */
  private counterpartiesOf(block: Block, row: number): (maker: number) => boolean {
    if (this.state.rulesVersion < 8) return (maker) => this.mayTrade(block, row, maker) && !this.isBarred(row, maker);
    if (this.state.rulesVersion >= 9) return (maker) => this.mayTrade(block, row, maker);
    const { trading, state: { orders } } = this;
    const isLimited = (bid: number): boolean => (orders.flags(bid) & FLAG.limited) !== 0;
    const known = new Map<number, boolean>();
    const once = (key: number, decide: () => boolean): boolean => {
      const decided = known.get(key) ?? decide();
      known.set(key, decided);
      return decided;
    };
    if (block.side === SELL) {
      const mayBuy = (bid: number): boolean => !trading.limits.isFinanced(orders.company(bid)) || once(bid, () => !isLimited(bid) || trading.limits.concentration.mayBuyFromProvider(bid, block.company));
      return (maker) => this.mayTrade(block, row, maker) && mayBuy(maker);
    }
    if (!isLimited(row)) return (maker) => this.mayTrade(block, row, maker);
    return (maker) => this.mayTrade(block, row, maker) && once(trading.limits.concentration.providerGroupOf(maker), () => trading.mayBuyFrom(row, maker));
  }

  /** Before rules version 8 only a block's own credit was asked where it may go, and anew for each trade. */
  private isBarred(row: number, maker: number): boolean {
    return (this.state.orders.flags(row) & FLAG.limited) !== 0 && !this.trading.mayBuyFrom(row, maker);
  }

  /** Whether the hour that had too little when it was last tried has too little yet: a look at one hour instead of all. */
  private stillLacks(block: Block, row: number): boolean {
    if (block.lacking === 0 || this.state.rulesVersion < 6) return false;
    const market = this.state.findMarket(block.market);
    const book = market === undefined ? undefined : this.bookOf(block, market, block.lacking);
    return book !== undefined && !this.plan.has(book, block.side === SELL, leastOf(block), this.counterpartiesOf(block, row));
  }

  /** The books of its hours, undefined when one is not open for continuous trading or has nobody to trade with. */
  private openBooks(block: Block): HourBook[] | undefined {
    const { state } = this;
    const market = state.findMarket(block.market);
    if (market === undefined || this.trading.checks.tradingRefusal(market, undefined, block.market, block.fromHour) !== undefined) return undefined;
    if (block.lacking !== 0 && this.bookOf(block, market, block.lacking) === undefined) return undefined;
    const books: HourBook[] = [];
    for (let hour = block.fromHour; hour < block.toHour; hour++) {
      const book = this.bookOf(block, market, hour);
      if (book === undefined) {
        block.lacking = hour;
        return undefined;
      }
      books.push(book);
    }
    return books;
  }

  private bookOf(block: Block, market: Market, hour: Hour): HourBook | undefined {
    const book = this.state.findBook(market, hour);
    if (book === undefined) return undefined;
    return !book.side(block.side === BUY).isEmpty && book.mode === 'open' && !book.auction ? book : undefined;
  }

  /** But for credit that may not go everywhere. */
  private mayTrade(block: Block, row: number, maker: number): boolean {
    const { orders, supply } = this.state;
    if (this.trading.sameGroup(maker, row) || orders.pendingMinimum(maker) > 0) return false;
    if (block.side === BUY) return block.model < 0 || supply.serves(orders.cell(maker), block.model);
    return orders.model(maker) < 0 || supply.capacityServes(supply.find(block.company, block.market), orders.model(maker));
  }

  /** Takes `quantity` in every hour at resting prices. While it lasts nothing of the hold is released: cheap hours pay for dear ones. */
  private trade(block: Block, row: number, terms: Terms, quantity: Steps): void {
    const { state, trading } = this;
    const { orders } = state;
    const { books, room } = terms;
    const before = orders.notional(row);
    const planned = room === undefined ? undefined : this.plan.pricesOf(terms, quantity);
    orders.setPrice(row, PRICE_TICKS_MAX);
    room?.begin();
    books.forEach((book, index) => {
      this.prepare(block, row, book, quantity);
      if (planned === undefined || room === undefined) this.tradeHour(block, row, book, quantity, terms.mayTrade);
      else this.tradeLevels(row, book, terms, room, planned[index]);
    });
    if (room !== undefined) trading.limits.concentration.endMeeting();
    orders.setPrice(row, block.price);
    orders.setBook(row, NIL);
    orders.setCell(row, NIL);
    block.wanted -= quantity;
    block.filled += quantity * books.length;
    block.notional = orders.notional(row);
    if (block.side === BUY) trading.adjustHold(row);
    state.buffer.emit('blockExecuted', { block: block.block, quantity, notional: orders.notional(row) - before, wanted: block.wanted, hold: orders.hold(row) });
    for (const book of books) trading.runStops(book);
  }

  /** The block's row stands for an order of the hour. */
  private prepare(block: Block, row: number, book: HourBook, quantity: Steps): void {
    const { orders, supply } = this.state;
    orders.setBook(row, book.row);
    if (block.side !== SELL) return;
    orders.setCell(row, this.trading.cellFor(book, block.company));
    supply.offer(orders.cell(row), quantity);
  }

  private tradeHour(block: Block, row: number, book: HourBook, quantity: Steps, mayTrade: (maker: number) => boolean): void {
    const { orders } = this.state;
    const side = book.side(block.side === BUY);
    let left = quantity;
    for (let key = side.bestKey(); left > 0; key = side.nextKey(key)) {
      let maker = side.head(key);
      while (maker !== NIL && left > 0) {
        const next = orders.next(maker);
        if (mayTrade(maker)) left -= this.take(book, row, maker, left);
        // The last of a queue may have been an iceberg that has refilled: it is its own successor.
        if (next !== NIL || left === 0 || (orders.flags(maker) & FLAG.resting) === 0 || !mayTrade(maker)) maker = next;
      }
    }
  }

  /** Takes of each level what was planned, of each order at most what it may, in the order of the plan. */
  private tradeLevels(row: number, book: HourBook, terms: BlockTerms, room: BlockRoom, planned: ReadonlyMap<Ticks, Steps>): void {
    for (const [price, quantity] of planned) this.takeAt(row, book, terms, room, price, quantity);
  }

  private takeAt(row: number, book: HourBook, { sells, mayTrade }: BlockTerms, room: BlockRoom, price: Ticks, quantity: Steps): void {
    const { orders } = this.state;
    const side = book.side(!sells);
    let left = quantity;
    let maker = side.head(side.keyOf(price));
    while (maker !== NIL && left > 0) {
      const next = orders.next(maker);
      const most = mayTrade(maker) ? Math.min(left, room.most(maker, price)) : 0;
      if (most > 0) left -= this.take(book, row, maker, most, room);
      if (next !== NIL || most === 0 || (orders.flags(maker) & FLAG.resting) === 0) maker = next;
    }
  }

  /** One execution, of an iceberg of what it shows. Returns its quantity. */
  private take(book: HourBook, row: number, maker: number, wanted: Steps, room?: BlockRoom): Steps {
    const { trading, state } = this;
    const { orders } = state;
    const { matcher } = trading;
    const quantity = Math.min(wanted, orders.visible(maker));
    const price = orders.price(maker);
    room?.took(maker, price * quantity);
    matcher.take(maker, quantity);
    orders.setRemaining(row, orders.remaining(row) - quantity);
    noteTrade(book, price);
    trading.traded(maker, row, price, quantity);
    if (orders.remaining(maker) === 0) {
      matcher.withdraw(book, maker);
      trading.filled(maker);
    } else if (orders.visible(maker) === 0) {
      matcher.withdraw(book, maker);
      matcher.rest(book, maker);
    }
    return quantity;
  }
}

/** The least that it takes in each hour. */
const leastOf = ({ timeInForce, wanted, minimumAcceptanceRatio }: Block): Steps => (timeInForce === FOK ? wanted : leastAccepted(wanted, minimumAcceptanceRatio));
