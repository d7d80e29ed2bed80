/**
 * Which minutes of an hour were not delivered, and why. Time and probes arrive as commands; a minute of
 * which nothing is told was delivered. Kept for as long as a failure may still be found.
 *
 * A share of an allocation fails: of its promised minutes, those that failed. All of it in whole
 * numbers: a minute weighs a million, or the parts per million of the capacity that failed in it.
 */
import type { RejectCode } from '../catalogue.ts';
import type { MinuteOutcome, PlatformDown, ReportMinute } from '../commands.ts';
import type { CompanyId, MarketId, ModelId } from '../vocabulary.ts';
import { NONE } from '../vocabulary.ts';
import type { FailureReason } from '../events.ts';
import { PARAMETERS } from '../parameters.ts';
import type { FailedPlace } from './records.ts';
import type { State } from '../state.ts';
import { MICRO, MILLIS_PER_HOUR, MILLIS_PER_MINUTE, MINUTES_PER_HOUR } from '../numbers/units.ts';
import type { Hour, Millis, Ppm } from '../numbers/units.ts';

/** Sums over the promised minutes of an allocation, in ppm-minutes. */
export interface Shares {
  promised: number;
  /** By the provider's fault, and by nobody's but ours. */
  provider: number;
  platform: number;
  /** Of the provider's, those in which also consumed time is void. */
  void: number;
  reason: FailureReason;
}

/** What an allocation is asked about by. */
export interface Promised {
  company: CompanyId;
  market: MarketId;
  hour: Hour;
  model: ModelId;
  /** Minutes of the hour, the first included, the last not. */
  fromMinute: number;
  toMinute: number;
}

/** A minute fails when more than this share of its requests did, of at least so many. */
const FAILED_REQUESTS_MAX = 10;
const REQUESTS_MIN = 5;
export const PROBES_BEFORE_REPLACEMENT = 3;

/** Why the minute failed; undefined when it was delivered. */
export function failureOf({ canary, requests, failures, shortfall, notServed }: MinuteOutcome): { reason: FailureReason; share: Ppm } | undefined {
  if (notServed) return { reason: 'not_served', share: MICRO };
  if (canary === 'failed') return { reason: 'canary', share: MICRO };
  if (requests >= REQUESTS_MIN && failures * FAILED_REQUESTS_MAX > requests) return { reason: 'requests', share: MICRO };
  return shortfall > 0 ? { reason: 'load_test', share: shortfall } : undefined;
}

export class DeliveryMinutes {
  private readonly state: State;

  constructor(state: State) {
    this.state = state;
  }

  /** Whether the report may be taken. */
  refusal({ minute, outcomes }: ReportMinute): RejectCode | undefined {
    const { state } = this;
    if (!Number.isSafeInteger(minute) || minute < 0 || minute * MILLIS_PER_MINUTE > state.now) return 'invalid_parameter';
    if (Math.floor(minute / MINUTES_PER_HOUR) < this.oldestHour()) return 'invalid_state';
    return outcomes.every((outcome) => this.isValid(outcome)) ? undefined : 'invalid_parameter';
  }

  private isValid({ company, market, model, requests, failures, shortfall }: MinuteOutcome): boolean {
    const { state } = this;
    const counts = [requests, failures].every((count) => Number.isSafeInteger(count) && count >= 0) && failures <= requests;
    const share = Number.isInteger(shortfall) && shortfall >= 0 && shortfall <= MICRO;
    return counts && share && state.companies[company]?.role === 'provider' && state.markets.has(market) && Number.isInteger(model) && model >= NONE && model < state.models.length;
  }

  /** Hours before this one are past all claims. */
  oldestHour(): Hour {
    return this.state.settledThrough - PARAMETERS.clawBackHours;
  }

  /** How much of the minute is known to have failed at the place. */
  failedShare({ company, market, model }: Pick<FailedPlace, 'company' | 'market' | 'model'>, minute: number): Ppm {
    const kept = this.state.failedPlaces.get(keyOf(Math.floor(minute / MINUTES_PER_HOUR), company, market, model));
    return kept?.minutes.find(([at]) => at === minute % MINUTES_PER_HOUR)?.[1] ?? 0;
  }

  /** Notes a minute that failed. A minute never fails by less than was known. Returns what is kept of its hour. */
  note(place: Pick<FailedPlace, 'company' | 'market' | 'model'>, minute: number, share: Ppm, reason: FailureReason): FailedPlace {
    const kept = this.open(place, Math.floor(minute / MINUTES_PER_HOUR), reason);
    const at = minute % MINUTES_PER_HOUR;
    const known = kept.minutes.find((entry) => entry[0] === at);
    if (known === undefined) kept.minutes.push([at, share]);
    else known[1] = Math.max(known[1], share);
    return kept;
  }

  /** Nothing that was delivered there from `since` until now counts. Returns the hours it touches. */
  annul(place: Pick<FailedPlace, 'company' | 'market' | 'model'>, since: Millis, reason: FailureReason): Hour[] {
    const { now } = this.state;
    const first = Math.max(since, this.oldestHour() * MILLIS_PER_HOUR);
    const hours: Hour[] = [];
    for (let hour = Math.floor(first / MILLIS_PER_HOUR); hour * MILLIS_PER_HOUR <= now; hour++) {
      const from = Math.max(0, Math.floor((first - hour * MILLIS_PER_HOUR) / MILLIS_PER_MINUTE));
      const to = Math.min(MINUTES_PER_HOUR, Math.floor((now - hour * MILLIS_PER_HOUR) / MILLIS_PER_MINUTE) + 1);
      const kept = this.open(place, hour, reason);
      kept.voidFrom = Math.min(kept.voidFrom, from);
      for (let at = from; at < to; at++) this.note(place, hour * MINUTES_PER_HOUR + at, MICRO, reason);
      hours.push(hour);
    }
    return hours;
  }

  private open({ company, market, model }: Pick<FailedPlace, 'company' | 'market' | 'model'>, hour: Hour, reason: FailureReason): FailedPlace {
    const { failedPlaces } = this.state;
    const key = keyOf(hour, company, market, model);
    let kept = failedPlaces.get(key);
    if (kept === undefined) failedPlaces.set(key, (kept = { company, market, hour, model, minutes: [], voidFrom: MINUTES_PER_HOUR, reason }));
    return kept;
  }

  /** Only whole minutes within the outage are the platform's. */
  noteOutage({ from, to }: PlatformDown): RejectCode | undefined {
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from < 0 || to < from) return 'invalid_parameter';
    const outage = { from: Math.ceil(from / MILLIS_PER_MINUTE), to: Math.floor(to / MILLIS_PER_MINUTE) };
    if (outage.to > outage.from) this.state.outages.push(outage);
    this.state.buffer.emit('platformWasDown', { from, to });
    return undefined;
  }

  /** What failed of a promise, as far as it is known. */
  shares({ company, market, hour, model, fromMinute, toMinute }: Promised): Shares {
    const shares: Shares = { promised: (toMinute - fromMinute) * MICRO, provider: 0, platform: 0, void: 0, reason: 'platform_down' };
    const places = this.placesOf(company, market, hour, model);
    const suspendedAt = this.state.companies[company].suspendedAt;
    if (places.length === 0 && suspendedAt === 0 && this.state.outages.length === 0) return shares;
    for (let at = fromMinute; at < toMinute; at++) {
      const minute = hour * MINUTES_PER_HOUR + at;
      if (this.state.outages.some(({ from, to }) => from <= minute && minute < to)) {
        shares.platform += MICRO;
        continue;
      }
      const suspended = suspendedAt !== 0 && minute * MILLIS_PER_MINUTE >= suspendedAt;
      const share = suspended ? MICRO : Math.max(0, ...places.map(({ minutes }) => minutes.find((entry) => entry[0] === at)?.[1] ?? 0));
      shares.provider += share;
      if (places.some(({ voidFrom }) => at >= voidFrom)) shares.void += share;
    }
    if (shares.provider > 0) shares.reason = places[0]?.reason ?? 'suspended';
    return shares;
  }

  /** Whether replacement of what named this model was sought for the minute already. */
  wasSought({ company, market, model }: Pick<FailedPlace, 'company' | 'market' | 'model'>, minute: number): boolean {
    return this.placesOf(company, market, Math.floor(minute / MINUTES_PER_HOUR), model).some(({ soughtIn }) => soughtIn === minute % MINUTES_PER_HOUR);
  }

  private placesOf(company: CompanyId, market: MarketId, hour: Hour, model: ModelId): FailedPlace[] {
    const { failedPlaces } = this.state;
    if (failedPlaces.size === 0) return [];
    const models = model === NONE ? [NONE] : [NONE, model];
    return models.flatMap((id) => failedPlaces.get(keyOf(hour, company, market, id)) ?? []);
  }

  /** Drops what is past all claims. */
  forget(): void {
    const { failedPlaces } = this.state;
    const oldest = this.oldestHour();
    for (const [key, { hour }] of failedPlaces) if (hour < oldest) failedPlaces.delete(key);
    this.state.outages = this.state.outages.filter(({ to }) => to > oldest * MINUTES_PER_HOUR);
  }
}

const keyOf = (hour: Hour, company: CompanyId, market: MarketId, model: ModelId): string => `${hour}:${company}:${market}:${model}`;
