/**
 * What a bid reserves and what a fill takes of it. A hold names its lots at entry, first-expiring
 * first, then oldest; a fill takes them in that order; what is released goes back from the last lot.
 */
import { ACCOUNT } from '../ledger/accounts.ts';
import type { CompanyId } from '../vocabulary.ts';
import { NIL, isWhole, wholeOf } from '../ledger/lot_amounts.ts';
import { BUYER_FEE_MAX, FEE_SCALE } from '../parameters.ts';
import type { State } from '../state.ts';
import type { Micro, Steps, Ticks } from '../numbers/units.ts';

const AVAILABLE = ACCOUNT['lot.available'];
const HELD = ACCOUNT['lot.held'];
const CONTRACTED = ACCOUNT['lot.contracted'];
const ISSUED = ACCOUNT['lot.issued'];
const SAFE = Number.MAX_SAFE_INTEGER;

/** floor(amount x rate / 1e6); exact for any notional. */
export const feeFloor = (amount: Micro, rate: number): Micro => {
  const product = amount * rate;
  return product <= SAFE ? Math.floor(product / FEE_SCALE) : feeFloorInParts(amount, rate);
};

function feeFloorInParts(amount: Micro, rate: number): Micro {
  const high = Math.floor(amount / FEE_SCALE);
  return high * rate + Math.floor(((amount - high * FEE_SCALE) * rate) / FEE_SCALE);
}

/** (amount x rate) mod 1e6, of which the floor is known. */
export const feeRest = (amount: Micro, rate: number, floor: Micro): number => {
  const product = amount * rate;
  if (product <= SAFE) return product - floor * FEE_SCALE;
  return remainder(remainder(amount) * rate);
};

/** value mod 1e6 of a whole number; the operator % is a library call on doubles. */
const remainder = (value: number): number => value - Math.floor(value / FEE_SCALE) * FEE_SCALE;

/**
 * The hold of an open bid: remaining notional + ceil(exact fees so far + remaining notional x highest
 * buyer fee) - fees charged.
 */
export const requiredHold = (remainingNotional: Micro, feesFloor: Micro, feeFraction: number, feesCharged: Micro): Micro => {
  const floor = feeFloor(remainingNotional, BUYER_FEE_MAX);
  // Each of the two is less than a whole, so that their sum rounds up to none, one or two.
  const fraction = feeFraction + feeRest(remainingNotional, BUYER_FEE_MAX, floor);
  return remainingNotional + feesFloor + floor + (fraction > FEE_SCALE ? 2 : fraction > 0 ? 1 : 0) - feesCharged;
};

export class Holds {
  /** Lists of (lot, credits) that the last contract and the last fee took. */
  funding = NIL;
  retired = NIL;
  /** The bid that is matched at this moment and leaves with the command, if it holds what it executes and no more: of its hold nothing is released before. */
  leaving = NIL;
  private readonly state: State;

  constructor(state: State) {
    this.state = state;
  }

  /** What an order must hold for `remaining` at a limit. */
  required(row: number, price: Ticks, remaining: Steps): Micro {
    const { orders } = this.state;
    return requiredHold(price * remaining, orders.feesFloor(row), orders.feeFraction(row), orders.feesCharged(row));
  }

  /** Whether the company may still hold so much; nearly always its first lot alone says so. */
  covers(company: CompanyId, amount: Micro): boolean {
    const lot = this.state.standing.firstLot(company);
    if (lot !== NIL && this.state.lots.spendable(lot) >= amount) return true;
    return this.spendable(company, amount) >= amount;
  }

  /** Credit the company may still hold; stops counting at `enough`. */
  spendable(company: CompanyId, enough: Micro): Micro {
    const { lots, standing } = this.state;
    let sum = 0;
    for (let lot = standing.firstLot(company); lot !== NIL && sum < enough; lot = lots.nextUsable(lot)) sum += lots.spendable(lot);
    return sum;
  }

  /** Whether some of the company's available credit is blocked. */
  isBlocked(company: CompanyId): boolean {
    const { lots } = this.state;
    return lots.usable[company].some((lot) => lots.rows[lot].blocked > 0 && lots.available(lot) > 0);
  }

  /** As `reserve` of an order that holds nothing yet, in a transaction of its own. */
  open(row: number, company: CompanyId, amount: Micro): void {
    const { lots, orders, amounts, ledger, standing, rulesVersion } = this.state;
    const lot = standing.firstLot(company);
    // Nearly every hold is of one lot: without a loop the compiler still knows afterwards what it knew before.
    if (lot !== NIL && amount > 0 && lots.spendable(lot) >= amount) {
      ledger.transferAlone(AVAILABLE, HELD, lot, amount);
      orders.setHoldList(row, rulesVersion >= 10 ? wholeOf(lot) : amounts.create(lot, amount, NIL));
      orders.setHold(row, amount);
      return;
    }
    ledger.begin();
    this.reserve(row, amount);
    ledger.end();
  }

  /** As `release` of all that an order holds, in a transaction of its own. */
  close(row: number): void {
    const { orders, ledger } = this.state;
    const amount = orders.hold(row);
    const list = orders.holdList(row);
    if (isWhole(list)) {
      ledger.transferAlone(HELD, AVAILABLE, wholeOf(list), amount);
      orders.setHoldList(row, NIL);
      orders.setHold(row, 0);
      return;
    }
    ledger.begin();
    this.release(row, amount);
    ledger.end();
  }

  /** Moves credit from available to held for an order. The caller has checked that it is there. Posts inside an open transaction. */
  reserve(row: number, amount: Micro): void {
    const { lots, orders, amounts, ledger, standing } = this.state;
    let left = amount;
    this.divide(row);
    for (let lot = standing.firstLot(orders.company(row)); left > 0; lot = lots.nextUsable(lot)) {
      const part = Math.min(left, lots.spendable(lot));
      if (part === 0) continue;
      ledger.transfer(AVAILABLE, HELD, lot, part);
      if (orders.holdList(row) === NIL) orders.setHoldList(row, amounts.create(lot, part, NIL));
      else amounts.append(orders.holdList(row), lot, part);
      left -= part;
    }
    orders.setHold(row, orders.hold(row) + amount);
  }

  /** Moves credit of an order from held back to available, last lot first. */
  release(row: number, amount: Micro): void {
    const { orders, amounts, ledger } = this.state;
    let left = amount;
    this.divide(row);
    while (left > 0) {
      const node = amounts.last(orders.holdList(row));
      const lot = amounts.lot(node);
      const part = Math.min(left, amounts.amount(node));
      ledger.transfer(HELD, AVAILABLE, lot, part);
      if (part === amounts.amount(node)) orders.setHoldList(row, amounts.dropLast(orders.holdList(row)));
      else amounts.setAmount(node, amounts.amount(node) - part);
      left -= part;
    }
    orders.setHold(row, orders.hold(row) - amount);
  }

  /** Moves held credit into contract, first lot first. Returns the list of (lot, credits) that funds the allocation. */
  contract(row: number, amount: Micro, funding: number): number {
    const { orders, amounts, ledger } = this.state;
    let list = funding;
    let left = amount;
    this.divide(row);
    while (left > 0) {
      const first = orders.holdList(row);
      const lot = amounts.lot(first);
      const part = Math.min(left, amounts.amount(first));
      ledger.transfer(HELD, CONTRACTED, lot, part);
      orders.setHoldList(row, amounts.takeFirst(first, part));
      list = amounts.append(list, lot, part);
      left -= part;
    }
    orders.setHold(row, orders.hold(row) - amount);
    return list;
  }

  /**
   * What a fill takes of a hold: into contract, retired as its fee, and given back, the rest stays held. Afterwards `funding` and
   * `retired` name the lots. Returns what the fee's credit cost.
   */
  settle(row: number, contracted: Micro, fee: Micro, released: Micro): Micro {
    const { orders } = this.state;
    const list = orders.holdList(row);
    // Nearly every hold is of one lot and covers more than contract and fee: one walk does all.
    if (isWhole(list) && fee > 0 && orders.hold(row) > contracted + fee && released >= 0) return this.settleWhole(row, list, contracted, fee, released);
    this.funding = this.contract(row, contracted, NIL);
    const cost = fee === 0 ? 0 : this.retire(row, fee);
    if (fee === 0) this.retired = NIL;
    if (released > 0) this.release(row, released);
    return cost;
  }

  private settleWhole(row: number, list: number, contracted: Micro, fee: Micro, released: Micro): Micro {
    const { ledger, orders } = this.state;
    const kept = orders.hold(row) - contracted - fee - released;
    this.funding = list;
    this.retired = list;
    if (kept === 0) orders.setHoldList(row, NIL);
    orders.setHold(row, kept);
    return ledger.settleHeld(wholeOf(list), contracted, fee, released);
  }

  /** Makes an order's list one that can be divided. */
  private divide(row: number): void {
    const { orders, amounts } = this.state;
    if (isWhole(orders.holdList(row))) orders.setHoldList(row, amounts.divisible(orders.holdList(row), orders.hold(row)));
  }

  /** Retires held credit as a fee, first lot first; `retired` then names its lots. Returns what that credit cost in USD. */
  retire(row: number, amount: Micro): Micro {
    const { orders, amounts, ledger, lots } = this.state;
    this.retired = NIL;
    let left = amount;
    let cost = 0;
    this.divide(row);
    while (left > 0) {
      const first = orders.holdList(row);
      const lot = amounts.lot(first);
      const part = Math.min(left, amounts.amount(first));
      cost += lots.postReleaseOf(lot, part);
      ledger.transfer(HELD, ISSUED, lot, part);
      orders.setHoldList(row, amounts.takeFirst(first, part));
      this.retired = amounts.append(this.retired, lot, part);
      left -= part;
    }
    orders.setHold(row, orders.hold(row) - amount);
    return cost;
  }
}
