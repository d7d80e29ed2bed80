/** What an execution means: fees, the allocation, the postings of the fill. */
import { ACCOUNT } from './accounts.ts';
import { ALLOCATION } from './allocations.ts';
import { feeFloor, feeRemainder } from './holds.ts';
import type { Holds } from './holds.ts';
import { NIL } from './lot_amounts.ts';
import { minutesLeft } from './order_checks.ts';
import type { OrderEvents } from './order_events.ts';
import { FEE_SCALE, PARAMETERS } from './parameters.ts';
import type { State } from './state.ts';
import { MICRO_GPU_SECONDS_PER_STEP } from './units.ts';
import type { Steps, Ticks } from './units.ts';

export class Fills {
  private readonly state: State;
  private readonly holds: Holds;
  private readonly events: OrderEvents;

  constructor(state: State, holds: Holds, events: OrderEvents) {
    this.state = state;
    this.holds = holds;
    this.events = events;
  }

  /** Settles one execution whose quantity has been taken off both orders. */
  execute(maker: number, taker: number, price: number, quantity: number): void {
    const { state } = this;
    const { orders } = state;
    const takerSells = orders.isSell(taker);
    const bid = takerSells ? maker : taker;
    const ask = takerSells ? taker : maker;
    const fee = this.chargeFee(bid, price * quantity, takerSells ? PARAMETERS.makerFee : PARAMETERS.takerFee);
    const allocation = this.allocate(bid, ask, price, quantity, takerSells ? PARAMETERS.takerFee : PARAMETERS.makerFee);
    this.postFill(bid, ask, allocation, price * quantity, fee, quantity);
    const notional = price * quantity;
    orders.setNotional(bid, orders.notional(bid) + notional);
    orders.setNotional(ask, orders.notional(ask) + notional);
    this.countPurchase(orders.company(bid), notional);
    state.companies[orders.company(ask)].undelivered += notional;
    state.supply.sell(orders.cell(ask), quantity, minutesLeft(state.bookOf(orders.book(ask)).hour, state.now));
    this.events.fill(maker, taker, allocation, price, quantity, fee);
  }

  /** Adds a fill's fee to the order's exact sum. Returns what it is charged now. */
  private chargeFee(bid: number, notional: number, rate: number): number {
    const { orders } = this.state;
    const before = orders.feesCharged(bid);
    const fraction = orders.feeFraction(bid) + feeRemainder(notional, rate);
    orders.setFeesFloor(bid, orders.feesFloor(bid) + (feeFloor(notional, rate) + (fraction >= FEE_SCALE ? 1 : 0)));
    orders.setFeeFraction(bid, fraction >= FEE_SCALE ? fraction - FEE_SCALE : fraction);
    return orders.feesCharged(bid) - before;
  }

  private allocate(bid: number, ask: number, price: Ticks, quantity: Steps, sellerFee: number): number {
    const { state } = this;
    const { orders, allocations } = state;
    const row = allocations.create();
    const company = orders.company(bid);
    const book = state.bookOf(orders.book(bid));
    allocations.price[row] = price;
    allocations.quantity[row] = quantity;
    allocations.company[row] = company;
    allocations.provider[row] = orders.company(ask);
    allocations.cell[row] = orders.cell(ask);
    allocations.book[row] = book.row;
    allocations.model[row] = orders.model(bid);
    allocations.sellerFee[row] = sellerFee;
    allocations.redemptionRate[row] = PARAMETERS.redemptionRate;
    allocations.state[row] = ALLOCATION.open;
    const head = state.firstAllocation[company];
    allocations.companyNext[row] = head;
    allocations.companyPrev[row] = NIL;
    if (head !== NIL) allocations.companyPrev[head] = row;
    state.firstAllocation[company] = row;
    allocations.bookNext[row] = book.firstAllocation;
    book.firstAllocation = row;
    book.openAllocations++;
    return row;
  }

  /** CREDIT.md section 4, row "fill". */
  private postFill(bid: number, ask: number, allocation: number, notional: number, fee: number, quantity: Steps): void {
    const { orders, allocations, ledger, supply } = this.state;
    const company = orders.company(bid);
    const holdAfter = orders.remaining(bid) === 0 ? 0 : this.holds.required(bid, orders.price(bid), orders.remaining(bid));
    ledger.begin();
    allocations.funding[allocation] = this.holds.contract(bid, notional, NIL);
    allocations.contract[allocation] = notional;
    const cost = fee === 0 ? 0 : this.holds.retire(bid, fee);
    if (orders.hold(bid) > holdAfter) this.holds.release(bid, orders.hold(bid) - holdAfter);
    const cell = orders.cell(ask);
    const gpu = quantity * MICRO_GPU_SECONDS_PER_STEP;
    ledger.postCell(ACCOUNT['capacity.source'], cell, supply.cellId(cell), gpu);
    ledger.postCell(ACCOUNT['capacity.entitled'], cell, supply.cellId(cell), -gpu);
    ledger.post(ACCOUNT['commission.buyer'], company, -cost);
    ledger.post(ACCOUNT['cash.ops'], company, cost);
    ledger.post(ACCOUNT['cash.escrow'], company, -cost);
    ledger.end();
    this.state.companies[company].retired += fee;
    this.state.companies[company].retiredCost += cost;
  }

  private countPurchase(companyId: number, notional: number): void {
    const company = this.state.companies[companyId];
    const today = this.state.day;
    if (company.boughtOn !== today) {
      company.boughtOn = today;
      company.boughtToday = 0;
    }
    company.boughtToday += notional;
  }
}
