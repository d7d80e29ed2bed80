/**
 * Instalments that are a share of revenue, as revenue-based financing has them: each month a withheld share of what was
 * earned pays interest, then principal, until the debt is paid or `cap` times what was lent has been paid in all.
 *
 * D_k = min(round(w R_k), I_k + B_k): interest_k = min(D_k, I_k), principal_k = D_k - interest_k; what of the interest I_k
 * a poor month does not pay is due later, bears no interest itself, and in all is at most (cap - 1) x lent. All is due at maturity.
 */
import { divideHalfEven, mulDiv, mulDivCeil } from '../numbers/muldiv.ts';
import { MICRO, MICRO_PER_CENT, type Micro, type Ppm } from '../numbers/units.ts';
import { PARAMETERS } from '../parameters.ts';
import type { RevenueShare } from '../lending/facility.ts';
import { roundWhole, type Fraction } from './exact.ts';
import { annuityInstalment } from './schedule.ts';

const MONTHS_PER_YEAR = 12;

/**
 * The share with which such a revenue pays an annuity's instalment of the whole debt, in tenths of a percent, and the interest of the
 * whole term as cap. Undefined when that is more than may be withheld.
 */
export function revenueShareFor(debt: Micro, annualRate: Ppm, months: number, revenue: Micro): RevenueShare | undefined {
  if (revenue <= 0) return undefined;
  const monthly: Fraction = { numerator: BigInt(annualRate), denominator: BigInt(MONTHS_PER_YEAR * MICRO) };
  const instalment = roundWhole(annuityInstalment(debt, new Array<Fraction>(months).fill(monthly)));
  if (instalment > mulDiv(revenue, PARAMETERS.withheldMost, MICRO)) return undefined;
  const step = PARAMETERS.withheldStep;
  const withheld = mulDivCeil(instalment, MICRO / step, revenue) * step;
  return { withheld, cap: MICRO + mulDivCeil(annualRate, months, MONTHS_PER_YEAR), revenue };
}

/** What is withheld of a month's revenue, in whole cents. */
export const withheldOf = ({ withheld, revenue }: RevenueShare): Micro => mulDiv(revenue, withheld, MICRO * MICRO_PER_CENT) * MICRO_PER_CENT;

/** As an event tells it. */
export const shareWire = (facility: number, { withheld, cap, revenue }: RevenueShare): { facility: number; share: Ppm; cap: Ppm; revenue: Micro } => ({ facility, share: withheld, cap, revenue });

/** The most that so much lent may ever cost in interest. */
export const interestMostOf = ({ cap }: RevenueShare, lent: number): number => mulDiv(lent, cap - MICRO, MICRO);

export interface RevenueTerms {
  /** In one unit, whichever: principal, interest of it that is owed already, the share of each month, and what interest may still come to. */
  principal: number;
  accrued: number;
  share: number;
  interestMost: number;
  /** Of the periods that are left. */
  rates: readonly Fraction[];
}

/** What each of the coming months would pay were its revenue the last that was reported; the last one pays all that is left. */
export function revenueInstalments({ principal, accrued, share, interestMost, rates }: RevenueTerms): { principal: number; interest: number; balance: number }[] {
  const rows: { principal: number; interest: number; balance: number }[] = [];
  let [balance, owed, room] = [principal, accrued, interestMost];
  for (const [index, { numerator, denominator }] of rates.entries()) {
    const grown = Math.max(0, Math.min(room, Number(divideHalfEven(BigInt(balance) * numerator, denominator))));
    room -= grown;
    owed += grown;
    const last = index === rates.length - 1;
    const interest = last ? owed : Math.min(share, owed);
    const repaid = last ? balance : Math.min(share - interest, balance);
    owed -= interest;
    balance -= repaid;
    rows.push({ principal: repaid, interest, balance });
    if (balance === 0 && owed === 0) break;
  }
  return rows;
}
