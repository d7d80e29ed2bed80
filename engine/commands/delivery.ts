/** Capacity, and what was made of it. */
import type { Micro, MicroGpuSeconds, Millis, Ppm } from '../numbers/units.ts';
import type { AllocationId, ANNULMENTS, CompanyId, MarketId, ModelId } from '../vocabulary.ts';

export interface DeclareCapacity {
  type: 'declareCapacity';
  company: CompanyId;
  market: MarketId;
  gpus: number;
}

/** What verification has proven of the declared capacity. */
export interface VerifyCapacity {
  type: 'verifyCapacity';
  company: CompanyId;
  market: MarketId;
  gpus: number;
}

/** Models the provider serves on a market, whole list. */
export interface SetEligibility {
  type: 'setEligibility';
  company: CompanyId;
  market: MarketId;
  models: ModelId[];
}

/** A metered inference, final. Retires credit from the allocation at its fill price. */
export interface Capture {
  type: 'capture';
  company: CompanyId;
  allocation: AllocationId;
  gpu: MicroGpuSeconds;
  /** Unique per client request: a second capture of the same request has no effect. */
  request: string;
  model: ModelId;
  promptTokens: number;
  completionTokens: number;
  /** Opaque to the engine, kept in the event: key id, endpoint id, fees of spot fills bought for it. */
  detail: CaptureDetail;
}

export interface CaptureDetail {
  key: string;
  endpoint: string;
  /** Micro-CR of fees of spot fills bought for this request. */
  spotFees: Micro;
  estimated: boolean;
}

/** Gives back GPU time that endHour had kept in contract. */
export interface ReleasePending {
  type: 'releasePending';
  allocation: AllocationId;
  gpu: MicroGpuSeconds;
}

/** What is known of one minute of a provider on a market. */
export interface MinuteOutcome {
  company: CompanyId;
  market: MarketId;
  /** NONE: of all that it sold there; else of what named this model. */
  model: ModelId;
  canary: 'passed' | 'failed' | 'none';
  /** Requests of the minute that have ended, and those that failed by the provider's fault. */
  requests: number;
  failures: number;
  /** What a load test could not reach of the rate sold. */
  shortfall: Ppm;
  /** A model that was promised is not served. */
  notServed: boolean;
}

/** What probes and requests have shown of a minute that has begun. The engine decides whether it failed; a minute of which nothing is told was delivered. */
export interface ReportMinute {
  type: 'reportMinute';
  /** Minutes since 1970. */
  minute: number;
  outcomes: MinuteOutcome[];
  /** GPU time that is held for requests under way: it is not bought elsewhere. The sequencer writes it, so that replay does not need to know. */
  held?: { allocation: AllocationId; gpu: MicroGpuSeconds }[];
}

/** Nothing that the provider delivered there from `since` until now counts. `company` is who says so: an operator, or NONE for the market's own probes. */
export interface AnnulDelivery {
  type: 'annulDelivery';
  company: CompanyId;
  provider: CompanyId;
  market: MarketId;
  model: ModelId;
  since: Millis;
  reason: (typeof ANNULMENTS)[number];
}

/** The platform could not serve in the whole minutes between: they are refunded without damages. */
export interface PlatformDown {
  type: 'platformDown';
  from: Millis;
  to: Millis;
}

/** `company` is who acts: an operator, or NONE for the market's own probes. */
export interface SuspendProvider {
  type: 'suspendProvider';
  company: CompanyId;
  provider: CompanyId;
  reason: string;
}

export interface ReinstateProvider {
  type: 'reinstateProvider';
  company: CompanyId;
  provider: CompanyId;
  reason: string;
}
