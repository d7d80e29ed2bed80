/** Credit that comes into being: a lot with its terms, and what is booked for it. CREDIT.md section 1. */
import { ACCOUNT } from '../ledger/accounts.ts';
import type { CompanyId, FacilityId } from '../vocabulary.ts';
import type { Lot, LotSource } from '../ledger/lots.ts';
import { mulDiv } from '../numbers/muldiv.ts';
import { PARAMETERS } from '../parameters.ts';
import type { State } from '../state.ts';
import { TIMER } from '../time/timers.ts';
import { MICRO, MILLIS_PER_DAY } from '../numbers/units.ts';
import type { Micro, Millis, Ppm } from '../numbers/units.ts';

export interface Mint {
  company: CompanyId;
  facility: FacilityId;
  source: LotSource;
  usd: Micro;
  conversionRate: Ppm;
  expiresAt: Millis;
  sponsor: CompanyId;
  fee: Micro;
}

/** A lot of usd x conversion rate credits, its terms stored; `postMint` books it. */
export function createLot(state: State, mint: Mint): Lot {
  const lot = state.lots.create({
    ...mint,
    credits: mulDiv(mint.usd, mint.conversionRate, MICRO),
    redemptionRate: state.money.redemptionRate,
    mintedAt: state.now,
  });
  state.timers.add(lot.expiresAt, TIMER.lotExpiry, lot.lot);
  for (const days of PARAMETERS.lotAlertDays) {
    const at = lot.expiresAt - days * MILLIS_PER_DAY;
    if (at > state.now) state.timers.add(at, TIMER.lotAlert, lot.lot);
  }
  state.buffer.emit('lotMinted', {
    lot: lot.lot, company: lot.company, facility: lot.facility, source: lot.source, usd: lot.usd, credits: lot.credits,
    conversionRate: lot.conversionRate, redemptionRate: lot.redemptionRate, expiresAt: lot.expiresAt,
  });
  return lot;
}

/** Escrow, backing, deferred spread and the credits themselves; inside an open transaction. */
export function postMint({ ledger, lots }: State, lot: Lot): void {
  const backing = lots.backing(lot, lot.credits);
  ledger.post(ACCOUNT['cash.escrow'], lot.company, lot.usd);
  ledger.post(ACCOUNT['credit.backing'], lot.lot, -backing);
  ledger.post(ACCOUNT['spread.deferred'], lot.lot, -(lot.usd - backing));
  ledger.post(ACCOUNT['lot.issued'], lot.lot, lot.credits);
  ledger.post(ACCOUNT['lot.available'], lot.lot, -lot.credits);
}
