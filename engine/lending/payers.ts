/** Whose credit a bid would be paid with, a draw on demand included. */
import type { CompanyId } from '../vocabulary.ts';
import { livesBy } from './debt.ts';
import type { Facility } from './facility.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { mulDiv } from '../numbers/muldiv.ts';
import type { State } from '../state.ts';
import { MICRO, MILLIS_PER_HOUR } from '../numbers/units.ts';
import type { Hour, Micro } from '../numbers/units.ts';

/** USD that a facility would give to a bid which is short. */
export interface Demand {
  facility: Facility;
  amount: Micro;
}
/** Who draws what a bid is short of, for hours up to `hour`. */
export interface DrawOnDemand {
  demanded(company: CompanyId, credits: Micro, hour: Hour): Demand | undefined;
  demand(company: CompanyId, credits: Micro, hour: Hour): void;
}
export const NOBODY_DRAWS: DrawOnDemand = { demanded: () => undefined, demand: () => undefined };

/** A facility whose credit a hold would take: how much of its money, and the fee of what would be drawn for it. */
export interface Payer {
  facility: Facility;
  cost: Micro;
  fee: Micro;
}

/** No hour may begin after its facility's maturity; of facilities offered under the first loan rules it may. */
export const maturesBefore = (facility: Facility, hour: Hour): boolean => livesBy(facility, 2) && hour * MILLIS_PER_HOUR > facility.maturesAt;

/** Until `hour`. */
export function payersOf({ lots, facilities, rulesVersion }: State, demand: DrawOnDemand, company: CompanyId, hold: Micro, hour: Hour): Payer[] {
  const found: Payer[] = [];
  let left = hold;
  for (const id of lots.usable[company]) {
    const part = Math.min(left, lots.spendable(id));
    const lot = lots.rows[id];
    left -= part;
    if (part === 0 || lot.facility === NIL) continue;
    payerOf(found, facilities[lot.facility]).cost += lots.cost(lot, part);
  }
  // Rules before version 4 did not ask what a draw on demand would be spent on.
  const drawn = left > 0 && rulesVersion >= 4 ? demand.demanded(company, left, hour) : undefined;
  if (drawn === undefined) return found;
  const payer = payerOf(found, drawn.facility);
  payer.cost += mulDiv(left, MICRO, drawn.facility.conversionRate);
  payer.fee += mulDiv(drawn.amount, drawn.facility.originationFee, MICRO);
  return found;
}

/** The facility's entry among those that pay. */
function payerOf(payers: Payer[], facility: Facility): Payer {
  const known = payers.find((payer) => payer.facility.facility === facility.facility);
  if (known !== undefined) return known;
  const payer: Payer = { facility, cost: 0, fee: 0 };
  payers.push(payer);
  return payer;
}
