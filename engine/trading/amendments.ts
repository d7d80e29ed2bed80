/** Amended orders: a pure decrease keeps its place, anything else requeues, may trade and is checked like a new order. */
import type { RejectCode } from '../catalogue.ts';
import type { AmendOrder } from '../commands.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { FLAG } from '../book/orders.ts';
import { NOTIONAL_MICRO_MAX, NOT_A_MULTIPLE, PRICE_TICKS_MAX, QUANTITY_STEPS_MAX } from '../numbers/units.ts';
import type { Micro, Steps, Ticks } from '../numbers/units.ts';
import type { State } from '../state.ts';
import type { HourBook } from './markets.ts';
import type { TradingHost } from './trading_host.ts';

export class Amendments {
  private readonly state: State;
  private readonly trading: TradingHost;

  constructor(state: State, trading: TradingHost) {
    this.state = state;
    this.trading = trading;
  }

  /** @param row of the company's own order, NIL when there is none */
  amend(command: AmendOrder, row: number): RejectCode | undefined {
    const { orders } = this.state;
    if (row === NIL) return 'unknown_order';
    if ((orders.flags(row) & FLAG.block) !== 0) return 'invalid_state';
    if (this.state.forced.has(command.order)) return 'facility_frozen';
    const price = command.price === 0 ? orders.price(row) : command.price;
    const remaining = command.quantity === 0 ? orders.remaining(row) : command.quantity;
    const wrong = amountRefusal(command, price * remaining);
    if (wrong !== undefined) return (this.state.rulesVersion >= 6 ? this.tradingRefusal(row) : undefined) ?? wrong;
    if (price === orders.price(row) && remaining <= orders.remaining(row)) {
      this.decrease(row, remaining);
      return undefined;
    }
    return this.requeue(row, price, remaining);
  }

  private decrease(row: number, remaining: Steps): void {
    const { trading } = this;
    const { orders } = this.state;
    const cut = orders.remaining(row) - remaining;
    orders.setRemaining(row, remaining);
    orders.setQuantity(row, orders.quantity(row) - cut);
    orders.setVisible(row, Math.min(orders.visible(row), remaining));
    if (orders.isSell(row)) trading.offer(row, -cut);
    else trading.adjustHold(row);
    trading.events.amended(row, true);
    if ((orders.flags(row) & FLAG.resting) !== 0) trading.events.reduced(row);
    trading.ease(row);
  }

  private requeue(row: number, price: Ticks, remaining: Steps): RejectCode | undefined {
    const { trading } = this;
    const { orders } = this.state;
    const book = this.state.bookOf(orders.book(row));
    const refusal = this.refusal(book, row, price, remaining);
    if (refusal !== undefined) return refusal;
    trading.countOrder(orders.company(row));
    const resting = (orders.flags(row) & FLAG.resting) !== 0;
    if (resting) trading.matcher.withdraw(book, row);
    if (orders.isSell(row)) trading.offer(row, remaining - orders.remaining(row));
    orders.setPrice(row, price);
    orders.setQuantity(row, orders.quantity(row) + (remaining - orders.remaining(row)));
    orders.setRemaining(row, remaining);
    if (!orders.isSell(row)) {
      trading.adjustHold(row);
      if (this.state.rulesVersion >= 9 && trading.limits.concentration.isLimited(orders.company(row))) trading.limits.concentration.limit(row);
    }
    trading.events.amended(row, false);
    if (!resting) {
      if (this.state.rulesVersion >= 8) trading.matcher.requeueStop(book, row);
      return undefined;
    }
    if (book.auction && this.state.rulesVersion >= 5) trading.noteArrival(row);
    trading.matcher.enter(book, row);
    trading.matcher.runStops(book);
    return undefined;
  }

  private tradingRefusal(row: number): RejectCode | undefined {
    const book = this.state.bookOf(this.state.orders.book(row));
    return this.trading.checks.tradingRefusal(this.state.markets.get(book.market), book, book.market, book.hour);
  }

  /** In the order of precedence that a new order has. */
  private refusal(book: HourBook, row: number, price: Ticks, remaining: Steps): RejectCode | undefined {
    const trading = this.tradingRefusal(row);
    if (trading !== undefined) return trading;
    if (this.state.rulesVersion < 6) return this.refusalBefore6(book, row, price, remaining);
    const sells = this.state.orders.isSell(row);
    return (sells ? this.askRefusal(book, row, price, remaining) : this.bidRefusal(book, row, price, remaining)) ?? this.trading.matcher.changeRefusal(book, row, price, remaining);
  }

  private askRefusal(book: HourBook, row: number, price: Ticks, remaining: Steps): RejectCode | undefined {
    const { checks } = this.trading;
    const { orders } = this.state;
    if (checks.isAskOutside(book.market, book, price) && price !== orders.price(row)) return 'price_band';
    if (price > checks.listPrice(book.market)) return 'above_list_price';
    if (checks.isTooFast(orders.company(row))) return 'rate_limited';
    const more = remaining - orders.remaining(row);
    if (!this.mayGrow(book, row, more)) return 'insufficient_capacity';
    const asksBond = this.state.rulesVersion >= 7 && more > 0;
    return asksBond && !checks.isBonded(orders.company(row)) ? 'bond_insufficient' : undefined;
  }

  private bidRefusal(book: HourBook, row: number, price: Ticks, remaining: Steps): RejectCode | undefined {
    const { checks, holds, limits } = this.trading;
    const { orders } = this.state;
    const company = orders.company(row);
    const more: Micro = holds.required(row, price, remaining) - orders.hold(row);
    const isShort = more > 0 && holds.spendable(company, more) < more;
    if (isShort && holds.isBlocked(company)) return 'facility_frozen';
    const bar = isShort ? limits.barOf(company) : undefined;
    if (bar !== undefined) return bar;
    const isFinanced = more > 0 && limits.isFinanced(company);
    const matures = isFinanced ? limits.maturityRefusal(company, more, book.hour) : undefined;
    if (matures !== undefined) return matures;
    if (checks.isBidOutside(book.market, book, price) && price !== orders.price(row)) return 'price_band';
    if (checks.isTooFast(company)) return 'rate_limited';
    if (more > 0 && this.state.rulesVersion >= 7 && checks.exceedsDay(company, price * remaining)) return 'day_notional';
    if (isShort) return 'insufficient_credits';
    return isFinanced ? limits.bidRefusal(company, more, price, orders.model(row), book.market, book.hour, book) : undefined;
  }

  /** What requests hold of an allocation is known when an order is placed: a resale grows by another order. */
  private mayGrow(book: HourBook, row: number, more: Steps): boolean {
    const { orders } = this.state;
    return more <= 0 || ((orders.flags(row) & FLAG.resale) === 0 && this.trading.checks.covers(orders.cell(row), orders.company(row), book.market, book.hour, more));
  }

  private refusalBefore6(book: HourBook, row: number, price: Ticks, remaining: Steps): RejectCode | undefined {
    const { checks, holds, limits, matcher } = this.trading;
    const { orders } = this.state;
    const company = orders.company(row);
    const outside = orders.isSell(row) ? checks.isAskOutside(book.market, book, price) : checks.isBidOutside(book.market, book, price);
    if (outside && price !== orders.price(row)) return 'price_band';
    if (checks.isTooFast(company)) return 'rate_limited';
    if (orders.isSell(row)) {
      if (price > checks.listPrice(book.market)) return 'above_list_price';
      if (!this.mayGrow(book, row, remaining - orders.remaining(row))) return 'insufficient_capacity';
    } else {
      const more = holds.required(row, price, remaining) - orders.hold(row);
      if (more > 0 && holds.spendable(company, more) < more) return holds.isBlocked(company) ? 'facility_frozen' : (limits.barOf(company) ?? 'insufficient_credits');
      const limit = more > 0 && limits.isFinanced(company) ? limits.bidRefusal(company, more, price, orders.model(row), book.market, book.hour, book) : undefined;
      if (limit !== undefined) return limit;
    }
    return matcher.changeRefusal(book, row, price, remaining);
  }
}

function amountRefusal({ price, quantity }: AmendOrder, notional: Micro): RejectCode | undefined {
  if (price === NOT_A_MULTIPLE) return 'invalid_tick';
  if (quantity === NOT_A_MULTIPLE) return 'invalid_step';
  const outside = price < 0 || quantity < 0 || price > PRICE_TICKS_MAX || quantity > QUANTITY_STEPS_MAX || notional > NOTIONAL_MICRO_MAX;
  return outside ? 'amount_out_of_range' : undefined;
}
