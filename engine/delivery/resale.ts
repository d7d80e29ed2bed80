/**
 * Resale of capacity that a buyer has not consumed. It releases, it does not pay: the new buyer's
 * credit takes the place of the seller's, which returns to the lots that paid (CREDIT.md section 4).
 *
 * What an allocation owes when it is delivered may have several sides then. Its holder retires what
 * it paid; the provider earns by its own first sale; every reseller between them has a leg: sold below
 * cost, it leaves the difference in contract; sold above, it earns the excess at delivery.
 */
import { ACCOUNT } from '../ledger/accounts.ts';
import { ALLOCATION } from '../trading/allocations.ts';
import type { RejectCode } from '../catalogue.ts';
import { BUY } from '../vocabulary.ts';
import type { PlaceOrder } from '../commands.ts';
import type { CompanyId, FacilityId } from '../vocabulary.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { mulDiv } from '../numbers/muldiv.ts';
import { FEE_SCALE, PARAMETERS } from '../parameters.ts';
import type { Chain, Leg } from './records.ts';
import { minutesLeft } from '../numbers/calendar.ts';
import type { State } from '../state.ts';
import { occupancy, wholeSteps } from '../trading/supply.ts';
import { TIMER } from '../time/timers.ts';
import type { Micro, MicroGpuSeconds, Steps, Ticks } from '../numbers/units.ts';
import { MICRO, MICRO_GPU_SECONDS_PER_STEP } from '../numbers/units.ts';

const MINUTES = 60;
const NOTHING_YET = { spent: NIL, refunded: 0, retired: 0, gross: 0, commission: 0, prepaid: false };

/** What the legs of a chain brought in one delivery, micro-USD. */
export interface LegsDelivered {
  /** Cost of the credits that resellers below cost had left in contract. */
  cost: Micro;
  /** Redemption value of what resellers above cost gained, and the commission out of it. */
  gross: Micro;
  commission: Micro;
}

export class Resales {
  private readonly state: State;
  /** Lots that the open fill has extended. */
  private readonly extended: number[] = [];

  constructor(state: State) {
    this.state = state;
  }

  /** Whether the company may offer this allocation at all. */
  partyRefusal(command: PlaceOrder): RejectCode | undefined {
    const { allocations, companies } = this.state;
    if (command.side === BUY || companies[command.company].role !== 'borrower') return 'not_authorized';
    const row = allocations.rowOf(command.resaleOf);
    if (row === NIL || allocations.company(row) !== command.company || allocations.state(row) !== ALLOCATION.open) return 'unknown_allocation';
    const book = this.state.bookOf(allocations.book(row));
    return book.market === command.market && book.hour === command.hour ? undefined : 'invalid_parameter';
  }

  /**
   * Whether `quantity` more may be offered: it is neither consumed, nor held for requests under way,
   * nor on offer already, and the running hour has that much left of what was bought.
   */
  covers(command: PlaceOrder): boolean {
    const { allocations } = this.state;
    const row = allocations.rowOf(command.resaleOf);
    const offered = allocations.offered(row) + command.quantity;
    const spoken = allocations.usedGpu(row) + allocations.failedGpu(row) + Math.max(0, command.held ?? 0);
    if (offered * MICRO_GPU_SECONDS_PER_STEP + spoken > allocations.quantity(row) * MICRO_GPU_SECONDS_PER_STEP) return false;
    return this.fitsHour(row, offered);
  }

  /** In the running hour: sold of it and offered, as GPUs, are at most what was bought. */
  fitsHour(row: number, offered: Steps): boolean {
    const { allocations, spotResales, now } = this.state;
    const left = minutesLeft(this.state.bookOf(allocations.book(row)).hour, now);
    if (left >= MINUTES) return true;
    const sold = spotResales.get(row);
    return (sold?.occupied ?? 0n) + occupancy(offered, left) <= wholeSteps(sold?.bought ?? allocations.quantity(row));
  }

  /** The allocation that a resale ask offers. */
  sourceOf(ask: number): number {
    const { orders, allocations } = this.state;
    return allocations.rowOf(orders.extra(ask)?.resaleOf ?? 0);
  }

  /** Counts what a resale ask offers: it cannot be consumed meanwhile. */
  offer(ask: number, change: Steps): void {
    if (change === 0) return;
    const { allocations, buffer } = this.state;
    const row = this.sourceOf(ask);
    allocations.setOffered(row, allocations.offered(row) + change);
    buffer.emit('resaleOffered', {
      allocation: allocations.idOf(row), company: allocations.company(row), hour: this.state.bookOf(allocations.book(row)).hour, offered: allocations.offered(row),
    });
  }

  /**
   * A resale ask has traded: CREDIT.md section 4, row "resale", the seller's half; inside the open
   * transaction of the fill. `fee` is what the order is charged now, in micro-CR of what is released.
   */
  release(ask: number, allocation: number, price: Ticks, quantity: Steps, fee: Micro, sellerFee: number): void {
    const { allocations, amounts } = this.state;
    const source = this.sourceOf(ask);
    const cost = allocations.price(source);
    const carved = this.carve(source, quantity);
    const kept = Math.max(0, cost - price) * quantity;
    const [left, released] = amounts.split(carved, kept);
    const legs = this.splitLegs(source, quantity);
    if (price !== cost) {
      legs.push({
        company: allocations.company(source), gain: price - cost, funding: left, facility: price > cost ? this.financierOf(released) : NIL,
        redemptionRate: this.state.money.redemptionRate, sellerFee, ...NOTHING_YET,
      });
    }
    const basePrice = this.state.chains.get(source)?.basePrice ?? cost;
    if (legs.length > 0) this.state.chains.set(allocation, { basePrice, owed: 0, legs });
    this.giveBack(allocations.company(source), released, fee);
    this.count(source, quantity);
  }

  /** Tells of what `release` has done, when the fill's transaction is closed. */
  tell(ask: number, allocation: number, quantity: Steps, fee: Micro): void {
    const { allocations, orders, buffer } = this.state;
    this.tellExtended();
    const source = this.sourceOf(ask);
    buffer.emit('allocationResold', {
      allocation: allocations.idOf(source), quantity, to: allocations.idOf(allocation), company: orders.company(ask), order: orders.idOf(ask), fee,
    });
  }

  /** Tells of expired lots that a refund has given a later date, when its transaction is closed. */
  tellExtended(): void {
    const { buffer, lots } = this.state;
    for (const lot of this.extended.splice(0)) buffer.emit('lotExtended', { lot, expiresAt: lots.rows[lot].expiresAt });
  }

  /** Takes the last credits that fund `quantity` steps out of the allocation's contract. */
  private carve(source: number, quantity: Steps): number {
    const { allocations, amounts } = this.state;
    const credits = allocations.price(source) * quantity;
    const [head, tail] = amounts.split(amounts.divisible(allocations.funding(source), allocations.contract(source)), allocations.contract(source) - credits);
    allocations.setFunding(source, head);
    allocations.setContract(source, allocations.contract(source) - credits);
    return tail;
  }

  /** What earlier resellers owe or are owed for `quantity` of the steps goes with them. */
  private splitLegs(source: number, quantity: Steps): Leg[] {
    const { amounts, chains } = this.state;
    const chain = chains.get(source);
    if (chain === undefined) return [];
    return chain.legs.map((leg) => {
      const [head, tail] = amounts.split(leg.funding, amounts.sum(leg.funding) + Math.min(0, leg.gain) * quantity);
      leg.funding = head;
      return { ...leg, funding: tail, ...NOTHING_YET };
    });
  }

  /** The facility whose money bought the first of these credits that were financed. */
  private financierOf(list: number): FacilityId {
    const { amounts, lots } = this.state;
    for (let node = list; node !== NIL; node = amounts.next(node)) {
      const { facility } = lots.rows[amounts.lot(node)];
      if (facility !== NIL) return facility;
    }
    return NIL;
  }

  /** Retires the fee, first lot first, and makes the rest available again. Drops the list. */
  giveBack(company: CompanyId, list: number, fee: Micro): void {
    const { amounts, ledger, lots, companies } = this.state;
    let feeLeft = fee;
    let cost = 0;
    for (let node = list; node !== NIL; node = amounts.next(node)) {
      const lot = amounts.lot(node);
      const retired = Math.min(feeLeft, amounts.amount(node));
      ledger.reserve(16);
      if (retired > 0) cost += lots.postRelease(lots.rows[lot], retired);
      ledger.post(ACCOUNT['lot.contracted'], lot, amounts.amount(node));
      ledger.post(ACCOUNT['lot.issued'], lot, -retired);
      ledger.post(ACCOUNT['lot.available'], lot, -(amounts.amount(node) - retired));
      feeLeft -= retired;
    }
    ledger.reserve(8);
    ledger.post(ACCOUNT['commission.buyer'], company, -cost);
    ledger.post(ACCOUNT['cash.ops'], company, cost);
    ledger.post(ACCOUNT['cash.escrow'], company, -cost);
    companies[company].retired += fee;
    companies[company].retiredCost += cost;
    this.extendExpired(list);
    amounts.dropAll(list);
  }

  /** Credit that returns to an expired lot can be spent for a while. */
  extendExpired(list: number): void {
    const { amounts, lots, timers, now } = this.state;
    for (let node = list; node !== NIL; node = amounts.next(node)) {
      const lot = lots.rows[amounts.lot(node)];
      if (lot.expiresAt > now) continue;
      lots.extend(lot, now + PARAMETERS.refundedLotExtension);
      timers.add(lot.expiresAt, TIMER.lotExpiry, lot.lot);
      this.extended.push(lot.lot);
    }
  }

  /** The steps have changed hands. */
  private count(source: number, quantity: Steps): void {
    const { allocations, spotResales, now } = this.state;
    const left = minutesLeft(this.state.bookOf(allocations.book(source)).hour, now);
    if (left < MINUTES) {
      const sold = spotResales.get(source) ?? { bought: allocations.quantity(source), occupied: 0n };
      sold.occupied += occupancy(quantity, left);
      spotResales.set(source, sold);
    }
    allocations.setOffered(source, allocations.offered(source) - quantity);
    allocations.setQuantity(source, allocations.quantity(source) - quantity);
  }

  /**
   * Posts what a delivery means to the resellers, inside its open transaction. `delivered`: GPU time
   * of the allocation delivered so far. A gain that prepays a loan waits as a payable until `settle`.
   */
  deliver(chain: Chain, delivered: MicroGpuSeconds, earn: (company: CompanyId, amount: Micro) => void): LegsDelivered {
    const sums: LegsDelivered = { cost: 0, gross: 0, commission: 0 };
    for (const leg of chain.legs) {
      const total = mulDiv(delivered, Math.abs(leg.gain), MICRO_GPU_SECONDS_PER_STEP);
      if (leg.gain < 0) sums.cost += this.retire(leg, total - leg.retired);
      else this.payGain(leg, total, sums, earn);
      leg.retired = total;
    }
    return sums;
  }

  private retire(leg: Leg, credits: Micro): Micro {
    const { companies } = this.state;
    const funded = this.retireFrom(leg.funding, credits, leg.spent);
    leg.funding = funded.list;
    leg.spent = funded.spent;
    companies[leg.company].retired += credits;
    companies[leg.company].retiredCost += funded.cost;
    return funded.cost;
  }

  private payGain(leg: Leg, total: Micro, sums: LegsDelivered, earn: (company: CompanyId, amount: Micro) => void): void {
    const gross = mulDiv(total, leg.redemptionRate, MICRO);
    const commission = mulDiv(total, leg.redemptionRate * leg.sellerFee, MICRO * FEE_SCALE);
    const net = gross - leg.gross - (commission - leg.commission);
    this.state.ledger.reserve(8);
    this.state.ledger.post(ACCOUNT['provider.payable'], leg.company, -net);
    this.state.companies[leg.company].earned += net;
    if (leg.facility === NIL) earn(leg.company, net);
    sums.gross += gross - leg.gross;
    sums.commission += commission - leg.commission;
    leg.gross = gross;
    leg.commission = commission;
  }

  /**
   * Takes back what a delivery had meant to the resellers, so that `delivered` is left of it; inside an
   * open transaction. `remint` gives credit back into its lots, `clawBack` takes what was earned.
   */
  undeliver(chain: Chain, delivered: MicroGpuSeconds, remint: (company: CompanyId, list: number, keep: Micro) => { rest: number; cost: Micro }, clawBack: (company: CompanyId, amount: Micro) => void): LegsDelivered {
    const sums: LegsDelivered = { cost: 0, gross: 0, commission: 0 };
    for (const leg of chain.legs) {
      const total = mulDiv(delivered, Math.abs(leg.gain), MICRO_GPU_SECONDS_PER_STEP);
      if (leg.gain < 0) {
        const reminted = remint(leg.company, leg.spent, total);
        leg.spent = reminted.rest;
        leg.refunded += leg.retired - total;
        sums.cost += reminted.cost;
      } else {
        this.takeGain(leg, total, sums, clawBack);
      }
      leg.retired = total;
    }
    return sums;
  }

  private takeGain(leg: Leg, total: Micro, sums: LegsDelivered, clawBack: (company: CompanyId, amount: Micro) => void): void {
    const gross = leg.gross - mulDiv(total, leg.redemptionRate, MICRO);
    const commission = leg.commission - mulDiv(total, leg.redemptionRate * leg.sellerFee, MICRO * FEE_SCALE);
    // A gain that is to prepay a loan has not been noted as payable to anybody yet.
    if (leg.facility !== NIL && !leg.prepaid) {
      this.state.ledger.post(ACCOUNT['provider.payable'], leg.company, gross - commission);
      this.state.companies[leg.company].earned -= gross - commission;
    } else {
      clawBack(leg.company, gross - commission);
    }
    sums.gross += gross;
    sums.commission += commission;
    leg.gross -= gross;
    leg.commission -= commission;
  }

  /** Retires contracted credit, first lot first, and notes it at the end of `spent`. Returns both lists and what the credit cost. */
  retireFrom(list: number, credits: Micro, spent: number): { list: number; spent: number; cost: Micro } {
    const { amounts, ledger, lots } = this.state;
    let rest = list;
    let noted = spent;
    let cost = 0;
    for (let left = credits; left > 0; ) {
      const lot = amounts.lot(rest);
      const part = Math.min(left, amounts.amount(rest));
      ledger.reserve(8);
      cost += lots.postRelease(lots.rows[lot], part);
      ledger.post(ACCOUNT['lot.contracted'], lot, part);
      ledger.post(ACCOUNT['lot.issued'], lot, -part);
      noted = amounts.append(noted, lot, part);
      rest = amounts.takeFirst(rest, part);
      left -= part;
    }
    return { list: rest, spent: noted, cost };
  }

  /** The allocation is delivered. Returns the legs that have a loan to prepay now. */
  finish(row: number): Leg[] {
    this.state.spotResales.delete(row);
    const legs = (this.state.chains.get(row)?.legs ?? []).filter((leg) => leg.facility !== NIL && leg.gross > leg.commission);
    for (const leg of legs) leg.prepaid = true;
    return legs;
  }

  /** No failure of the allocation can be found any more: what is kept of its resales goes. */
  forget(row: number): void {
    const { chains, amounts } = this.state;
    for (const leg of chains.get(row)?.legs ?? []) {
      amounts.dropAll(leg.funding);
      amounts.dropAll(leg.spent);
    }
    chains.delete(row);
  }
}
