/** What an execution means: fees, the allocation, the postings of the fill. */
import { ACCOUNT } from '../ledger/accounts.ts';
import type { CreditLimits } from '../lending/credit_limits.ts';
import { feeFloor, feeRest } from './holds.ts';
import type { Holds } from './holds.ts';
import { minutesLeft } from '../numbers/calendar.ts';
import type { OrderEvents } from '../book/order_events.ts';
import { FLAG, roundedFees } from '../book/orders.ts';
import { FEE_SCALE, PARAMETERS } from '../parameters.ts';
import type { CompanyId, ModelId } from '../vocabulary.ts';
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

  /** Settles one execution whose quantity has been taken off both orders. What is asked of them more than once is read once: V8 reads a typed array anew each time. */
  execute(maker: number, taker: number, price: number, quantity: number): void {
    const { state } = this;
    const { orders, standing } = state;
    const takerSells = orders.isSell(taker);
    const bid = takerSells ? maker : taker;
    const ask = takerSells ? taker : maker;
    const buyer = orders.company(bid);
    const seller = orders.company(ask);
    const cell = orders.cell(ask);
    const notional = price * quantity;
    const book = orders.book(ask);
    const left = minutesLeft(state.levels.rows.hour(book), state.now);
    const fee = this.chargeFee(bid, notional, takerSells ? PARAMETERS.makerFee : PARAMETERS.takerFee);
    const sellerFee = takerSells ? PARAMETERS.takerFee : PARAMETERS.makerFee;
    const model = orders.model(bid);
    const allocation = this.allocate(buyer, seller, cell, book, model, price, quantity, sellerFee, left);
    const resells = (orders.flags(ask) & FLAG.resale) !== 0;
    state.ledger.begin();
    this.postBid(bid, buyer, allocation, notional, fee);
    const resaleFee = resells ? this.resell(ask, allocation, price, quantity, sellerFee) : 0;
    if (!resells) this.postCapacity(cell, quantity);
    state.ledger.end();
    orders.setNotional(bid, orders.notional(bid) + notional);
    orders.setNotional(ask, orders.notional(ask) + notional);
    standing.countPurchase(buyer, state.day, notional);
    if (!resells) {
      standing.setUndelivered(seller, standing.undelivered(seller) + notional);
      state.supply.sell(cell, quantity, left);
    }
    if (this.limits.isFinanced(buyer)) {
      this.limits.concentration.count(allocation);
      if (orders.remaining(bid) > 0) this.limits.concentration.eased(bid);
    }
    this.events.fill(maker, taker, bid, buyer, seller, book, allocation, model, price, quantity, fee);
    if (resells) this.resales.tell(ask, allocation, quantity, resaleFee);
  }

  /** The seller's half of a resale: the provider's terms stay those of its own sale. Returns the fee it is charged now. */
  private resell(ask: number, allocation: number, price: Ticks, quantity: Steps, sellerFee: number): number {
    const { allocations } = this.state;
    const source = this.resales.sourceOf(ask);
    allocations.setProvider(allocation, allocations.provider(source));
    allocations.setSellerFee(allocation, allocations.sellerFee(source));
    allocations.setRedemptionRate(allocation, allocations.redemptionRate(source));
    const fee = this.chargeFee(ask, Math.min(price, allocations.price(source)) * quantity, sellerFee);
    this.resales.release(ask, allocation, price, quantity, fee, sellerFee);
    return fee;
  }

  /** Adds a fill's fee to the order's exact sum. Returns what it is charged now. */
  private chargeFee(row: number, notional: number, rate: number): number {
    const { orders } = this.state;
    const floorBefore = orders.feesFloor(row);
    const fractionBefore = orders.feeFraction(row);
    const added = feeFloor(notional, rate);
    const sum = fractionBefore + feeRest(notional, rate, added);
    const floor = floorBefore + (added + (sum >= FEE_SCALE ? 1 : 0));
    const fraction = sum >= FEE_SCALE ? sum - FEE_SCALE : sum;
    orders.setFeesFloor(row, floor);
    orders.setFeeFraction(row, fraction);
    return roundedFees(floor, fraction) - roundedFees(floorBefore, fractionBefore);
  }

  private allocate(buyer: CompanyId, seller: CompanyId, cell: number, book: number, model: ModelId, price: Ticks, quantity: Steps, sellerFee: number, left: number): number {
    const { state } = this;
    const { allocations } = state;
    const row = allocations.create();
    allocations.open(row, buyer, seller, cell, book, model, price, quantity);
    allocations.stamp(row, state.money.redemptionRate, sellerFee, MINUTES_PER_HOUR - left);
    const { rows } = state.levels;
    allocations.link(row, state.standing.firstAllocation(buyer), rows.firstAllocation(book));
    state.standing.setFirstAllocation(buyer, row);
    rows.setFirstAllocation(book, row);
    rows.setOpenAllocations(book, rows.openAllocations(book) + 1);
    return row;
  }

  /** CREDIT.md section 4, row "fill", the buyer's half. */
  private postBid(bid: number, buyer: CompanyId, allocation: number, notional: number, fee: number): void {
    const { orders, allocations, ledger, standing } = this.state;
    const remaining = orders.remaining(bid);
    const holdAfter = remaining === 0 ? 0 : this.holds.required(bid, orders.price(bid), remaining);
    const released = bid === this.holds.leaving ? 0 : orders.hold(bid) - notional - fee - holdAfter;
    const cost = this.holds.settle(bid, notional, fee, released);
    allocations.pay(allocation, this.holds.funding, notional, fee, this.holds.retired);
    if (cost !== 0) ledger.earn(COMMISSION_BUYER, buyer, cost);
    if (fee !== 0) standing.countRetired(buyer, fee, cost);
  }

  /** A provider has sold of its capacity. */
  private postCapacity(cell: number, quantity: Steps): void {
    const { ledger, supply } = this.state;
    const gpu = quantity * MICRO_GPU_SECONDS_PER_STEP;
    ledger.transferCell(CAPACITY_SOURCE, CAPACITY_ENTITLED, cell, supply.cellId(cell), gpu);
  }
}
