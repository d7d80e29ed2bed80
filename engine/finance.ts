/** Money in and out, credit minted and burnt, and the collateral a lender can freeze. CREDIT.md sections 1, 2 and 4. */
import { ACCOUNT } from './accounts.ts';
import type { RejectCode } from './catalogue.ts';
import { NONE } from './commands.ts';
import type { CompanyId, Deposit, FacilityId, LotId, PostBond, Prepay, Withdraw } from './commands.ts';
import type { Facilities } from './facilities.ts';
import type { Lot, LotSource } from './lots.ts';
import { mulDiv } from './muldiv.ts';
import { PARAMETERS } from './parameters.ts';
import type { State } from './state.ts';
import { TIMER } from './timers.ts';
import type { Sweeps } from './sweeps.ts';
import { MICRO } from './units.ts';
import type { Day, Micro, Millis, Ppm } from './units.ts';
import { addMonths } from './calendar.ts';

export interface Mint {
  company: CompanyId;
  facility: FacilityId;
  source: LotSource;
  usd: Micro;
  conversionRate: Ppm;
  expiresAt: Millis;
}

export class Finance {
  private readonly state: State;
  private readonly sweeps: Sweeps;
  private readonly facilities: Facilities;

  constructor(state: State, sweeps: Sweeps, facilities: Facilities) {
    this.state = state;
    this.sweeps = sweeps;
    this.facilities = facilities;
  }

  private amountRefusal(company: CompanyId, amount: Micro): RejectCode | undefined {
    if (this.state.companies[company] === undefined) return 'unknown_company';
    const valid = Number.isSafeInteger(amount) && amount > 0 && amount <= PARAMETERS.moneyMaximum;
    return valid ? undefined : 'amount_out_of_range';
  }

  private unapplied(company: CompanyId): Micro {
    return -this.state.ledger.balance(ACCOUNT.unapplied, company);
  }

  deposit({ company, amount, reference }: Deposit): RejectCode | undefined {
    const { ledger, buffer } = this.state;
    const refusal = this.amountRefusal(company, amount);
    if (refusal !== undefined) return refusal;
    ledger.begin();
    ledger.post(ACCOUNT['cash.fund'], company, amount);
    ledger.post(ACCOUNT.unapplied, company, -amount);
    ledger.end();
    buffer.emit('deposited', { company, amount, reference });
    return undefined;
  }

  withdraw({ company, amount }: Withdraw): RejectCode | undefined {
    const { ledger, buffer } = this.state;
    const refusal = this.amountRefusal(company, amount) ?? this.fundsRefusal(company, amount);
    if (refusal !== undefined) return refusal;
    ledger.begin();
    ledger.post(ACCOUNT.unapplied, company, amount);
    ledger.post(ACCOUNT['cash.fund'], company, -amount);
    ledger.end();
    buffer.emit('withdrawn', { company, amount });
    return undefined;
  }

  private fundsRefusal(company: CompanyId, amount: Micro): RejectCode | undefined {
    return this.unapplied(company) < amount ? 'insufficient_funds' : undefined;
  }

  postBond({ company, amount }: PostBond): RejectCode | undefined {
    const { ledger, buffer, companies } = this.state;
    const refusal = this.amountRefusal(company, amount) ?? this.fundsRefusal(company, amount);
    if (refusal !== undefined) return refusal;
    if (companies[company].role !== 'provider') return 'not_authorized';
    ledger.begin();
    ledger.post(ACCOUNT.unapplied, company, amount);
    ledger.post(ACCOUNT['cash.fund'], company, -amount);
    ledger.post(ACCOUNT['cash.escrow'], company, amount);
    ledger.post(ACCOUNT['provider.bond'], company, -amount);
    ledger.end();
    buffer.emit('bondPosted', { company, amount });
    return undefined;
  }

  /** Buys credits for cash: no debt, no credit risk, the best conversion. */
  prepay({ company, amount }: Prepay): RejectCode | undefined {
    const { ledger, companies, now } = this.state;
    const refusal = this.amountRefusal(company, amount) ?? this.fundsRefusal(company, amount);
    if (refusal !== undefined) return refusal;
    if (companies[company].role !== 'borrower') return 'not_authorized';
    const lot = this.createLot({
      company, facility: NONE, source: 'prepayment', usd: amount, conversionRate: PARAMETERS.prepaidConversion,
      expiresAt: addMonths(now, PARAMETERS.prepaidLotMonths),
    });
    ledger.begin();
    ledger.post(ACCOUNT.unapplied, company, amount);
    ledger.post(ACCOUNT['cash.fund'], company, -amount);
    this.postMint(lot);
    ledger.end();
    return undefined;
  }

  /** A lot of usd x conversion rate credits, its terms stored; `postMint` books it. */
  createLot(mint: Mint): Lot {
    const { state } = this;
    const lot = state.lots.create({
      ...mint,
      credits: mulDiv(mint.usd, mint.conversionRate, MICRO),
      redemptionRate: PARAMETERS.redemptionRate,
      mintedAt: state.now,
    });
    state.timers.add(lot.expiresAt, TIMER.lotExpiry, lot.lot);
    state.buffer.emit('lotMinted', {
      lot: lot.lot, company: lot.company, facility: lot.facility, source: lot.source, usd: lot.usd, credits: lot.credits,
      conversionRate: lot.conversionRate, redemptionRate: lot.redemptionRate, expiresAt: lot.expiresAt,
    });
    return lot;
  }

  /** Escrow, backing, deferred spread and the credits themselves; inside an open transaction. */
  postMint(lot: Lot): void {
    const { ledger, lots } = this.state;
    const backing = lots.backing(lot, lot.credits);
    ledger.post(ACCOUNT['cash.escrow'], lot.company, lot.usd);
    ledger.post(ACCOUNT['credit.backing'], lot.lot, -backing);
    ledger.post(ACCOUNT['spread.deferred'], lot.lot, -(lot.usd - backing));
    ledger.post(ACCOUNT['lot.issued'], lot.lot, lot.credits);
    ledger.post(ACCOUNT['lot.available'], lot.lot, -lot.credits);
  }

  /** A lot's date has come: bids it funds leave, what is available is burnt. Contracted credit lives on. */
  expireLot(lotId: LotId): void {
    const { state } = this;
    const lot = state.lots.rows[lotId];
    if (lot.expiresAt > state.now) return;
    this.sweeps.cancelFunded(lot.company, lotId, 'lot_expired');
    const credits = state.lots.available(lotId);
    if (credits === 0) return;
    if (lot.facility === NONE) this.burnUnfinanced(lot, credits);
    else this.facilities.burn(lot, credits);
    state.buffer.emit('lotExpired', { lot: lotId, credits });
  }

  /** Unspent credit is always worth the money that bought it: without a loan to prepay, it returns as cash. */
  private burnUnfinanced(lot: Lot, credits: Micro): void {
    const { ledger, lots } = this.state;
    ledger.begin();
    const cost = lots.postRelease(lot, credits);
    ledger.post(ACCOUNT['lot.available'], lot.lot, credits);
    ledger.post(ACCOUNT['lot.issued'], lot.lot, -credits);
    ledger.post(ACCOUNT['cash.fund'], lot.company, cost);
    ledger.post(ACCOUNT['cash.escrow'], lot.company, -cost);
    ledger.post(ACCOUNT.unapplied, lot.company, -cost);
    ledger.end();
  }

  /** Day `day` begins: interest of the day before accrues. */
  dayEnded(day: Day): void {
    this.facilities.accrueThrough(day);
    this.facilities.reviewExposure();
  }
}
