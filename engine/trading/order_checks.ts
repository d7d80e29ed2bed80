/**
 * Whether an order may enter: every check of the contract, in its order of precedence. The first that
 * fails names the refusal; nothing has happened by then.
 */
import { ACCOUNT } from '../ledger/accounts.ts';
import type { RejectCode } from '../catalogue.ts';
import { BUY, GTD, IOC, MARKET, NONE, SELL, STOP, classOf, isStop } from '../vocabulary.ts';
import type { PlaceOrder } from '../commands.ts';
import type { CreditLimits } from '../lending/credit_limits.ts';
import type { Holds } from './holds.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { minutesLeft } from '../numbers/calendar.ts';
import { mulDiv } from '../numbers/muldiv.ts';
import { PARAMETERS } from '../parameters.ts';
import type { Resales } from '../delivery/resale.ts';
import { MAY_BUY, MAY_SELL } from './standing.ts';
import { RATE_SCALE } from '../state.ts';
import type { State } from '../state.ts';
import type { HourBook, Market } from './markets.ts';
import type { Hour, Micro, Steps, Ticks } from '../numbers/units.ts';
import {
  MICRO, MILLIS_PER_HOUR, MINUTES_PER_HOUR, NOTIONAL_MICRO_MAX, NOT_A_MULTIPLE, OUT_OF_RANGE, PRICE_TICKS_MAX, QUANTITY_STEPS_MAX,
  STEPS_PER_GPU_HOUR,
} from '../numbers/units.ts';

const BOND = ACCOUNT['provider.bond'];

export class OrderChecks {
  private readonly state: State;
  private readonly holds: Holds;
  private readonly resales: Resales;
  private readonly limits: CreditLimits;

  constructor(state: State, holds: Holds, resales: Resales, limits: CreditLimits) {
    this.state = state;
    this.holds = holds;
    this.resales = resales;
    this.limits = limits;
  }

  /** The limit an order without one carries: a bid never pays above list, an ask takes what is bid. */
  protection(command: PlaceOrder): number {
    const unpriced = command.orderType === MARKET || command.orderType === STOP;
    if (!unpriced || command.price !== NONE) return command.price;
    if (command.side === SELL) return 1;
    return this.listPrice(command.market);
  }

  listPrice(market: number): Ticks {
    return this.state.classes[classOf(market)]?.listPrice ?? PRICE_TICKS_MAX;
  }

  /** Checks that need no order row. `price` is the limit or protection, `hold` a bid's, `cell` the supply cell of an ask's provider. */
  refusal(command: PlaceOrder, market: Market | undefined, book: HourBook | undefined, price: number, hold: Micro, cell: number): RejectCode | undefined {
    return (
      this.tradingRefusal(market, book, command.market, command.hour) ??
      (isStop(command.orderType) && command.hour * MILLIS_PER_HOUR - this.state.now <= PARAMETERS.gateClosure ? 'gate_closed' : undefined) ??
      amountRefusal(command, price) ??
      this.partyRefusal(command) ??
      (command.side === BUY ? this.buyRefusal(command, price, hold, book) : this.sellRefusal(command, price, book, cell))
    );
  }

  /** Halts, unknown instruments and closed gates. */
  tradingRefusal(market: Market | undefined, book: HourBook | undefined, marketId: number, hour: Hour): RejectCode | undefined {
    const { state } = this;
    // Which nearly every order finds open.
    if (market?.isOpen !== true || (book !== undefined && !book.isOpen)) {
      const modes = [state.mode, state.classes[classOf(marketId)]?.mode, market?.mode, book?.mode];
      if (modes.includes('halted')) return 'halted';
      if (modes.includes('cancel_only')) return 'cancel_only';
    }
    if (market === undefined) return 'instrument_unknown';
    const current = state.hour;
    if (hour > current + PARAMETERS.daysListedAhead * 24) return 'instrument_unknown';
    if (hour < current || (hour === current && (hour + 1) * MILLIS_PER_HOUR - state.now <= PARAMETERS.spotEndsBefore)) return 'gate_closed';
    return undefined;
  }

  partyRefusal(command: PlaceOrder): RejectCode | undefined {
    const { standing } = this.state;
    if (!standing.has(command.company)) return 'unknown_company';
    if (command.resaleOf !== 0) return this.resales.partyRefusal(command);
    const may = (standing.sides(command.company) & (command.side === BUY ? MAY_BUY : MAY_SELL)) !== 0;
    return may && standing.suspendedAt(command.company) === 0 ? undefined : 'not_authorized';
  }

  /** `lastHour`: of a block. */
  buyRefusal(command: PlaceOrder, price: Ticks, hold: Micro, book: HourBook | undefined, lastHour: Hour = command.hour): RejectCode | undefined {
    const { state, limits } = this;
    const isShort = this.isShort(command.company, hold, lastHour);
    const isFinanced = limits.isFinanced(command.company);
    if (isShort && this.holds.isBlocked(command.company)) return 'facility_frozen';
    return (
      (isShort ? limits.barOf(command.company) : undefined) ??
      (isFinanced && state.rulesVersion >= 4 ? limits.maturityRefusal(command.company, hold, lastHour) : undefined) ??
      (this.isBidOutside(command.market, book, price) ? 'price_band' : undefined) ??
      this.countRefusal(command, book) ??
      (this.exceedsDay(command.company, price * command.quantity) ? 'day_notional' : undefined) ??
      (isShort ? 'insufficient_credits' : undefined) ??
      (isFinanced ? this.creditRefusal(command, hold, price, book, lastHour) : undefined) ??
      (state.models.length <= command.model ? 'invalid_parameter' : undefined)
    );
  }

  private creditRefusal({ company, model, market, hour }: PlaceOrder, hold: Micro, price: Ticks, book: HourBook | undefined, lastHour: Hour): RejectCode | undefined {
    // Rules before version 4 took a block for a bid in its first hour.
    const isBlock = lastHour > hour && this.state.rulesVersion >= 4;
    return isBlock ? this.limits.blockRefusal(company, hold, price, model, market, hour, lastHour) : this.limits.bidRefusal(company, hold, price, model, market, hour, book);
  }

  /** Whether the company cannot hold so much, and no facility of it draws what is missing. */
  private isShort(company: number, hold: Micro, hour: Hour): boolean {
    return !this.holds.covers(company, hold) && this.limits.demand.demanded(company, hold - this.holds.spendable(company, hold), hour) === undefined;
  }

  sellRefusal(command: PlaceOrder, price: Ticks, book: HourBook | undefined, cell: number): RejectCode | undefined {
    if (command.price !== NONE && this.isAskOutside(command.market, book, price)) return 'price_band';
    if (price > this.listPrice(command.market)) return 'above_list_price';
    if (command.resaleOf !== 0) return this.countRefusal(command, book) ?? (this.resales.covers(command) ? undefined : 'insufficient_capacity');
    return (
      this.countRefusal(command, book) ??
      (this.covers(cell, command.company, command.market, command.hour, command.quantity) ? undefined : 'insufficient_capacity') ??
      (this.isBonded(command.company) ? undefined : 'bond_insufficient')
    );
  }

  /** Whether a bid is beyond the band. No ask stands above list price, so a bid up to it can do no harm. */
  isBidOutside(market: number, book: HourBook | undefined, price: Ticks): boolean {
    const last = book === undefined ? 0 : book.lastPrice;
    const { above } = this.state.bands;
    if (price * MICRO <= last * above) return false;
    const list = this.listPrice(market);
    return price > list && (last > 0 || price * MICRO > list * above);
  }

  isAskOutside(market: number, book: HourBook | undefined, price: Ticks): boolean {
    const last = book === undefined ? 0 : book.lastPrice;
    return price * MICRO < (last > 0 ? last : this.listPrice(market)) * this.state.bands.below;
  }

  /** Whether the account has entered all the orders that it may in this second. */
  isTooFast(company: number): boolean {
    const { standing, second } = this.state;
    return standing.rate(company) - second * RATE_SCALE >= PARAMETERS.ordersPerSecond;
  }

  private countRefusal(command: PlaceOrder, book: HourBook | undefined): RejectCode | undefined {
    const { state } = this;
    const isFull = state.standing.openOrders(command.company) >= state.standing.orderLimit(command.company);
    if (isFull && (state.rulesVersion < 8 || this.mayWait(command, book))) return 'too_many_orders';
    if (this.isTooFast(command.company)) return 'rate_limited';
    if (command.clientOrderId !== '' && state.clientOrderIds.has(`${command.company}:${command.clientOrderId}`)) return 'duplicate_client_order_id';
    return undefined;
  }

  /** Whether an order may stay in the market after its command: a market order stays in a call. */
  private mayWait(command: PlaceOrder, book: HourBook | undefined): boolean {
    if (isStop(command.orderType)) return true;
    if (command.timeInForce >= IOC) return false;
    if (command.orderType !== MARKET) return true;
    return book === undefined ? this.state.modeOf(command.market, undefined) === 'auction' : book.auction;
  }

  /** Purchases of a day are limited by the facility, at its conversion rate. */
  exceedsDay(companyId: number, notional: Micro): boolean {
    const { standing, day } = this.state;
    return standing.boughtOf(companyId, day) + notional > standing.dayLimit(companyId);
  }

  /** Whether the provider's verified capacity covers `quantity` more steps in the hour. `cell`: its own there, NIL when it has none yet. */
  covers(cell: number, company: number, market: number, hour: Hour, quantity: Steps): boolean {
    const { supply, now } = this.state;
    const left = minutesLeft(hour, now);
    if (cell !== NIL) return supply.covers(cell, quantity, left);
    const capacity = supply.find(company, market);
    if (capacity === NIL) return false;
    const verified = supply.verified(capacity) * STEPS_PER_GPU_HOUR;
    // Before version 8 a fraction of the hour, which is none of binary numbers, refused some offers that just fit.
    return this.state.rulesVersion >= 8 ? quantity * MINUTES_PER_HOUR <= verified * left : quantity * (MINUTES_PER_HOUR / left) <= verified;
  }

  /** Whether the bond covers the damages of everything sold and undelivered. */
  isBonded(companyId: number): boolean {
    const { ledger, standing, money } = this.state;
    const undelivered = standing.undelivered(companyId);
    const bond = -ledger.balance(BOND, companyId);
    if (undelivered <= bond && money.redemptionRate <= MICRO) return true;
    // damages x redemption rate: what the bond must cover of a micro-CR sold and undelivered.
    return bond >= mulDiv(undelivered, mulDiv(PARAMETERS.damages, money.redemptionRate, MICRO), MICRO);
  }
}

/** What nearly every order wants: a price and a quantity within range, which their product is then as well, and nothing beside. */
const amountRefusal = (command: PlaceOrder, price: number): RejectCode | undefined => {
  const { quantity, displayQuantity, minimumQuantity, stopPrice, orderType } = command;
  const isInRange = price > 0 && price <= PRICE_TICKS_MAX && quantity > 0 && quantity <= QUANTITY_STEPS_MAX;
  return isInRange && displayQuantity === 0 && minimumQuantity === 0 && stopPrice === 0 && !isStop(orderType) ? undefined : unusualAmountRefusal(command, price);
};

function unusualAmountRefusal({ quantity, displayQuantity, minimumQuantity, stopPrice, orderType }: PlaceOrder, price: number): RejectCode | undefined {
  if (price === NOT_A_MULTIPLE || stopPrice === NOT_A_MULTIPLE) return 'invalid_tick';
  if (quantity === NOT_A_MULTIPLE || displayQuantity === NOT_A_MULTIPLE || minimumQuantity === NOT_A_MULTIPLE) return 'invalid_step';
  const outside =
    price === OUT_OF_RANGE || !(price > 0 && price <= PRICE_TICKS_MAX) || !(quantity > 0 && quantity <= QUANTITY_STEPS_MAX) ||
    price * quantity > NOTIONAL_MICRO_MAX || displayQuantity < 0 || displayQuantity > quantity || minimumQuantity < 0 ||
    minimumQuantity > quantity || stopPrice < 0 || (isStop(orderType) && stopPrice === 0);
  if (outside) return 'amount_out_of_range';
  return undefined;
}

/** A good-till-date order must expire in the future. */
export const hasExpired = (command: PlaceOrder, now: number): boolean => command.timeInForce === GTD && command.expiresAt <= now;
