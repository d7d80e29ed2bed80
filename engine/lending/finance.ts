/** Money in and out, credit minted and burnt, and the collateral a lender can freeze. CREDIT.md sections 1, 2 and 4. */
import { ACCOUNT } from '../ledger/accounts.ts';
import type { RejectCode } from '../catalogue.ts';
import { NONE } from '../vocabulary.ts';
import type { Deposit, GrantCredits, PostBond, Prepay, SetMoneyRules, SetSwitch, Withdraw } from '../commands.ts';
import type { CompanyId, LotId } from '../vocabulary.ts';
import { TIERS } from '../credit/tiers.ts';
import type { Fund } from './fund.ts';
import type { Lot } from '../ledger/lots.ts';
import { createLot, postMint } from './minting.ts';
import { PARAMETERS } from '../parameters.ts';
import type { Returns } from './returns.ts';
import type { SwitchName } from './facility.ts';
import type { State } from '../state.ts';
import type { Sweeps } from '../time/sweeps.ts';
import { MICRO, MILLIS_PER_DAY } from '../numbers/units.ts';
import type { Micro } from '../numbers/units.ts';
import { addMonths } from '../numbers/calendar.ts';

export class Finance {
  private readonly state: State;
  private readonly sweeps: Sweeps;
  private readonly fund: Fund;
  private readonly returns: Returns;

  constructor(state: State, sweeps: Sweeps, fund: Fund, returns: Returns) {
    this.state = state;
    this.sweeps = sweeps;
    this.fund = fund;
    this.returns = returns;
  }

  private amountRefusal(company: CompanyId, amount: Micro): RejectCode | undefined {
    if (this.state.companies[company] === undefined) return 'unknown_company';
    const valid = Number.isSafeInteger(amount) && amount > 0 && amount <= PARAMETERS.moneyMaximum;
    return valid ? undefined : 'amount_out_of_range';
  }

  private unapplied(company: CompanyId): Micro {
    return -this.state.ledger.balance(ACCOUNT.unapplied, company);
  }

  deposit({ company, amount, reference, bankLine }: Deposit): RejectCode | undefined {
    const refusal = this.amountRefusal(company, amount);
    if (refusal !== undefined) return refusal;
    bookDeposit(this.state, company, amount, reference);
    const { buffer } = this.state;
    if (bankLine !== undefined) buffer.emit('bankLineBooked', { line: bankLine, company, amount, as: 'credited' });
    return undefined;
  }

  withdraw({ company, amount }: Withdraw): RejectCode | undefined {
    const { ledger, buffer, rulesVersion, companies, switches } = this.state;
    const refused = this.amountRefusal(company, amount) ?? this.lostRefusal(company);
    if (refused !== undefined) return refused;
    if (rulesVersion >= 9 && switches.payout.on) return 'payouts_stopped';
    if (rulesVersion >= 7 && companies[company].role === 'lender') return this.fund.withdraw(company, amount);
    const short = this.fundsRefusal(company, amount);
    if (short !== undefined) return short;
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

  /** Who has defaulted on a debt that stands takes no money out. */
  private lostRefusal(company: CompanyId): RejectCode | undefined {
    return this.state.rulesVersion >= 5 && this.returns.owesLost(company) ? 'past_due' : undefined;
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
    const refusal = this.amountRefusal(company, amount) ?? this.fundsRefusal(company, amount);
    if (refusal !== undefined) return refusal;
    if (this.state.companies[company].role !== 'borrower') return 'not_authorized';
    if (this.state.switches.mint.on) return 'mints_stopped';
    this.mintForCash(company, company, amount, NONE);
    return undefined;
  }

  /** A sponsor pays; the credit is another's, and what is left of it at its end comes back to the sponsor. */
  grant({ company, recipient, amount }: GrantCredits): RejectCode | undefined {
    const { companies, switches, buffer } = this.state;
    const refusal = this.amountRefusal(company, amount) ?? this.lostRefusal(company) ?? this.fundsRefusal(company, amount);
    if (refusal !== undefined) return refusal;
    if (companies[recipient] === undefined) return 'unknown_company';
    if (companies[recipient].role !== 'borrower' || recipient === company) return 'not_authorized';
    if (switches.mint.on) return 'mints_stopped';
    const lot = this.mintForCash(company, recipient, amount, company);
    buffer.emit('creditsGranted', { lot: lot.lot, sponsor: company, company: recipient, amount });
    return undefined;
  }

  private mintForCash(payer: CompanyId, company: CompanyId, amount: Micro, sponsor: CompanyId): Lot {
    const { ledger, money, now } = this.state;
    const lot = createLot(this.state, {
      company, facility: NONE, source: sponsor === NONE ? 'prepayment' : 'grant', usd: amount,
      conversionRate: money.conversionRate === 0 ? PARAMETERS.prepaidConversion : money.conversionRate, expiresAt: addMonths(now, PARAMETERS.prepaidLotMonths), sponsor, fee: 0,
    });
    ledger.begin();
    ledger.post(ACCOUNT.unapplied, payer, amount);
    ledger.post(ACCOUNT['cash.fund'], payer, -amount);
    postMint(this.state, lot);
    ledger.end();
    return lot;
  }

  // What protects the market's money.

  setSwitch({ company, name, on, reason }: SetSwitch): RejectCode | undefined {
    if (this.state.companies[company]?.role !== 'operator') return 'not_authorized';
    this.turn(name, on, reason, company);
    return undefined;
  }

  private turn(name: SwitchName, on: boolean, reason: string, by: CompanyId): void {
    const { switches, buffer, sequence } = this.state;
    Object.assign(switches[name], { on, reason, by, sequence });
    buffer.emit('switchSet', { name, on, reason, by });
  }

  /** Nothing is minted any more once escrow does not hold what it owes. */
  guardSolvency(): void {
    if (!this.state.switches.mint.on && !isSolvent(this.state)) this.turn('mint', true, 'escrow does not hold what it owes', NONE);
  }

  /** Prices of money that every credit outstanding, and every fill undelivered, can bear: rho <= 1 / m - s_min. */
  setMoneyRules({ company, redemptionRate, spreadMinimum, conversionRate }: SetMoneyRules): RejectCode | undefined {
    const { state } = this;
    if (state.companies[company]?.role !== 'operator') return 'not_authorized';
    const valid = [redemptionRate, spreadMinimum, conversionRate].every((rate) => Number.isSafeInteger(rate) && rate >= 0) && redemptionRate > 0;
    if (!valid) return 'invalid_parameter';
    const offered = conversionRate === 0 ? [PARAMETERS.prepaidConversion, ...TIERS.map(({ rate }) => rate)] : [conversionRate];
    const outstanding = state.lots.rows.filter(({ lot }) => state.lots.outstanding(lot) > 0).map((lot) => lot.conversionRate);
    const best = Math.max(...offered, ...new Set(outstanding));
    if ((redemptionRate + spreadMinimum) * best > MICRO * MICRO) return 'guard_violated';
    Object.assign(state.money, { redemptionRate, spreadMinimum, conversionRate });
    state.buffer.emit('moneyRulesSet', { redemptionRate, spreadMinimum, conversionRate });
    return undefined;
  }

  /** A lot's date has come: bids it funds leave, what is available is burnt. Contracted credit lives on. */
  expireLot(lotId: LotId): void {
    const { state } = this;
    const lot = state.lots.rows[lotId];
    if (lot.expiresAt > state.now) return;
    this.sweeps.cancelFunded(lot.company, lotId, 'lot_expired');
    const credits = lot.facility === NONE ? this.expireUnfinanced(lot) : this.returns.expire(lot);
    if (credits === 0) return;
    state.buffer.emit('lotExpired', { lot: lotId, credits });
  }

  private expireUnfinanced(lot: Lot): Micro {
    const credits = this.state.lots.available(lot.lot);
    if (credits > 0) this.burnUnfinanced(lot, credits);
    return credits;
  }

  /** A lot with credit left ends in 30, 7 or 1 days. */
  alert(lotId: LotId): void {
    const { lots, now, buffer } = this.state;
    const { company, expiresAt } = lots.rows[lotId];
    const credits = lots.available(lotId) + lots.held(lotId);
    if (credits > 0 && expiresAt > now) buffer.emit('lotExpiring', { lot: lotId, company, credits, days: Math.round((expiresAt - now) / MILLIS_PER_DAY) });
  }

  /** Unspent credit is always worth the money that bought it: without a loan to prepay, it returns as cash to who paid. */
  private burnUnfinanced(lot: Lot, credits: Micro): void {
    const { ledger, lots } = this.state;
    const payer = lot.sponsor === NONE ? lot.company : lot.sponsor;
    ledger.begin();
    const cost = lots.postRelease(lot, credits);
    ledger.post(ACCOUNT['lot.available'], lot.lot, credits);
    ledger.post(ACCOUNT['lot.issued'], lot.lot, -credits);
    ledger.post(ACCOUNT['cash.fund'], payer, cost);
    ledger.post(ACCOUNT['cash.escrow'], lot.company, -cost);
    ledger.post(ACCOUNT.unapplied, payer, -cost);
    ledger.end();
  }
}

/** Money that has come in is the company's to apply. */
export function bookDeposit({ ledger, buffer }: State, company: CompanyId, amount: Micro, reference: string): void {
  ledger.begin();
  ledger.post(ACCOUNT['cash.fund'], company, amount);
  ledger.post(ACCOUNT.unapplied, company, -amount);
  ledger.end();
  buffer.emit('deposited', { company, amount, reference });
}

/** CREDIT.md's invariant 6: escrow holds backing, deferred spread, payables and bonds. */
export function isSolvent({ ledger }: State): boolean {
  const ofLots = ledger.total(ACCOUNT['credit.backing'], ACCOUNT['spread.deferred']);
  return ofLots + ledger.total(ACCOUNT['cash.escrow'], ACCOUNT['provider.payable'], ACCOUNT['provider.bond']) === 0n;
}
