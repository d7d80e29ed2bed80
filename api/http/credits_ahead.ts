/** How far a company's credits reach: what is contracted is delivered, of the rest the first to expire is spent first, and what is left of a lot at its expiry lapses. */
import type { LotView } from '../../engine/queries.ts';
import { MILLIS_PER_DAY } from '../../engine/numbers/units.ts';
import type { Day, Micro } from '../../engine/numbers/units.ts';

const DAYS_OF_WEEK = 7;

/** Credit that can be spent until a day begins. */
interface Spendable {
  left: Micro;
  lapsesOn: Day;
}

export interface CreditsAhead {
  /** At the week's end. */
  surplus: Micro;
  /** All that was missing until then. */
  shortage: Micro;
  /** Lapses in the week. */
  expiring: Micro;
}

type Lots = readonly Pick<LotView, 'available' | 'held' | 'contracted' | 'expiresAt'>[];

const spendable = (lots: Lots): Spendable[] =>
  lots.map(({ available, held, expiresAt }) => ({ left: available + held, lapsesOn: Math.floor(expiresAt / MILLIS_PER_DAY) })).sort((a, b) => a.lapsesOn - b.lapsesOn);
const contractedOf = (lots: Lots): Micro => lots.reduce((sum, { contracted }) => sum + contracted, 0);

/** Week by week from today on; a week's use is spread over its days. */
export function creditsAhead(lots: Lots, weeks: readonly { expected: Micro }[], today: Day): CreditsAhead[] {
  const pool = [{ left: contractedOf(lots), lapsesOn: Infinity }, ...spendable(lots)];
  let shortage = 0;
  return weeks.map(({ expected }, week) => {
    let expiring = 0;
    for (let day = 0; day < DAYS_OF_WEEK; day++) {
      for (const lot of pool) {
        if (lot.lapsesOn > today + week * DAYS_OF_WEEK + day) continue;
        expiring += lot.left;
        lot.left = 0;
      }
      shortage += spend(pool, Math.round((expected * (day + 1)) / DAYS_OF_WEEK) - Math.round((expected * day) / DAYS_OF_WEEK));
    }
    return { surplus: pool.reduce((sum, { left }) => sum + left, 0), shortage, expiring };
  });
}

/** @returns what could not be spent */
function spend(pool: Spendable[], amount: Micro): Micro {
  let missing = amount;
  for (const lot of pool) {
    const part = Math.min(missing, lot.left);
    lot.left -= part;
    missing -= part;
  }
  return missing;
}

/** Whole days that the credits last at so much a day, which is above zero. */
export function daysAhead(lots: Lots, perDay: Micro, today: Day): number {
  let days = contractedOf(lots) / perDay;
  for (const { left, lapsesOn } of spendable(lots)) days += Math.max(0, Math.min(left / perDay, lapsesOn - today - days));
  return Math.floor(days);
}
