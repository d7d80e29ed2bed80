/**
 * What happens to matched capacity: metered use, the end of an hour, and what a provider is owed.
 * Take-or-pay: a fill commits the price; use retires it by the GPU-second, the rest is delivered
 * unused when the hour ends, except what requests still under way have authorised.
 */
import { ACCOUNT } from '../ledger/accounts.ts';
import { ALLOCATION } from '../trading/allocations.ts';
import type { RejectCode } from '../catalogue.ts';
import type { Capture, EndHour, Payout, ReleasePending } from '../commands.ts';
import type { CompanyId, MarketId } from '../vocabulary.ts';
import { NONE } from '../vocabulary.ts';
import type { Failures } from './failures.ts';
import type { Facilities } from '../lending/facilities.ts';
import { daysPastDue } from '../lending/debt.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import type { DeliveryMinutes, Shares } from './minutes.ts';
import { mulDiv } from '../numbers/muldiv.ts';
import { FEE_SCALE, PARAMETERS } from '../parameters.ts';
import type { Chain } from './records.ts';
import type { LegsDelivered, Resales } from './resale.ts';
import type { Payable, State } from '../state.ts';
import type { HourBook } from '../trading/markets.ts';
import type { Sweeps } from '../time/sweeps.ts';
import { MICRO, MICRO_GPU_SECONDS_PER_STEP, MILLIS_PER_DAY, MILLIS_PER_HOUR, MINUTES_PER_HOUR } from '../numbers/units.ts';
import type { Day, Hour, Micro, MicroGpuSeconds } from '../numbers/units.ts';

/** A request id stays known this long after its hour: captures of it cannot repeat later. */
const CAPTURE_KEPT = MILLIS_PER_HOUR;
/** Payouts run on Mondays; 1970-01-01, day 0, was a Thursday. */
const DAYS_OF_WEEK = 7;
const PAYOUT_WEEKDAY = 4;
const NO_LEGS: LegsDelivered = { cost: 0, gross: 0, commission: 0 };

export class Delivery {
  private readonly state: State;
  private readonly sweeps: Sweeps;
  private readonly resales: Resales;
  private readonly facilities: Facilities;
  private readonly failures: Failures;
  private readonly minutes: DeliveryMinutes;

  constructor(state: State, sweeps: Sweeps, resales: Resales, facilities: Facilities, failures: Failures, minutes: DeliveryMinutes) {
    this.state = state;
    this.sweeps = sweeps;
    this.resales = resales;
    this.facilities = facilities;
    this.failures = failures;
    this.minutes = minutes;
  }

  budget(row: number): MicroGpuSeconds {
    return this.state.allocations.quantity(row) * MICRO_GPU_SECONDS_PER_STEP;
  }

  capture(command: Capture): RejectCode | undefined {
    const { allocations, captured } = this.state;
    const row = allocations.rowOf(command.allocation);
    if (row === NIL || allocations.company(row) !== command.company || allocations.state(row) === ALLOCATION.done) return 'unknown_allocation';
    if (captured.has(command.request)) return undefined;
    const settled = allocations.state(row) === ALLOCATION.settled;
    // What is on offer for resale cannot be consumed.
    const limit = settled ? allocations.pendingGpu(row) : this.budget(row) - allocations.usedGpu(row) - allocations.failedGpu(row) - allocations.offered(row) * MICRO_GPU_SECONDS_PER_STEP;
    if (!Number.isSafeInteger(command.gpu) || command.gpu < 0) return 'invalid_parameter';
    if (command.gpu > limit) return 'budget_exhausted';
    allocations.setUsedGpu(row, allocations.usedGpu(row) + command.gpu);
    if (settled) allocations.setPendingGpu(row, allocations.pendingGpu(row) - command.gpu);
    captured.set(command.request, this.state.now);
    const { credits, payable } = this.deliver(row, command.gpu, true);
    this.emitUsage(command, row, credits, payable);
    if (settled) this.finishIfDone(row);
    return undefined;
  }

  private emitUsage(command: Capture, row: number, credits: Micro, payable: Micro): void {
    const { allocations, buffer, now } = this.state;
    buffer.emit('usageCaptured', {
      allocation: command.allocation,
      company: command.company,
      provider: allocations.provider(row),
      model: command.model,
      gpu: command.gpu,
      credits,
      payable,
      promptTokens: command.promptTokens,
      completionTokens: command.completionTokens,
      request: command.request,
      detail: command.detail,
      now,
    });
  }

  /** GPU time of the allocation that is delivered so far. */
  private deliveredGpu(row: number): MicroGpuSeconds {
    const { allocations } = this.state;
    return allocations.state(row) === ALLOCATION.settled ? this.budget(row) - allocations.pendingGpu(row) - allocations.failedGpu(row) : allocations.usedGpu(row);
  }

  /**
   * Posts the delivery of `gpu` more (already counted in the row): CREDIT.md section 4, row "deliver".
   * Every amount is cumulative over the allocation. Returns what it retired and what the provider earned.
   * The provider's entries stand before those of resellers.
   */
  private deliver(row: number, gpu: MicroGpuSeconds, used: boolean): { credits: Micro; payable: Micro } {
    const { allocations, amounts, ledger, companies } = this.state;
    const { facility, delayDays } = this.payoutTerms(row, used);
    const delivered = this.deliveredGpu(row);
    const total = mulDiv(delivered, allocations.price(row), MICRO_GPU_SECONDS_PER_STEP);
    const credits = total - allocations.retired(row);
    const chain = this.chainOf(row);
    const owed = chain === undefined ? total : mulDiv(delivered, chain.basePrice, MICRO_GPU_SECONDS_PER_STEP);
    const owedNow = owed - (chain === undefined ? allocations.retired(row) : chain.owed);
    const gross = mulDiv(owed, allocations.redemptionRate(row), MICRO);
    const commission = mulDiv(owed, allocations.redemptionRate(row) * allocations.sellerFee(row), MICRO * FEE_SCALE);
    const grossNow = gross - allocations.gross(row);
    const commissionNow = commission - allocations.commission(row);
    const company = allocations.company(row);
    const provider = allocations.provider(row);
    ledger.begin();
    const funded = this.resales.retireFrom(amounts.divisible(allocations.funding(row), allocations.contract(row)), credits, allocations.spent(row));
    allocations.setFunding(row, funded.list);
    allocations.setSpent(row, funded.spent);
    ledger.reserve(16);
    ledger.post(ACCOUNT['provider.payable'], provider, -(grossNow - commissionNow));
    ledger.post(ACCOUNT['commission.seller'], company, -commissionNow);
    const legs = chain === undefined ? NO_LEGS : this.resales.deliver(chain, delivered, (reseller, amount) => this.owe(reseller, amount, delayDays, facility));
    const spread = funded.cost + legs.cost - grossNow - legs.gross;
    ledger.post(ACCOUNT['commission.seller'], company, -legs.commission);
    ledger.post(ACCOUNT['income.spread'], company, -spread);
    ledger.post(ACCOUNT['cash.ops'], company, commissionNow + legs.commission + spread);
    ledger.post(ACCOUNT['cash.escrow'], company, -(commissionNow + legs.commission + spread));
    this.postDelivered(row, gpu);
    ledger.end();
    allocations.setRetired(row, total);
    allocations.setContract(row, allocations.contract(row) - credits);
    allocations.setGross(row, gross);
    allocations.setCommission(row, commission);
    if (chain !== undefined) chain.owed = owed;
    companies[provider].undelivered -= owedNow;
    this.countRealised(row, gpu, credits, funded.cost);
    const counted = companies[company].delivered;
    counted.cost += funded.cost + legs.cost;
    counted.spread += spread;
    counted.commission += commissionNow + legs.commission;
    companies[provider].earned += grossNow - commissionNow;
    this.owe(provider, grossNow - commissionNow, delayDays, facility);
    return { credits, payable: grossNow - commissionNow };
  }

  private chainOf(row: number): Chain | undefined {
    const { chains } = this.state;
    return chains.size === 0 ? undefined : chains.get(row);
  }

  private postDelivered(row: number, gpu: MicroGpuSeconds): void {
    const { allocations, ledger, supply } = this.state;
    if (gpu === 0) return;
    const cell = allocations.cell(row);
    ledger.postCell(ACCOUNT['capacity.entitled'], cell, supply.cellId(cell), gpu);
    ledger.postCell(ACCOUNT['capacity.delivered'], cell, supply.cellId(cell), -gpu);
  }

  private countRealised(row: number, gpu: MicroGpuSeconds, credits: Micro, cost: Micro): void {
    const { allocations, companies } = this.state;
    const company = companies[allocations.company(row)];
    company.retired += credits;
    company.retiredCost += cost;
    company.listValue += this.failures.listValue(row, gpu);
  }

  /** Unused hours that a loan paid for are paid out late, and not while that loan is in trouble: they are where it could be cashed. */
  private payoutTerms(row: number, used: boolean): { facility: number; delayDays: number } {
    const facility = used ? NONE : this.financedBy(row);
    return { facility, delayDays: facility === NONE ? PARAMETERS.usedPayoutDelayDays : PARAMETERS.unusedPayoutDelayDays };
  }

  /** The first facility that funds what is left in contract; NONE when only cash does. */
  private financedBy(row: number): number {
    const { allocations, amounts, lots } = this.state;
    for (let node = allocations.funding(row); node !== NIL; node = amounts.next(node)) {
      const { facility } = lots.rows[amounts.lot(node)];
      if (facility !== NONE) return facility;
    }
    return NONE;
  }

  /** Notes when an earned amount may be paid out; what falls due on the same day for the same reason is one entry. */
  private owe(company: number, amount: Micro, delayDays: number, facility: number): void {
    if (amount === 0) return;
    const { payables, day } = this.state;
    const dueAt = (day + delayDays) * MILLIS_PER_DAY;
    const key = `${company}:${dueAt}:${facility}`;
    payables.set(key, { company, facility, dueAt, amount: (payables.get(key)?.amount ?? 0) + amount });
  }

  /** Settles every book of an hour that has ended. */
  endHour(command: EndHour): RejectCode | undefined {
    const { state } = this;
    if (command.hour < state.settledThrough) return undefined;
    if ((command.hour + 1) * MILLIS_PER_HOUR > state.now) return 'invalid_state';
    const pending = new Map(command.pending.map((entry) => [entry.allocation, entry.gpu]));
    for (const market of state.markets.values()) {
      for (const [hour, row] of [...market.books].sort(([a], [b]) => a - b)) {
        if (hour <= command.hour && hour >= state.settledThrough) this.settleBook(state.bookOf(row), pending);
      }
    }
    state.settledThrough = command.hour + 1;
    this.closePast();
    this.minutes.forget();
    this.forgetCaptures();
    state.buffer.emit('hourEnded', { hour: command.hour });
    return undefined;
  }

  private settleBook(book: HourBook, pending: ReadonlyMap<number, MicroGpuSeconds>): void {
    const { allocations } = this.state;
    this.sweeps.clearBook(book, 'hour_ended');
    for (let row = book.firstAllocation; row !== NIL; ) {
      const next = allocations.bookNext(row);
      this.settle(row, pending.get(allocations.idOf(row)) ?? 0);
      row = next;
    }
  }

  /** Closes the books of settled hours in which no failure can be found any more. */
  private closePast(): void {
    const { state } = this;
    for (const market of state.markets.values()) {
      for (const [hour, row] of [...market.books].sort(([a], [b]) => a - b)) {
        if (hour < state.settledThrough && this.isPast(state.bookOf(row))) this.closeBook(state.bookOf(row));
      }
    }
  }

  private settle(row: number, pending: MicroGpuSeconds): void {
    const { allocations, buffer } = this.state;
    const left = this.budget(row) - allocations.usedGpu(row) - allocations.failedGpu(row);
    const kept = Math.min(Math.max(pending, 0), left);
    allocations.setPendingGpu(row, kept);
    allocations.setState(row, ALLOCATION.settled);
    const credits = this.deliverRest(row, left - kept);
    buffer.emit('allocationSettled', { allocation: allocations.idOf(row), usedGpu: allocations.usedGpu(row), unused: credits, failed: allocations.refunded(row), pendingGpu: kept });
    this.finishIfDone(row);
  }

  /** Of `rest` that nobody consumed, what was available is delivered unused; the rest of it fails. Returns the micro-CR that the former retired. */
  private deliverRest(row: number, rest: MicroGpuSeconds): Micro {
    const { allocations } = this.state;
    const before = allocations.failedGpu(row);
    const shares = this.sharesOf(row);
    this.failures.beforeDelivery(row, this.failures.dueUnconsumed(row, shares), shares.reason);
    return this.deliver(row, rest - (allocations.failedGpu(row) - before), false).credits;
  }

  /** What failed of the allocation's minutes. After a replacement only a part of the later ones counts: what was not bought elsewhere. */
  private sharesOf(row: number): Shares {
    const { allocations, replacements } = this.state;
    const book = this.state.bookOf(allocations.book(row));
    const promised = { company: allocations.provider(row), market: book.market, hour: book.hour, model: allocations.model(row), fromMinute: allocations.fromMinute(row), toMinute: MINUTES_PER_HOUR };
    const replaced = replacements.get(row);
    if (replaced === undefined) return this.minutes.shares(promised);
    const early = this.minutes.shares({ ...promised, toMinute: replaced.minute });
    const late = this.minutes.shares({ ...promised, fromMinute: replaced.minute });
    // Nothing of it was promised but what was replaced: a remainder of less than a step.
    if (early.promised === 0 && replaced.taken === replaced.wanted) return late;
    const weigh = (sum: 'promised' | 'provider' | 'platform' | 'void'): number => early[sum] * replaced.wanted + late[sum] * (replaced.wanted - replaced.taken);
    return { promised: weigh('promised'), provider: weigh('provider'), platform: weigh('platform'), void: weigh('void'), reason: early.provider > 0 ? early.reason : late.reason };
  }

  /** A settled hour of which more is known now: what proves not to have been delivered is taken back. */
  reviewHour(market: MarketId, hour: Hour, provider: CompanyId): void {
    const { state } = this;
    const bookRow = state.markets.get(market)?.books.get(hour);
    if (bookRow === undefined || hour >= state.settledThrough) return;
    const { allocations } = state;
    for (let row = state.bookOf(bookRow).firstAllocation; row !== NIL; row = allocations.bookNext(row)) {
      if (allocations.provider(row) === provider && allocations.state(row) === ALLOCATION.done) this.review(row);
    }
  }

  private review(row: number): void {
    const shares = this.sharesOf(row);
    this.failures.afterDelivery(row, this.failures.due(row, shares), shares.reason, (company, amount) => this.clawBack(company, amount));
  }

  /**
   * Takes back what a company had earned, inside an open transaction: from what is still owed to it, the
   * latest first; what has been paid out already it owes.
   */
  private clawBack(company: CompanyId, amount: Micro): void {
    const { payables, ledger, companies } = this.state;
    const entries = [...payables].filter(([, payable]) => payable.company === company).sort(([, a], [, b]) => b.dueAt - a.dueAt);
    let left = amount;
    for (const [key, payable] of entries) {
      const part = Math.min(left, payable.amount);
      left -= part;
      if (part === payable.amount) payables.delete(key);
      else payables.set(key, { ...payable, amount: payable.amount - part });
      if (left === 0) break;
    }
    ledger.post(ACCOUNT['provider.payable'], company, amount - left);
    ledger.post(ACCOUNT['provider.receivable'], company, left);
    ledger.post(ACCOUNT['cash.escrow'], company, left);
    ledger.post(ACCOUNT['cash.ops'], company, -left);
    companies[company].earned -= amount;
  }

  releasePending(command: ReleasePending): RejectCode | undefined {
    const { allocations, buffer } = this.state;
    const row = allocations.rowOf(command.allocation);
    if (row === NIL || allocations.state(row) !== ALLOCATION.settled) return 'unknown_allocation';
    const gpu = Math.min(command.gpu, allocations.pendingGpu(row));
    allocations.setPendingGpu(row, allocations.pendingGpu(row) - gpu);
    this.deliverRest(row, gpu);
    buffer.emit('pendingReleased', { allocation: command.allocation, gpu });
    this.finishIfDone(row);
    return undefined;
  }

  /** Nothing of a settled allocation is under way any more. It is kept for as long as a failure of it may be found. */
  private finishIfDone(row: number): void {
    const { state } = this;
    const { allocations } = state;
    if (allocations.pendingGpu(row) > 0) return;
    const after = allocations.companyNext(row);
    const before = allocations.companyPrev(row);
    if (before === NIL) state.standing.setFirstAllocation(allocations.company(row), after);
    else allocations.setCompanyNext(before, after);
    if (after !== NIL) allocations.setCompanyPrev(after, before);
    const book = state.bookOf(allocations.book(row));
    for (const leg of this.resales.finish(row)) {
      this.facilities.prepayFrom(leg.facility, leg.company, leg.gross - leg.commission);
      state.companies[leg.company].paid += leg.gross - leg.commission;
    }
    allocations.setState(row, ALLOCATION.done);
    book.openAllocations--;
    if (state.failedPlaces.size > 0) this.review(row);
  }

  /** Whether nothing of a book can change any more. */
  private isPast(book: HourBook): boolean {
    return book.openAllocations === 0 && book.isEmpty() && (book.firstAllocation === NIL || book.hour < this.minutes.oldestHour());
  }

  private closeBook(book: HourBook): void {
    const { allocations, amounts, replacements } = this.state;
    for (let row = book.firstAllocation; row !== NIL; ) {
      const next = allocations.bookNext(row);
      this.resales.forget(row);
      replacements.delete(row);
      for (const list of [allocations.funding(row), allocations.spent(row), allocations.feeLots(row)]) amounts.dropAll(list);
      allocations.destroy(row);
      row = next;
    }
    book.firstAllocation = NIL;
    for (const cell of this.state.providerCells.values(book.row)) this.state.supply.destroyCell(cell);
    this.state.providerCells.clear(book.row);
    this.state.closeBook(book);
  }

  private forgetCaptures(): void {
    const { captured, now } = this.state;
    for (const [request, at] of captured) {
      if (at > now - CAPTURE_KEPT) break;
      captured.delete(request);
    }
  }

  /** Pays a provider what has become due, out of turn. */
  payout(command: Payout): RejectCode | undefined {
    if (this.state.switches.payout.on) return 'payouts_stopped';
    const own = [...this.state.payables].filter(([, { company }]) => company === command.company);
    return this.payDue(command.company, own) ? undefined : 'insufficient_funds';
  }

  /** The weekly run: every provider is paid what has become due. */
  dayBegan(day: Day): void {
    if (day % DAYS_OF_WEEK !== PAYOUT_WEEKDAY || this.state.switches.payout.on) return;
    const byCompany = new Map<CompanyId, [string, Payable][]>();
    for (const entry of this.state.payables) {
      const own = byCompany.get(entry[1].company);
      if (own === undefined) byCompany.set(entry[1].company, [entry]);
      else own.push(entry);
    }
    for (const [company, own] of [...byCompany].sort(([a], [b]) => a - b)) this.payDue(company, own);
  }

  /** @param own what is payable to the company, by its key */
  private payDue(company: CompanyId, own: readonly [string, Payable][]): boolean {
    const { payables, ledger, buffer, companies, now } = this.state;
    let amount = 0;
    for (const [key, payable] of own) {
      if (payable.dueAt > now || isPayableHeld(this.state, payable.facility)) continue;
      amount += payable.amount;
      payables.delete(key);
    }
    if (amount === 0) return false;
    ledger.begin();
    ledger.post(ACCOUNT['provider.payable'], company, amount);
    ledger.post(ACCOUNT['cash.escrow'], company, -amount);
    // What it owes for hours that were paid and not delivered stays with the house.
    const owed = Math.min(amount, ledger.balance(ACCOUNT['provider.receivable'], company));
    ledger.post(ACCOUNT['provider.receivable'], company, -owed);
    ledger.post(ACCOUNT['cash.ops'], company, owed);
    ledger.end();
    companies[company].paid += amount - owed;
    buffer.emit('payoutMade', { company, amount: amount - owed, withheld: owed });
    return true;
  }
}

/** Unused hours that a loan paid for are not paid out while it is frozen or past due. Once it is given up they are: what a provider earns does not depend on who bought. */
export function isPayableHeld(state: State, facilityId: number): boolean {
  if (facilityId === NONE) return false;
  const facility = state.facilities[facilityId];
  // Rules before version 9 held it for ever, for its freeze is never lifted.
  if (state.rulesVersion >= 9 && facility.state === 'written_off') return false;
  return facility.frozenFraction > 0 || daysPastDue(state, facility) > 0;
}
