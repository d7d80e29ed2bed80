/** What is reported of a provider's delivery, and what follows at once: replacement, review of settled hours, suspension. */
import type { RejectCode } from '../catalogue.ts';
import { NONE } from '../vocabulary.ts';
import type { AnnulDelivery, MinuteOutcome, ReinstateProvider, ReportMinute, SuspendProvider } from '../commands.ts';
import type { CompanyId, MarketId, ModelId } from '../vocabulary.ts';
import type { Delivery } from './delivery.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { PROBES_BEFORE_REPLACEMENT, failureOf } from './minutes.ts';
import type { DeliveryMinutes } from './minutes.ts';
import type { FailedPlace } from './records.ts';
import type { Replacements } from './replacement.ts';
import type { State } from '../state.ts';
import type { Sweeps } from '../time/sweeps.ts';
import { MICRO, MILLIS_PER_HOUR, MILLIS_PER_MINUTE, MINUTES_PER_HOUR } from '../numbers/units.ts';

export class ProviderFaults {
  private readonly state: State;
  private readonly sweeps: Sweeps;
  private readonly minutes: DeliveryMinutes;
  private readonly delivery: Delivery;
  private readonly replacements: Replacements;

  constructor(state: State, sweeps: Sweeps, minutes: DeliveryMinutes, delivery: Delivery, replacements: Replacements) {
    this.state = state;
    this.sweeps = sweeps;
    this.minutes = minutes;
    this.delivery = delivery;
    this.replacements = replacements;
  }

  reportMinute(command: ReportMinute): RejectCode | undefined {
    const refusal = this.minutes.refusal(command);
    if (refusal !== undefined) return refusal;
    const held = new Map((command.held ?? []).map(({ allocation, gpu }) => [allocation, gpu]));
    for (const outcome of command.outcomes) this.take(outcome, command.minute, (allocation) => held.get(allocation) ?? 0);
    return undefined;
  }

  private take(outcome: MinuteOutcome, minute: number, heldOf: (allocation: number) => number): void {
    const { state } = this;
    const { company, market, model, requests, failures } = outcome;
    const failure = this.wasSuspendedIn(company, minute) ? ({ reason: 'suspended', share: MICRO } as const) : failureOf(outcome);
    if (failure === undefined) return;
    // Several may report the same minute; it is told once, and again when more of it proves to have failed.
    const isNew = state.rulesVersion < 5 || failure.share > this.minutes.failedShare(outcome, minute);
    const place = this.minutes.note(outcome, minute, failure.share, failure.reason);
    if (isNew) state.buffer.emit('minuteFailed', { company, market, model, minute, ...failure, requests, failures });
    if (isNew && state.rulesVersion >= 7) {
      for (const buyer of this.buyersOf(outcome, minute)) state.buffer.emit('boughtMinuteFailed', { company: buyer, provider: company, market, model, minute, ...failure });
    }
    if (place.hour < state.settledThrough) this.delivery.reviewHour(market, place.hour, company);
    else if (place.hour === state.hour && hasFailedOften(place)) this.seek(place, minute, heldOf);
  }

  /** Whose hours of the provider held the minute, of a failure of one model those that had named it. */
  private buyersOf({ company: provider, market, model }: MinuteOutcome, minute: number): Set<CompanyId> {
    const { allocations, markets } = this.state;
    const buyers = new Set<CompanyId>();
    const bookRow = markets.get(market)?.books.get(Math.floor(minute / MINUTES_PER_HOUR));
    if (bookRow === undefined) return buyers;
    for (let row = this.state.bookOf(bookRow).firstAllocation; row !== NIL; row = allocations.bookNext(row)) {
      const concerns = allocations.provider(row) === provider && (model === NONE || allocations.model(row) === model);
      if (concerns && allocations.quantity(row) > 0 && allocations.fromMinute(row) <= minute % MINUTES_PER_HOUR) buyers.add(allocations.company(row));
    }
    return buyers;
  }

  /** Several may report a minute, and each time there may be an offer; that there is none is told once. */
  private seek(place: FailedPlace, minute: number, heldOf: (allocation: number) => number): void {
    const { company, market } = place;
    this.replacements.seek(place, heldOf, (model) => this.minutes.wasSought({ company, market, model }, minute));
    if (this.state.rulesVersion >= 6) place.soughtIn = minute % MINUTES_PER_HOUR;
  }

  /** Whatever else is told of a minute that began while its provider was suspended. */
  private wasSuspendedIn(company: CompanyId, minute: number): boolean {
    const { suspendedAt } = this.state.companies[company];
    return this.state.rulesVersion >= 5 && suspendedAt !== 0 && minute * MILLIS_PER_MINUTE >= suspendedAt;
  }

  annulDelivery({ company: by, provider, market, model, since, reason }: AnnulDelivery): RejectCode | undefined {
    const { state } = this;
    const refusal = this.actorRefusal(by) ?? this.providerRefusal(provider);
    if (refusal !== undefined) return refusal;
    if (!state.markets.has(market)) return 'instrument_unknown';
    if (!Number.isSafeInteger(since) || since < 0 || since > state.now || !this.knows(model)) return 'invalid_parameter';
    const hours = this.minutes.annul({ company: provider, market, model }, since, reason);
    state.buffer.emit('deliveryAnnulled', { provider, market, model, since, reason, by });
    for (const hour of hours) this.delivery.reviewHour(market, hour, provider);
    return undefined;
  }

  /** Its offers end and it makes no new ones; what it sold fails, minute by minute, until it is reinstated. */
  suspend({ company: by, provider, reason }: SuspendProvider): RejectCode | undefined {
    const { state } = this;
    const refusal = this.actorRefusal(by) ?? this.providerRefusal(provider);
    if (refusal !== undefined) return refusal;
    const company = state.companies[provider];
    if (company.suspendedAt !== 0) return 'invalid_state';
    company.suspendedAt = state.now;
    this.sweeps.cancelAll({ type: 'cancelAll', company: provider, market: NONE, hour: NONE, side: NONE, onDisconnect: false }, 'suspended');
    for (const capacity of state.supply.capacities.filter((row) => row.company === provider && row.models.length > 0)) {
      state.supply.setModels(capacity, []);
      state.buffer.emit('eligibilitySet', { company: provider, market: capacity.market, models: [] });
    }
    state.buffer.emit('providerSuspended', { company: provider, reason, by });
    return undefined;
  }

  reinstate({ company: by, provider, reason }: ReinstateProvider): RejectCode | undefined {
    const { state } = this;
    const refusal = this.actorRefusal(by) ?? this.providerRefusal(provider);
    if (refusal !== undefined) return refusal;
    const company = state.companies[provider];
    if (company.suspendedAt === 0) return 'invalid_state';
    this.noteSuspension(provider, company.suspendedAt);
    company.suspendedAt = 0;
    state.buffer.emit('providerReinstated', { company: provider, reason, by });
    return undefined;
  }

  /** The minutes of hours not yet settled that the suspension took stay failed. */
  private noteSuspension(provider: CompanyId, since: number): void {
    const { state } = this;
    const from = Math.max(Math.ceil(since / MILLIS_PER_MINUTE), state.settledThrough * MINUTES_PER_HOUR);
    for (const { market } of state.supply.capacities.filter((row) => row.company === provider)) {
      for (let minute = from; minute * MILLIS_PER_MINUTE <= state.now; minute++) {
        if (this.soldIn(provider, market, Math.floor((minute * MILLIS_PER_MINUTE) / MILLIS_PER_HOUR))) {
          this.minutes.note({ company: provider, market, model: NONE }, minute, MICRO, 'suspended');
        }
      }
    }
  }

  private soldIn(provider: CompanyId, market: MarketId, hour: number): boolean {
    const row = this.state.markets.get(market)?.books.get(hour);
    return row !== undefined && this.state.providerCells.has(row, provider);
  }

  private knows(model: ModelId): boolean {
    return Number.isInteger(model) && model >= NONE && model < this.state.models.length;
  }

  private actorRefusal(by: CompanyId): RejectCode | undefined {
    return by === NONE || this.state.companies[by]?.role === 'operator' ? undefined : 'not_authorized';
  }

  private providerRefusal(provider: CompanyId): RejectCode | undefined {
    return this.state.companies[provider]?.role === 'provider' ? undefined : 'unknown_company';
  }
}

/** Only minutes in which nothing was delivered count as failed probes. */
const hasFailedOften = ({ minutes }: FailedPlace): boolean => minutes.filter(([, share]) => share === MICRO).length >= PROBES_BEFORE_REPLACEMENT;
