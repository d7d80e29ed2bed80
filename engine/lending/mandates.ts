/** Whose money funds a facility: the cheapest mandate that fits, then the oldest; where none does alone, several in that order. */
import type { RejectCode } from '../catalogue.ts';
import { GRADES } from '../vocabulary.ts';
import type { CreateMandate } from '../commands.ts';
import type { CompanyId, Grade, MandateId } from '../vocabulary.ts';
import { FACILITY_MICRO_MAX } from '../numbers/units.ts';
import type { Facility, Mandate, Share } from './facility.ts';
import type { Fund } from './fund.ts';
import type { State } from '../state.ts';
import type { Micro, Ppm } from '../numbers/units.ts';

export interface FundingAsk {
  company: CompanyId;
  amount: Micro;
  grade: Grade;
  annualRate: Ppm;
  /** Lenders that will not. */
  without: readonly CompanyId[];
}

/** States in which a facility still takes of its lenders' mandates. */
const ENDED: ReadonlySet<Facility['state']> = new Set(['closed', 'declined', 'written_off']);

export class Mandates {
  private readonly state: State;
  /** Facilities by company, as far as they have been looked at. */
  private readonly known: (Facility[] | undefined)[] = [];
  private looked = 0;
  private readonly fund: Fund;

  constructor(state: State, fund: Fund) {
    this.state = state;
    this.fund = fund;
  }

  create(command: CreateMandate): RejectCode | undefined {
    const { state } = this;
    if (state.companies[command.company]?.role !== 'lender') return 'not_authorized';
    if (!validAmount(command.amount) || !validAmount(command.maximumPerBorrower)) return 'amount_out_of_range';
    if (command.grades.length === 0 || command.grades.some((grade) => !GRADES.includes(grade))) return 'invalid_parameter';
    const { company, amount, grades, maximumPerBorrower, minimumAnnualRate, reinvest = true } = command;
    const refusal = this.fund.fundMandate(command);
    if (refusal !== undefined) return refusal;
    const mandate = state.mandates.length;
    state.mandates.push({ mandate, company, amount, committed: 0, grades, maximumPerBorrower, minimumAnnualRate, ...(reinvest ? {} : { reinvest }) });
    state.buffer.emit('mandateCreated', { mandate, company, amount, grades, maximumPerBorrower, minimumAnnualRate });
    return undefined;
  }

  /** The parts that mandates take of an amount; undefined when they do not cover it. */
  sharesFor(ask: FundingAsk): Share[] | undefined {
    const fitting = this.fitting(ask);
    const alone = fitting.find(({ room }) => room >= ask.amount);
    if (alone !== undefined) return [shareOf(alone.mandate, ask.amount)];
    const shares: Share[] = [];
    let left = ask.amount;
    for (const { mandate, room } of fitting) {
      const part = Math.min(left, room);
      if (part > 0) shares.push(shareOf(mandate, part));
      left -= part;
    }
    return left === 0 ? shares : undefined;
  }

  /** Mandates that lend at such a grade and rate, with what each may still lend to the company. */
  private fitting({ company, grade, annualRate, without }: FundingAsk): { mandate: Mandate; room: Micro }[] {
    return this.state.mandates
      .filter((mandate) => mandate.grades.includes(grade) && mandate.minimumAnnualRate <= annualRate && !without.includes(mandate.company))
      .map((mandate) => ({ mandate, room: Math.min(mandate.amount - mandate.committed, mandate.maximumPerBorrower - this.lentTo(company, mandate.mandate)) }))
      .sort((a, b) => a.mandate.minimumAnnualRate - b.mandate.minimumAnnualRate || a.mandate.mandate - b.mandate.mandate);
  }

  private lentTo(company: CompanyId, mandate: MandateId): Micro {
    let sum = 0;
    for (const facility of this.of(company)) {
      if (ENDED.has(facility.state)) continue;
      for (const share of facility.shares) if (share.mandate === mandate) sum += share.amount;
    }
    return sum;
  }

  private of(company: CompanyId): readonly Facility[] {
    const { facilities } = this.state;
    for (; this.looked < facilities.length; this.looked++) (this.known[facilities[this.looked].company] ??= []).push(facilities[this.looked]);
    return this.known[company] ?? [];
  }

  /** Whether every mandate still has what its share takes. */
  covers(shares: readonly Share[]): boolean {
    return shares.every(({ mandate, amount }) => this.state.mandates[mandate].committed + amount <= this.state.mandates[mandate].amount);
  }

  commit(shares: readonly Share[]): void {
    for (const { mandate, amount } of shares) this.state.mandates[mandate].committed += amount;
  }
  release(shares: readonly Share[]): void {
    for (const { mandate, amount, returned = 0 } of shares) this.fund.release(this.state.mandates[mandate], amount - returned, 0);
  }
}

const shareOf = (mandate: Mandate, amount: Micro): Share => ({ mandate: mandate.mandate, lender: mandate.company, amount, costPosted: 0 });

/** The share that leads: the largest, of equal ones the cheapest. */
export const leadOf = (shares: readonly Share[]): Share => shares.reduce((lead, share) => (share.amount > lead.amount ? share : lead));

/** As events tell it. */
export const sharesWire = (shares: readonly Share[]): { mandate: number; lender: number; amount: number }[] =>
  shares.map(({ mandate, lender, amount }) => ({ mandate, lender, amount }));

export const validAmount = (amount: Micro): boolean => Number.isSafeInteger(amount) && amount > 0 && amount <= FACILITY_MICRO_MAX;
