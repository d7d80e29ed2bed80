/**
 * What a buyer gets back for capacity that was not delivered: CREDIT.md section 4, rows "failure before
 * delivery" and "failure found after delivery". Credits return to the lots that paid, the fee with them;
 * where the provider is at fault its bond pays damages; what it had earned is taken back.
 *
 * Every amount is cumulative over the allocation: what is due for all that failed so far, less what was
 * posted for it.
 */
import { ACCOUNT } from '../ledger/accounts.ts';
import { classOf } from '../vocabulary.ts';
import type { CompanyId } from '../vocabulary.ts';
import type { FailureReason } from '../events.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import type { Shares } from './minutes.ts';
import { mulDiv } from '../numbers/muldiv.ts';
import { FEE_SCALE, PARAMETERS } from '../parameters.ts';
import type { Resales } from './resale.ts';
import type { State } from '../state.ts';
import { MICRO, MICRO_GPU_SECONDS_PER_STEP } from '../numbers/units.ts';
import type { Micro, MicroGpuSeconds } from '../numbers/units.ts';

/** What of an allocation failed, in 1e-6 GPU-seconds; `penal` of it by the provider's fault. */
export interface Failed {
  total: MicroGpuSeconds;
  penal: MicroGpuSeconds;
}

export class Failures {
  private readonly state: State;
  private readonly resales: Resales;

  constructor(state: State, resales: Resales) {
    this.state = state;
    this.resales = resales;
  }

  private budget(row: number): MicroGpuSeconds {
    return this.state.allocations.quantity(row) * MICRO_GPU_SECONDS_PER_STEP;
  }

  /**
   * What is due of a settled allocation. Of its unconsumed part, that is budget - consumed - pending,
   * fails the share of failed minutes in promised ones; of the consumed part, that of void minutes.
   * What was bought elsewhere has failed already.
   */
  due(row: number, shares: Shares): Failed {
    const { allocations } = this.state;
    const consumed = allocations.usedGpu(row);
    const replaced = this.state.replacements.get(row);
    const elsewhere = (replaced?.taken ?? 0) * MICRO_GPU_SECONDS_PER_STEP;
    const rest = this.budget(row) - consumed - allocations.pendingGpu(row) - elsewhere;
    const failed = mulDiv(rest, shares.provider + shares.platform, shares.promised);
    const ours = mulDiv(rest, shares.platform, shares.promised);
    const voided = allocations.pendingGpu(row) > 0 ? 0 : mulDiv(consumed, shares.void, shares.promised);
    return { total: elsewhere + failed + voided, penal: (replaced?.penalGpu ?? 0) + failed - ours + voided };
  }

  /** The same without the consumed part: what can fail before it is delivered. */
  dueUnconsumed(row: number, shares: Shares): Failed {
    return this.due(row, { ...shares, void: 0 });
  }

  /**
   * Fails what has not been delivered, up to `due` in all: the row "failure before delivery". Returns
   * the micro-CR that go back, without the fee.
   */
  beforeDelivery(row: number, due: Failed, reason: FailureReason): Micro {
    const { allocations, ledger, amounts, companies } = this.state;
    const gpu = due.total - allocations.failedGpu(row);
    if (gpu <= 0) return 0;
    const penal = due.penal - allocations.penalGpu(row);
    const company = allocations.company(row);
    const credits = this.refundable(row, due.total, allocations.price(row)) - allocations.refunded(row);
    const feeBefore = this.feeBack(row);
    const penaltyBefore = this.penalty(row);
    const owedBefore = this.owedFailed(row);
    ledger.begin();
    const [rest, back] = amounts.split(amounts.divisible(allocations.funding(row), allocations.contract(row)), allocations.contract(row) - credits);
    allocations.setFunding(row, rest);
    this.resales.giveBack(company, back, 0);
    this.giveBackLegs(row, due.total);
    this.count(row, due);
    const fee = this.remintFee(row, this.feeBack(row) - feeBefore);
    this.postCapacity(row, 'capacity.entitled', gpu);
    const paid = this.postDamages(row, this.penalty(row) - penaltyBefore);
    ledger.end();
    allocations.setRefunded(row, allocations.refunded(row) + credits);
    allocations.setContract(row, allocations.contract(row) - credits);
    companies[allocations.provider(row)].undelivered -= this.owedFailed(row) - owedBefore;
    this.tell(row, 'before_delivery', { gpu, penal, credits, fee, damages: paid, clawedBack: 0, commission: 0, reason });
    return credits;
  }

  /**
   * Fails what had been delivered, so that `due` has failed in all: the row "failure found after
   * delivery". Nothing of the allocation may be under way. `clawBack` takes what a company had earned.
   */
  afterDelivery(row: number, due: Failed, reason: FailureReason, clawBack: (company: CompanyId, amount: Micro) => void): void {
    const { allocations, ledger, chains, companies } = this.state;
    const gpu = due.total - allocations.failedGpu(row);
    if (gpu <= 0) return;
    const penal = due.penal - allocations.penalGpu(row);
    const buyer = allocations.company(row);
    const left = this.budget(row) - due.total;
    const total = mulDiv(left, allocations.price(row), MICRO_GPU_SECONDS_PER_STEP);
    const credits = allocations.retired(row) - total;
    const chain = chains.get(row);
    const owed = chain === undefined ? total : mulDiv(left, chain.basePrice, MICRO_GPU_SECONDS_PER_STEP);
    const gross = mulDiv(owed, allocations.redemptionRate(row), MICRO);
    const commission = mulDiv(owed, allocations.redemptionRate(row) * allocations.sellerFee(row), MICRO * FEE_SCALE);
    const grossBack = allocations.gross(row) - gross;
    const commissionBack = allocations.commission(row) - commission;
    const feeBefore = this.feeBack(row);
    const penaltyBefore = this.penalty(row);
    ledger.begin();
    const reminted = this.remint(buyer, allocations.spent(row), allocations.retired(row) - credits);
    allocations.setSpent(row, reminted.rest);
    clawBack(allocations.provider(row), grossBack - commissionBack);
    const legs = chain === undefined ? { cost: 0, gross: 0, commission: 0 } : this.resales.undeliver(chain, left, (owner, list, keep) => this.remint(owner, list, keep), clawBack);
    const spread = reminted.cost + legs.cost - grossBack - legs.gross;
    const returned = commissionBack + legs.commission + spread;
    ledger.reserve(16);
    ledger.post(ACCOUNT['commission.seller'], buyer, commissionBack + legs.commission);
    ledger.post(ACCOUNT['income.spread'], buyer, spread);
    ledger.post(ACCOUNT['cash.ops'], buyer, -returned);
    ledger.post(ACCOUNT['cash.escrow'], buyer, returned);
    this.count(row, due);
    if (this.state.rulesVersion >= 9) companies[buyer].listValue -= Math.min(companies[buyer].listValue, this.listValue(row, gpu));
    const fee = this.remintFee(row, this.feeBack(row) - feeBefore);
    this.postCapacity(row, 'capacity.delivered', gpu);
    const paid = this.postDamages(row, this.penalty(row) - penaltyBefore);
    ledger.end();
    allocations.setRetired(row, total);
    allocations.setRefunded(row, allocations.refunded(row) + credits);
    allocations.setGross(row, gross);
    allocations.setCommission(row, commission);
    if (chain !== undefined) chain.owed = owed;
    companies[buyer].delivered.spread -= spread;
    companies[buyer].delivered.commission -= commissionBack + legs.commission;
    companies[buyer].delivered.cost -= reminted.cost + legs.cost;
    this.tell(row, 'after_delivery', { gpu, penal, credits, fee, damages: paid, clawedBack: grossBack - commissionBack, commission: commissionBack, reason });
  }

  /** Micro-CR that a part of an allocation is worth at today's list price. */
  listValue(row: number, gpu: MicroGpuSeconds): Micro {
    const { allocations, supply, classes } = this.state;
    const { market } = supply.capacities[supply.capacityOf(allocations.cell(row))];
    return mulDiv(gpu, classes[classOf(market)].listPrice, MICRO_GPU_SECONDS_PER_STEP);
  }

  /** Micro-CR that go back when `failed` of the allocation has failed: what the rest does not cost. */
  private refundable(row: number, failed: MicroGpuSeconds, price: number): Micro {
    return price * this.state.allocations.quantity(row) - mulDiv(this.budget(row) - failed, price, MICRO_GPU_SECONDS_PER_STEP);
  }

  private basePrice(row: number): number {
    return this.state.chains.get(row)?.basePrice ?? this.state.allocations.price(row);
  }

  /** What the provider had sold of what failed. */
  private owedFailed(row: number): Micro {
    return this.refundable(row, this.state.allocations.failedGpu(row), this.basePrice(row));
  }

  /** The buyer's fee on what has failed. */
  feeBack(row: number): Micro {
    const { allocations } = this.state;
    return mulDiv(allocations.fee(row), allocations.failedGpu(row), allocations.bought(row) * MICRO_GPU_SECONDS_PER_STEP);
  }

  /** 25 % of redemption rate x the provider's price x what failed by its fault. */
  private penalty(row: number): Micro {
    const { allocations } = this.state;
    const credits = mulDiv(allocations.penalGpu(row), this.basePrice(row), MICRO_GPU_SECONDS_PER_STEP);
    return mulDiv(credits, allocations.redemptionRate(row) * PARAMETERS.damages, MICRO * MICRO);
  }

  private count(row: number, due: Failed): void {
    const { allocations } = this.state;
    allocations.setFailedGpu(row, due.total);
    allocations.setPenalGpu(row, due.penal);
  }

  /** What has failed already proves to be the provider's fault: it pays damages for it. Returns what was given. */
  penalise(row: number, gpu: MicroGpuSeconds): MicroGpuSeconds {
    const { allocations } = this.state;
    const before = this.penalty(row);
    allocations.setPenalGpu(row, allocations.penalGpu(row) + gpu);
    const damages = this.payExtra(allocations.provider(row), allocations.company(row), this.penalty(row) - before);
    this.tell(row, 'before_delivery', { gpu: 0, penal: gpu, credits: 0, fee: 0, damages, clawedBack: 0, commission: 0, reason: 'replaced' });
    return gpu;
  }

  /** Resellers below cost get back what they had left in contract. */
  private giveBackLegs(row: number, failed: MicroGpuSeconds): void {
    const { chains, amounts } = this.state;
    for (const leg of chains.get(row)?.legs ?? []) {
      if (leg.gain > 0) continue;
      const credits = this.refundable(row, failed, -leg.gain) - leg.refunded;
      const [rest, back] = amounts.split(leg.funding, amounts.sum(leg.funding) - credits);
      leg.funding = rest;
      leg.refunded += credits;
      this.resales.giveBack(leg.company, back, 0);
    }
  }

  /** Mints retired credit anew, into the lots that it was of, the last first, until `keep` of the list is left. */
  private remint(company: CompanyId, list: number, keep: Micro): { rest: number; cost: Micro } {
    const { amounts, ledger, lots, companies } = this.state;
    const [rest, back] = amounts.split(list, keep);
    let cost = 0;
    let credits = 0;
    for (let node = back; node !== NIL; node = amounts.next(node)) {
      const lot = lots.rows[amounts.lot(node)];
      const part = amounts.amount(node);
      ledger.reserve(16);
      cost -= lots.postRelease(lot, -part);
      ledger.post(ACCOUNT['lot.issued'], lot.lot, part);
      ledger.post(ACCOUNT['lot.available'], lot.lot, -part);
      lot.reminted += part;
      credits += part;
    }
    companies[company].retired -= credits;
    companies[company].retiredCost -= cost;
    this.resales.extendExpired(back);
    amounts.dropAll(back);
    return { rest, cost };
  }

  private remintFee(row: number, fee: Micro): Micro {
    const { allocations, amounts, ledger } = this.state;
    if (fee === 0) return 0;
    const company = allocations.company(row);
    const paid = amounts.divisible(allocations.feeLots(row), allocations.fee(row));
    const { rest, cost } = this.remint(company, paid, amounts.sum(paid) - fee);
    allocations.setFeeLots(row, rest);
    ledger.reserve(8);
    ledger.post(ACCOUNT['commission.buyer'], company, cost);
    ledger.post(ACCOUNT['cash.escrow'], company, cost);
    ledger.post(ACCOUNT['cash.ops'], company, -cost);
    return fee;
  }

  private postCapacity(row: number, from: 'capacity.entitled' | 'capacity.delivered', gpu: MicroGpuSeconds): void {
    const { allocations, ledger, supply } = this.state;
    const cell = allocations.cell(row);
    ledger.reserve(16);
    ledger.postCell(ACCOUNT[from], cell, supply.cellId(cell), gpu);
    ledger.postCell(ACCOUNT['capacity.failed'], cell, supply.cellId(cell), -gpu);
  }

  /** From the provider's bond, as far as it reaches, to the buyer's cash. Returns what was paid. */
  private postDamages(row: number, due: Micro): Micro {
    const { allocations } = this.state;
    return this.payFromBond(allocations.provider(row), allocations.company(row), due);
  }

  /** A payment out of a bond by itself. Returns what the bond could pay. */
  payExtra(provider: CompanyId, company: CompanyId, due: Micro): Micro {
    const { ledger } = this.state;
    ledger.begin();
    const paid = this.payFromBond(provider, company, due);
    ledger.end();
    return paid;
  }

  /** Inside an open transaction. Returns what the bond could pay. */
  private payFromBond(provider: CompanyId, company: CompanyId, due: Micro): Micro {
    const { ledger } = this.state;
    const paid = Math.min(due, -ledger.balance(ACCOUNT['provider.bond'], provider));
    ledger.post(ACCOUNT['provider.bond'], provider, paid);
    ledger.post(ACCOUNT['cash.escrow'], provider, -paid);
    ledger.post(ACCOUNT['cash.fund'], company, paid);
    ledger.post(ACCOUNT.unapplied, company, -paid);
    return paid;
  }

  private tell(row: number, found: 'before_delivery' | 'after_delivery', what: { gpu: number; penal: number; credits: Micro; fee: Micro; damages: Micro; clawedBack: Micro; commission: Micro; reason: FailureReason }): void {
    const { allocations, buffer, rulesVersion } = this.state;
    // Postings are booked under what is told next.
    if (rulesVersion < 7) this.resales.tellExtended();
    buffer.emit('deliveryFailed', {
      allocation: allocations.idOf(row), company: allocations.company(row), provider: allocations.provider(row), found, ...what,
    });
    this.resales.tellExtended();
  }
}
