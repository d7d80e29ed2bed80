/** What an execution means: fees, the allocation, the postings of the fill. */
import { ACCOUNT } from '../ledger/accounts.ts';
import { ALLOCATION } from './allocations.ts';
import type { CreditLimits } from '../lending/credit_limits.ts';
import { feeFloor, feeRest } from './holds.ts';
import type { Holds } from './holds.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { minutesLeft } from '../numbers/calendar.ts';
import type { OrderEvents } from '../book/order_events.ts';
import { FLAG } from '../book/orders.ts';
import { FEE_SCALE, PARAMETERS } from '../parameters.ts';
import type { Resales } from '../delivery/resale.ts';
import type { State } from '../state.ts';
import { MICRO_GPU_SECONDS_PER_STEP, MINUTES_PER_HOUR } from '../numbers/units.ts';
import type { Steps, Ticks } from '../numbers/units.ts';

const COMMISSION_BUYER = ACCOUNT['commission.buyer'];
const CAPACITY_SOURCE = ACCOUNT['capacity.source'];
const CAPACITY_ENTITLED = ACCOUNT['capacity.entitled'];

export class Fills {
  private readonly state: State;
  private readonly holds: Holds;
  private readonly events: OrderEvents;
  private readonly resales: Resales;
  private readonly limits: CreditLimits;

  constructor(state: State, holds: Holds, events: OrderEvents, resales: Resales, limits: CreditLimits) {
    this.state = state;
    this.holds = holds;
    this.events = events;
    this.resales = resales;
    this.limits = limits;
  }

  /** Settles one execution whose quantity has been taken off both orders. */
  execute(maker: number, taker: number, price: number, quantity: number): void {
    const { state } = this;
    const { orders } = state;
    const takerSells = orders.isSell(taker);
    const bid = takerSells ? maker : taker;
    const ask = takerSells ? taker : maker;
    const notional = price * quantity;
    const book = orders.book(ask);
    const left = minutesLeft(state.levels.rows.hour(book), state.now);
    const fee = this.chargeFee(bid, notional, takerSells ? PARAMETERS.makerFee : PARAMETERS.takerFee);
    const sellerFee = takerSells ? PARAMETERS.takerFee : PARAMETERS.makerFee;
    const allocation = this.allocate(bid, ask, book, price, quantity, sellerFee, left);
    const resells = (orders.flags(ask) & FLAG.resale) !== 0;
    state.ledger.begin();
    this.postBid(bid, allocation, notional, fee);
    const resaleFee = resells ? this.resell(ask, allocation, price, quantity, sellerFee) : 0;
    if (!resells) this.postCapacity(ask, quantity);
    state.ledger.end();
    orders.setNotional(bid, orders.notional(bid) + notional);
    orders.setNotional(ask, orders.notional(ask) + notional);
    state.standing.countPurchase(orders.company(bid), state.day, notional);
    if (!resells) {
      const seller = orders.company(ask);
      state.standing.setUndelivered(seller, state.standing.undelivered(seller) + notional);
      state.supply.sell(orders.cell(ask), quantity, left);
    }
    if (this.limits.isFinanced(orders.company(bid))) {
      this.limits.concentration.count(allocation);
      if (orders.remaining(bid) > 0) this.limits.concentration.eased(bid);
    }
    this.events.fill(maker, taker, allocation, price, quantity, fee);
    if (resells) this.resales.tell(ask, allocation, quantity, resaleFee);
  }

  /** The seller's half of a resale: the provider's terms stay those of its own sale. Returns the fee it is charged now. */
  private resell(ask: number, allocation: number, price: Ticks, quantity: Steps, sellerFee: number): number {
    const { allocations } = this.state;
    const source = this.resales.sourceOf(ask);
    allocations.provider[allocation] = allocations.provider[source];
    allocations.sellerFee[allocation] = allocations.sellerFee[source];
    allocations.redemptionRate[allocation] = allocations.redemptionRate[source];
    const fee = this.chargeFee(ask, Math.min(price, allocations.price[source]) * quantity, sellerFee);
    this.resales.release(ask, allocation, price, quantity, fee, sellerFee);
    return fee;
  }

  /** Adds a fill's fee to the order's exact sum. Returns what it is charged now. */
  private chargeFee(row: number, notional: number, rate: number): number {
    const { orders } = this.state;
    const before = orders.feesCharged(row);
    const floor = feeFloor(notional, rate);
    const fraction = orders.feeFraction(row) + feeRest(notional, rate, floor);
    orders.setFeesFloor(row, orders.feesFloor(row) + (floor + (fraction >= FEE_SCALE ? 1 : 0)));
    orders.setFeeFraction(row, fraction >= FEE_SCALE ? fraction - FEE_SCALE : fraction);
    return orders.feesCharged(row) - before;
  }

  private allocate(bid: number, ask: number, book: number, price: Ticks, quantity: Steps, sellerFee: number, left: number): number {
    const { state } = this;
    const { orders, allocations } = state;
    const row = allocations.create();
    const company = orders.company(bid);
    allocations.price[row] = price;
    allocations.quantity[row] = quantity;
    allocations.company[row] = company;
    allocations.provider[row] = orders.company(ask);
    allocations.cell[row] = orders.cell(ask);
    allocations.book[row] = book;
    allocations.model[row] = orders.model(bid);
    allocations.sellerFee[row] = sellerFee;
    allocations.redemptionRate[row] = this.state.money.redemptionRate;
    allocations.state[row] = ALLOCATION.open;
    allocations.bought[row] = quantity;
    allocations.fromMinute[row] = MINUTES_PER_HOUR - left;
    const head = state.standing.firstAllocation(company);
    allocations.companyNext[row] = head;
    allocations.companyPrev[row] = NIL;
    if (head !== NIL) allocations.companyPrev[head] = row;
    state.standing.setFirstAllocation(company, row);
    const { rows } = state.levels;
    allocations.bookNext[row] = rows.firstAllocation(book);
    rows.setFirstAllocation(book, row);
    rows.setOpenAllocations(book, rows.openAllocations(book) + 1);
    return row;
  }

  /** CREDIT.md section 4, row "fill", the buyer's half. */
  private postBid(bid: number, allocation: number, notional: number, fee: number): void {
    const { orders, allocations, ledger, standing } = this.state;
    const company = orders.company(bid);
    const holdAfter = orders.remaining(bid) === 0 ? 0 : this.holds.required(bid, orders.price(bid), orders.remaining(bid));
    const released = bid === this.holds.leaving ? 0 : orders.hold(bid) - notional - fee - holdAfter;
    const cost = this.holds.settle(bid, notional, fee, released);
    allocations.funding[allocation] = this.holds.funding;
    allocations.contract[allocation] = notional;
    allocations.fee[allocation] = fee;
    allocations.feeLots[allocation] = this.holds.retired;
    if (cost !== 0) ledger.earn(COMMISSION_BUYER, company, cost);
    if (fee !== 0) standing.countRetired(company, fee, cost);
  }

  /** A provider has sold of its capacity. */
  private postCapacity(ask: number, quantity: Steps): void {
    const { orders, ledger, supply } = this.state;
    const cell = orders.cell(ask);
    const gpu = quantity * MICRO_GPU_SECONDS_PER_STEP;
    ledger.transferCell(CAPACITY_SOURCE, CAPACITY_ENTITLED, cell, supply.cellId(cell), gpu);
  }
}
