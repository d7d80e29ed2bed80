/**
 * Blocks: one order over consecutive hours, against the same hour books as single orders.
 *
 * A resting sell block is one independent ask per hour under one id. Everything else is all hours or
 * none, at one quantity in each: sell blocks that cannot wait, and buy blocks. A buy block that waits
 * holds its worst case, stands in no book and is tried after a command has added an ask in one of its
 * hours, the best price first, then the oldest; so a single order always goes first.
 */
import type { Block } from './block.ts';
import { BlockChecks } from './block_checks.ts';
import { BlockPlan, leastAccepted } from '../book/block_plan.ts';
import type { BlockRoom, BlockTerms, Lacking } from '../book/block_plan.ts';
import type { RejectCode } from '../catalogue.ts';
import { BUY, CANCEL_NEWEST, FOK, GTC, LIMIT, NONE, SELL, TIMES_IN_FORCE } from '../vocabulary.ts';
import type { PlaceBlock, PlaceOrder } from '../commands.ts';
import type { MarketId, OrderId } from '../vocabulary.ts';
import type { CancelReason } from '../events.ts';
import { requiredHold } from './holds.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { noteTrade } from '../book/matching.ts';
import { REASON_FILLED, STATUS_FILLED, reasonCode } from '../book/order_events.ts';
import { FLAG, Orders } from '../book/orders.ts';
import { PARAMETERS } from '../parameters.ts';
import type { State } from '../state.ts';
import type { HourBook, Market } from './markets.ts';
import { TIMER } from '../time/timers.ts';
import type { TradingHost } from './trading_host.ts';
import { MILLIS_PER_HOUR, PRICE_TICKS_MAX } from '../numbers/units.ts';
import type { Hour, Micro, Steps, Ticks } from '../numbers/units.ts';

interface Terms extends BlockTerms {
  readonly books: readonly HourBook[];
}

/** That wait: fewer are tried sooner than it is found out which could execute at all. */
const FEW_BLOCKS = 4;

export class Blocks {
  /** Buy blocks that wait, best price first, then oldest. */
  readonly waiting: Block[];
  /** Books that gained an ask since blocks were last tried. */
  readonly touched: HourBook[] = [];
  private readonly state: State;
  private readonly trading: TradingHost;
  private readonly checks: BlockChecks;
  private readonly plan: BlockPlan;

  constructor(state: State, trading: TradingHost) {
    this.state = state;
    this.trading = trading;
    this.checks = new BlockChecks(state, trading.checks);
    this.plan = new BlockPlan(state.orders);
    this.waiting = [...state.blocks.values()].filter(({ side }) => side === BUY).sort((a, b) => b.price - a.price);
  }

  /** @param isForeseen `foresee` has found nothing against it */
  place(command: PlaceBlock, isForeseen = false): RejectCode | undefined {
    const { state } = this;
    const template = templateOf(command);
    const refusal = isForeseen ? undefined : this.checks.refusal(command, template);
    if (refusal !== undefined) return refusal;
    const block = this.create(command, template);
    if (command.clientOrderId !== '') state.clientOrderIds.set(`${command.company}:${command.clientOrderId}`, state.now);
    if (block.side === SELL && block.timeInForce === GTC) this.offer(block, template);
    else this.enter(block);
    return undefined;
  }

  /** Why a block would be refused now. Changes nothing. */
  foresee(command: PlaceBlock): RejectCode | undefined {
    return this.checks.refusal(command, templateOf(command));
  }

  /** The block's own row gives it an id that no order has; a buy block's also keeps its hold. */
  private create(command: PlaceBlock, template: PlaceOrder): Block {
    const { state, trading } = this;
    const { orders } = state;
    const hours = command.toHour - command.fromHour;
    const row = orders.create();
    orders.setPrice(row, command.price);
    orders.setQuantity(row, command.quantity * hours);
    orders.setRemaining(row, command.quantity * hours);
    orders.setVisible(row, 0);
    orders.setCompany(row, command.company);
    orders.setBook(row, NIL);
    orders.setCell(row, NIL);
    orders.setModel(row, template.model);
    orders.setAcceptedAt(row, state.now);
    orders.setSequence(row, state.sequence);
    orders.setFlags(row, Orders.flagsOf(command.side === SELL, LIMIT, command.timeInForce, CANCEL_NEWEST) | FLAG.block);
    // Each property by its name: an object made by spreading another is a slow one for as long as it lives.
    const block: Block = {
      block: orders.idOf(row), company: command.company, market: command.market, fromHour: command.fromHour, toHour: command.toHour, side: command.side,
      price: command.price, quantity: command.quantity, timeInForce: command.timeInForce, minimumAcceptanceRatio: command.minimumAcceptanceRatio,
      model: template.model, clientOrderId: command.clientOrderId, acceptedAt: state.now, sequence: state.sequence, wanted: command.quantity, notional: 0, filled: 0,
      asks: [], asksLeft: 0, lacking: 0,
    };
    if (command.side === BUY) {
      const hold = requiredHold(command.price * command.quantity * hours, 0, 0, 0);
      if (trading.limits.concentration.isLimited(command.company, hold)) trading.limits.concentration.limit(row);
      const needed = this.neededOf(block, row, hold);
      trading.drawFor(command.company, needed, command.toHour - 1);
      trading.reserve(row, needed, hold);
      trading.link(row);
    }
    state.blocks.set(block.block, block);
    const { block: id, company, market, fromHour, toHour, side, price, quantity, timeInForce, minimumAcceptanceRatio, model, clientOrderId } = block;
    state.buffer.emit('blockAccepted', {
      block: id, company, market, fromHour, toHour, side: side === BUY ? 'buy' : 'sell', price, quantity, timeInForce: TIMES_IN_FORCE[timeInForce],
      minimumAcceptanceRatio, model, hold: orders.hold(row), clientOrderId,
    });
    return block;
  }

  /** A sell block that may wait: an ask in each hour. */
  private offer(block: Block, template: PlaceOrder): void {
    const { state, trading } = this;
    block.asksLeft = block.toHour - block.fromHour;
    for (let hour = block.fromHour; hour < block.toHour; hour++) {
      const book = state.openBook(state.markets.get(block.market) as Market, hour);
      trading.admit({ ...template, hour, clientOrderId: '' }, book, block.price, block.block);
    }
  }

  /** An ask of a sell block has been accepted. */
  askAccepted(row: number, id: OrderId): void {
    const { orders, buffer, blocks } = this.state;
    const order = orders.idOf(row);
    blocks.get(id)?.asks.push(order);
    buffer.emit('blockAsk', { block: id, order });
  }

  /** An ask of a sell block leaves the market; with the last one goes the block. */
  askLeft(row: number, status: number, reason: number): void {
    const { state } = this;
    const { orders } = state;
    const block = state.blocks.get(orders.extra(row)?.block ?? 0);
    if (block === undefined) return;
    block.asks.splice(block.asks.indexOf(orders.idOf(row)), 1);
    block.asksLeft--;
    const filled = orders.quantity(row) - orders.remaining(row);
    block.filled += filled;
    block.notional += orders.notional(row);
    const remaining = block.quantity * (block.toHour - block.fromHour) - block.filled;
    state.buffer.emit('blockAskLeft', { block: block.block, order: orders.idOf(row), filled, notional: orders.notional(row), remaining });
    if (block.asksLeft > 0) return;
    const own = orders.rowOf(block.block);
    orders.setRemaining(own, remaining);
    const whole = remaining === 0;
    this.trading.events.done(own, whole ? STATUS_FILLED : status, whole ? REASON_FILLED : reason);
    this.forget(block);
    orders.destroy(own);
  }

  /** A block that executes at once or not at all, or a buy block that may wait. */
  private enter(block: Block): void {
    const row = this.state.orders.rowOf(block.block);
    this.execute(block, row);
    if (this.isOver(block, row)) return;
    if (block.timeInForce !== GTC) {
      this.end(block, row, block.timeInForce === FOK ? 'fok' : 'ioc');
      return;
    }
    this.waiting.splice(this.placeBehind(block.price), 0, block);
    this.noteWaiting();
    this.state.timers.add(block.fromHour * MILLIS_PER_HOUR - PARAMETERS.gateClosure, TIMER.blockGate, block.block);
  }

  /** Behind all that wait at this price or a better one. */
  private placeBehind(price: Ticks): number {
    let low = 0;
    let high = this.waiting.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.waiting[middle].price >= price) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Ends a block of which nothing is left. */
  private isOver(block: Block, row: number): boolean {
    if (block.wanted > 0) return false;
    const { orders } = this.state;
    this.forget(block);
    if (block.side === BUY) {
      this.trading.filled(row);
    } else {
      this.trading.events.done(row, STATUS_FILLED, REASON_FILLED);
      orders.destroy(row);
    }
    return true;
  }

  /** Takes the block out of the market, wherever it waits. */
  cancel(row: number, reason: CancelReason): void {
    const block = this.state.blocks.get(this.state.orders.idOf(row));
    if (block === undefined) return;
    if (block.asksLeft === 0) this.end(block, row, reason);
    else for (const ask of [...block.asks]) this.trading.cancelRow(this.state.orders.rowOf(ask), reason);
  }

  private end(block: Block, row: number, reason: CancelReason): void {
    this.forget(block);
    if (block.side === BUY) {
      this.trading.drop(row, reason);
      return;
    }
    this.trading.events.done(row, this.trading.events.statusAfter(reason), reasonCode(reason));
    this.state.orders.destroy(row);
  }

  private forget(block: Block): void {
    this.state.blocks.delete(block.block);
    const place = this.waiting.indexOf(block);
    if (place !== -1) this.waiting.splice(place, 1);
    this.noteWaiting();
  }

  /** A book has gained an ask, or opens again. */
  touch(book: HourBook): void {
    if (!this.touched.includes(book)) this.touched.push(book);
    this.state.unsettled = true;
  }

  private noteWaiting(): void {
    this.trading.blocksWait = this.waiting.length > 0;
  }

  /** All books of a market, NONE: of every market. */
  touchMarket(market: MarketId): void {
    if (this.waiting.length === 0) return;
    for (const book of this.state.books) if (book !== undefined && (market === NONE || book.market === market)) this.touch(book);
  }

  /** Tries the blocks that wait for what a command has added; what their trades let in is tried again. */
  run(): void {
    while (this.touched.length > 0) {
      for (const block of this.concernedBy(this.touched.splice(0))) this.retry(block);
    }
  }

  /** The blocks that what is in one of these books may let execute: every other hour of theirs costs a tick at least. Before version 4 all that the hours are of. */
  private concernedBy(books: readonly HourBook[]): Block[] {
    if (this.state.rulesVersion < 4) return this.waiting.filter((block) => books.some((book) => isOf(block, book)));
    const offered = books.filter(({ asks }) => !asks.isEmpty);
    const cheapest = offered.reduce((least, { asks }) => Math.min(least, asks.best()), Infinity);
    const floor = this.floorOf(offered);
    const found: Block[] = [];
    for (const block of this.waiting) {
      // They stand by price: what the longest block could not pay, or one of cheapest hours alone, none behind it can.
      if (block.price * PARAMETERS.blockHoursMaximum < cheapest || block.price < floor) break;
      const others = block.toHour - block.fromHour - 1;
      const most = block.price * (others + 1) - others * floor;
      if (most < cheapest) continue;
      for (const book of offered) {
        if (!isOf(block, book) || book.asks.best() > most) continue;
        found.push(block);
        break;
      }
    }
    return found;
  }

  /** What an hour of the same markets costs at least. To look for it takes longer than to try a few blocks. */
  private floorOf(books: readonly HourBook[]): Ticks {
    const { state } = this;
    if (state.rulesVersion < 6 || this.waiting.length < FEW_BLOCKS) return 1;
    let floor = Infinity;
    for (const market of new Set(books.map((book) => book.market))) {
      for (const row of state.markets.get(market)?.books.values() ?? []) {
        const { asks } = state.bookOf(row);
        if (!asks.isEmpty) floor = Math.min(floor, asks.best());
      }
    }
    return floor;
  }

  private retry(block: Block): void {
    const row = this.state.orders.rowOf(block.block);
    // A block before it may have brought about that it was cancelled.
    if (row === NIL || !this.state.blocks.has(block.block)) return;
    this.execute(block, row);
    this.isOver(block, row);
  }

  /** Executes the largest quantity that all hours have within the limit, if the block accepts it. */
  private execute(block: Block, row: number): void {
    if (this.stillLacks(block, row)) return;
    const books = this.openBooks(block);
    if (books === undefined) return;
    const terms = this.termsOf(block, row, books);
    const quantity = this.largest(block, terms);
    if (quantity > 0) this.trade(block, row, terms, quantity);
  }

  /** What must be there for it: all that it may cost, or, where it is short of that and cannot wait, what it executes. */
  private neededOf(block: Block, row: number, hold: Micro): Micro {
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

const isOf = ({ market, fromHour, toHour }: Block, book: HourBook): boolean => market === book.market && book.hour >= fromHour && book.hour < toHour;

/** The block as a single order, for the checks and for the asks of a resting sell block. */
const templateOf = (command: PlaceBlock): PlaceOrder => ({
  type: 'place', company: command.company, market: command.market, hour: command.fromHour, side: command.side, orderType: LIMIT, price: command.price,
  quantity: command.side === BUY ? command.quantity * (command.toHour - command.fromHour) : command.quantity, timeInForce: command.timeInForce, postOnly: false, displayQuantity: 0,
  minimumQuantity: 0, stopPrice: 0, expiresAt: 0, model: command.side === BUY ? command.model : NONE, resaleOf: 0, selfTradePrevention: CANCEL_NEWEST,
  cancelOnDisconnect: false, clientOrderId: command.clientOrderId,
});
