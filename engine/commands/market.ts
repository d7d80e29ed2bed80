/** Time, who and what is traded, and by which rules. */
import type { Hour, Micro, MicroGpuSeconds, Millis, Ppm } from '../numbers/units.ts';
import type { AllocationId, ClassId, CompanyId, MarketId, Role, TradingMode } from '../vocabulary.ts';

/** Moves engine time; every timer due on the way runs, in order. Never goes back. */
export interface Tick {
  type: 'tick';
  now: Millis;
}

/** Settles a delivery hour. Sent once per hour, at its end, by the sequencer. */
export interface EndHour {
  type: 'endHour';
  hour: Hour;
  /** GPU time authorised and not yet captured; it stays in contract. */
  pending: { allocation: AllocationId; gpu: MicroGpuSeconds }[];
}

export interface RegisterCompany {
  type: 'registerCompany';
  name: string;
  role: Role;
  /** Beneficial owner; companies with the same name never trade with each other. '' = a group of its own. */
  group: string;
}

export interface AddClass {
  type: 'addClass';
  name: string;
  chip: string;
  memoryGb: number;
  formFactor: string;
  /** Ticks per GPU-hour, effective at once for a class that is new. */
  listPrice: number;
  /** The published inputs of the list price: one line per provider, USD micro per GPU-hour. */
  listInputs: { provider: string; usd: Micro }[];
}

export interface AddRegion {
  type: 'addRegion';
  name: string;
}

/** Models are known by name; ratings belong to the gateway's catalogue. */
export interface AddModel {
  type: 'addModel';
  name: string;
}

/** Announces a recomputed list price. */
export interface SetListPrice {
  type: 'setListPrice';
  class: ClassId;
  price: number;
  effectiveAt: Millis;
  inputs: { provider: string; usd: Micro }[];
}

/** scope: everything, one class, one market or one instrument (NONE where not narrowed). */
export interface SetTradingMode {
  type: 'setTradingMode';
  company: CompanyId;
  class: ClassId;
  market: MarketId;
  hour: Hour;
  mode: TradingMode;
  reason: string;
  /** With mode auction: after so long the call ends by itself. Absent or 0: with the next change of mode. */
  call?: Millis;
}

/** Price bands of the whole market, in millionths of the reference price. Orders that rest stay where they are. */
export interface SetBands {
  type: 'setBands';
  company: CompanyId;
  /** Bids at most this much of it, or list price where that is more. */
  above: Ppm;
  /** Asks at least this much of it. */
  below: Ppm;
}

/** What hours are worth by their trades, and classes by their index, in ticks: all that is known. What is not named has no such mark. */
export interface SetMarks {
  type: 'setMarks';
  classes: { class: ClassId; price: number }[];
  hours: { market: MarketId; hour: Hour; price: number }[];
}

/** A kill switch; two persons undo it, which the api sees to. */
export interface SetSwitch {
  type: 'setSwitch';
  company: CompanyId;
  name: 'mint' | 'draw' | 'payout';
  on: boolean;
  reason: string;
}

/** The market's prices of money. conversionRate 0: the tiers. */
export interface SetMoneyRules {
  type: 'setMoneyRules';
  company: CompanyId;
  redemptionRate: Ppm;
  spreadMinimum: Ppm;
  conversionRate: Ppm;
}

/** Takes the idempotency key it comes with for a call that changes rows and not the market: no other call of the company has it then. */
export interface ClaimKey {
  type: 'claimKey';
  company: CompanyId;
}
