/** What is kept of hours that failed, were replaced, or were sold on. */
import type { FailureReason } from '../events.ts';
import type { Hour, Micro, MicroGpuSeconds, Ppm, Steps, Ticks } from '../numbers/units.ts';
import type { CompanyId, FacilityId, MarketId, ModelId } from '../vocabulary.ts';

/** What failed in one hour at a provider on a market. */
export interface FailedPlace {
  readonly company: CompanyId;
  readonly market: MarketId;
  readonly hour: Hour;
  /** NONE: all that was sold there; else what named this model. */
  readonly model: ModelId;
  /** Minute of the hour, and how much of the capacity failed in it. */
  minutes: [minute: number, share: Ppm][];
  /** From this minute on even what was consumed counts as not delivered; 60: nothing does. */
  voidFrom: number;
  /** What is known of it first. */
  reason: FailureReason;
  /** The last minute of the hour for which replacement was sought; absent: none, or under older rules. */
  soughtIn?: number;
}

/** The platform was down: whole minutes, the first included, the last not. */
export interface Outage {
  readonly from: number;
  readonly to: number;
}

/** What of an allocation was bought elsewhere: `taken` of the `wanted` steps that minutes from `minute` on were to deliver. */
export interface Replacement {
  readonly minute: number;
  readonly wanted: Steps;
  readonly taken: Steps;
  /** Of what was taken, what could not be bought after all. */
  penalGpu: MicroGpuSeconds;
}

/** What one reseller has still to give or to get for an allocation. */
export interface Leg {
  readonly company: CompanyId;
  /** Sold above cost: what it gains per step. Below: what it left in contract, negative. */
  readonly gain: Ticks;
  /** List of (lot, credits) left in contract; NIL for a gain. */
  funding: number;
  /** The loan a gain prepays; NONE: it is paid out. */
  readonly facility: FacilityId;
  readonly redemptionRate: Ppm;
  readonly sellerFee: number;
  /** List of (lot, credits) that delivery has retired; NIL for a gain. */
  spent: number;
  /** Micro-CR given back, retired so far; micro-USD earned so far and the commission out of it. */
  refunded: Micro;
  retired: Micro;
  gross: Micro;
  commission: Micro;
  /** A gain that prepays a loan has done so. */
  prepaid: boolean;
}

/** Kept only for allocations that were resold at another price than the provider's. */
export interface Chain {
  /** What the provider sold at. */
  readonly basePrice: Ticks;
  /** The provider's share of what is retired so far, micro-CR. */
  owed: Micro;
  /** In the order of the resales. */
  legs: Leg[];
}

/** Sales in the running hour of what was bought for more of it. */
export interface SpotResale {
  /** Steps that the allocation was of before them. */
  readonly bought: Steps;
  /** What they occupy of a whole hour, in parts of a step. */
  occupied: bigint;
}
