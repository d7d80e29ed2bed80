/** What a lender would lose of a facility with nothing but its collateral in hand: CREDIT.md section 6. */
import { NIL } from '../ledger/lot_amounts.ts';
import { totalDebt } from './debt.ts';
import { isTagged } from './facility.ts';
import type { Facility } from './facility.ts';
import { collateralMark } from './marks.ts';
import { mulDiv } from '../numbers/muldiv.ts';
import { PARAMETERS } from '../parameters.ts';
import type { Payer } from './payers.ts';
import type { State } from '../state.ts';
import type { HourBook } from '../trading/markets.ts';
import { MICRO, MILLIS_PER_HOUR } from '../numbers/units.ts';
import type { Hour, Micro, Ppm, Ticks } from '../numbers/units.ts';

/** What unspent credit cost that stands behind the debt: what is paid in full is nobody's collateral. */
export function unspentCost({ lots }: State, facility: Facility): Micro {
  return lots.of(facility.facility).reduce((sum, lot) => (isTagged(facility, lot.lot) ? sum + lots.cost(lot, lots.available(lot.lot) + lots.held(lot.lot)) : sum), 0);
}

const unspentDebt = (state: State, facility: Facility): Micro => totalDebt(state, facility) - unspentCost(state, facility);

/** Net unsecured exposure: debt less unspent credit at cost, less what was bought with it at the lower of price and mark, after a haircut. */
export function exposureOf(state: State, facility: Facility): Micro {
  const { allocations, amounts, lots, standing } = state;
  let sum = unspentDebt(state, facility);
  for (let row = standing.firstAllocation(facility.company); row !== NIL; row = allocations.companyNext(row)) {
    const book = state.bookOf(allocations.book(row));
    for (let node = allocations.funding(row); node !== NIL; node = amounts.next(node)) {
      const lot = lots.rows[amounts.lot(node)];
      if (lot.facility !== facility.facility || !isTagged(facility, lot.lot)) continue;
      sum -= collateralValue(state, lots.cost(lot, amounts.part(node, allocations.contract(row))), allocations.price(row), book.market, book.hour, book);
    }
  }
  return sum;
}

export const exposureLimit = ({ amount, grade }: Facility): Micro => mulDiv(amount, PARAMETERS.exposureShare[grade], MICRO);

/** The highest of the steps that unsecured exposure has reached: a warning, the limit, well beyond it; 0 when none. */
export function exposureStep(state: State, facility: Facility): Ppm {
  const limit = exposureLimit(facility);
  const steps = [PARAMETERS.exposureForced, PARAMETERS.exposureCalled, PARAMETERS.exposureWarned];
  const reached = (sum: Micro): Ppm => steps.find((step) => sum >= mulDiv(limit, step, MICRO)) ?? 0;
  return reached(unspentDebt(state, facility)) === 0 ? 0 : reached(exposureOf(state, facility));
}

/** Whether the spending would leave the lender exposed beyond the limit. */
export function isExposedBy(state: State, { facility, cost, fee }: Payer, worth: (cost: Micro) => Micro): boolean {
  const limit = exposureLimit(facility);
  // Most bids are within the limit even if nothing that was bought counted.
  return unspentDebt(state, facility) + fee + cost > limit && exposureOf(state, facility) + fee + cost - worth(cost) > limit;
}

/** What hours that cost so much are worth to a lender. */
export function collateralValue(state: State, cost: Micro, price: Ticks, market: number, hour: Hour, book: HourBook | undefined): Micro {
  const ahead = hour * MILLIS_PER_HOUR - state.now;
  if (ahead <= -MILLIS_PER_HOUR) return 0;
  const haircut = ahead < PARAMETERS.haircutNearWithin ? PARAMETERS.haircutNear : PARAMETERS.haircutFar;
  return mulDiv(mulDiv(cost, Math.min(price, collateralMark(state, market, hour, book)), price), MICRO - haircut, MICRO);
}
