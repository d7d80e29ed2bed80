/**
 * What a lender has to expect to lose. Stage 1: PD of a year x LGD x EAD. Stage 2, from 30 days past
 * due: over the life that is left, sum of (S_{t-1} - S_t) x LGD x EAD_t x DF_t, by month, and never less
 * than the year of stage 1, for who is late is no safer than before. Stage 3, default: PD 1.
 * LGD = 1 - min(1, collateral / EAD), at least 5 %.
 */
import type { Decimal } from 'decimal.js';
import { PARAMETERS } from '../parameters.ts';
import { MICRO } from '../numbers/units.ts';
import type { Micro, Ppm } from '../numbers/units.ts';
import { Exact, ONE, ZERO, roundWhole } from './exact.ts';

export type Stage = 1 | 2 | 3;

export interface Risk {
  stage: Stage;
  /** Of twelve months. */
  defaultProbability: Ppm;
  annualRate: Ppm;
  exposure: Micro;
  collateral: Micro;
  /** Exposure after each month to come, the present one first. */
  balances: readonly Micro[];
  /** A life that is shorter than a year counts as one: rules of version 5 and later. */
  atLeastYear: boolean;
}

export const stageOf = (daysPastDue: number, defaulted: boolean): Stage => {
  if (defaulted || daysPastDue >= PARAMETERS.pastDueDefault) return 3;
  return daysPastDue >= PARAMETERS.pastDueFrozen ? 2 : 1;
};

/** Loss given default, of 1. */
function lossGivenDefault(exposure: Micro, collateral: Micro): Decimal {
  const least = new Exact(PARAMETERS.lossShareLeast).div(MICRO);
  if (exposure <= 0) return least;
  return Exact.max(least, ONE.minus(Exact.min(1, new Exact(Math.max(0, collateral)).div(exposure))));
}

export function expectedLoss(risk: Risk): Micro {
  const loss = lossGivenDefault(risk.exposure, risk.collateral);
  const yearly = new Exact(risk.defaultProbability).div(MICRO);
  if (risk.stage === 3) return roundWhole(loss.times(risk.exposure));
  const ofYear = yearly.times(loss).times(risk.exposure);
  if (risk.stage === 1) return roundWhole(ofYear);
  const ofLife = lifetime(risk, yearly, loss);
  return roundWhole(risk.atLeastYear ? Exact.max(ofYear, ofLife) : ofLife);
}

/** Survival falls by the same share each month, so that a year of it is 1 - PD. */
function lifetime({ balances, annualRate }: Risk, yearly: Decimal, loss: Decimal): Decimal {
  const survives = ONE.minus(yearly).pow(ONE.div(12));
  const discount = ONE.div(new Exact(annualRate).div(MICRO).div(12).plus(1));
  let survival = ONE;
  let factor = ONE;
  let sum = ZERO;
  for (const balance of balances) {
    const next = survival.times(survives);
    factor = factor.times(discount);
    sum = sum.plus(survival.minus(next).times(loss).times(balance).times(factor));
    survival = next;
  }
  return sum;
}
