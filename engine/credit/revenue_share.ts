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
import { difference, roundWhole, sum, timesRatio, whole, type Fraction } from './exact.ts';
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
  accrued: Fraction;
  share: number;
  interestMost: number;
  /** Of the periods that are left. */
  rates: readonly Fraction[];
  /** Whether what a poor month leaves of interest goes on as it is, as it does in what is billed; before rules version 8 each period's was a whole number. */
  carriesFractions: boolean;
}

/** What each of the coming months would pay were its revenue the last that was reported; the last one pays all that is left. */
export function revenueInstalments({ principal, accrued, share, interestMost, rates, carriesFractions }: RevenueTerms): { principal: number; interest: number; balance: number }[] {
  const rows: { principal: number; interest: number; balance: number }[] = [];
  let balance = principal;
  let [owed, room] = [accrued, whole(interestMost)];
  for (const [index, rate] of rates.entries()) {
    const earned = timesRatio(rate, balance, 1);
    const grown = lessOf(room, carriesFractions ? earned : whole(roundFraction(earned)));
    if (grown.numerator > 0n) [room, owed] = [difference(room, grown), sum(owed, grown)];
    const asked = roundFraction(owed);
    const last = index === rates.length - 1;
    const interest = last ? asked : Math.min(share, asked);
    const repaid = last ? balance : Math.min(share - interest, balance);
    // Interest that is asked for whole is settled, what it was rounded by as well.
    owed = interest === asked ? whole(0) : difference(owed, whole(interest));
    balance -= repaid;
    rows.push({ principal: repaid, interest, balance });
    if (balance === 0 && owed.numerator === 0n) break;
  }
  return rows;
}

const roundFraction = ({ numerator, denominator }: Fraction): number => Number(divideHalfEven(numerator, denominator));
const lessOf = (a: Fraction, b: Fraction): Fraction => (difference(a, b).numerator < 0n ? a : b);
