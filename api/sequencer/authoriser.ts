/**
 * The authoriser's table: what each company has left of its allocations of the running hour, and what
 * of that is held for requests under way. Exact: of any number of requests at once on an allocation
 * worth k of them, k are held.
 *
 * A company's part of the table is read from the engine when it is first needed in an hour and kept
 * current from committed events. The engine may by then have applied commands that are not yet
 * committed; their events are left out when they come, by sequence.
 *
 * Beside it, what purchases on the spot book may cost: reserved before they are made, within limits that are kept as those of requests.
 */
import type { ReleasePending } from '../../engine/commands.ts';
import { classOf } from '../../engine/vocabulary.ts';
import { KIND, decodeEvent, fieldOf, forEachEvent } from '../../engine/events.ts';
import type { EventBatch, EventOf } from '../../engine/events.ts';
import type { AllocationView } from '../../engine/queries.ts';
import { mulDivCeil } from '../../engine/numbers/muldiv.ts';
import { MICRO_GPU_SECONDS_PER_STEP, MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../../engine/numbers/units.ts';
import { SpendingLimits } from './limits.ts';
import type { Authoriser, EngineView, PendingReleases } from './authoriser_port.ts';
import type { Authorisation, AuthoriseRefusal, AuthoriseRequest, AuthoriseResult, CommittedBatch, Reservation, SpendingLimit, Spent } from './port.ts';

/** Engine time after which a hold ends by itself, counted anew when its hour ends. */
export const HOLD_MILLIS_MAX = 10 * MILLIS_PER_MINUTE;
const SWEEP_MILLIS = 1_000;

interface Row {
  allocation: number;
  provider: number;
  market: number;
  price: number;
  /** Steps bought. */
  quantity: number;
  /** 1e-6 GPU-seconds: bought and not offered for resale, consumed. */
  budget: number;
  used: number;
  frozen: boolean;
}

/** Allocations of one company in one hour. */
interface Book {
  hour: number;
  /** Commands up to this one are included. */
  sequence: number;
  rows: Map<number, Row>;
}

interface Hold {
  authorisation: Authorisation;
  company: number;
  at: number;
  /** Counted as pending when its hour ended. */
  pending: boolean;
  limits: readonly SpendingLimit[];
  /** Micro-CR, counted against the limits. */
  cost: number;
}

/** After these a company's allocations are read anew: they change more than a sum. */
const REREAD = new Set<number>([KIND.facilityFrozen, KIND.facilityStateChanged]);

export class AllocationAuthoriser implements Authoriser {
  private engine: EngineView | undefined;
  private readonly books = new Map<number, Book>();
  private readonly holds = new Map<string, Hold>();
  /** Sum of the holds of an allocation. */
  private readonly heldBy = new Map<number, number>();
  /** GPU time of requests whose captures the last batch has committed. */
  private readonly usedBy = new Map<string, number>();
  private readonly spending = new SpendingLimits();
  private readonly reservations = new Map<string, Reservation & { at: number }>();
  private sweptAt = 0;
  /** Models served, by provider and market. */
  private readonly served = new Map<string, ReadonlySet<number>>();

  load(engine: EngineView): PendingReleases {
    this.engine = engine;
    this.books.clear();
    this.holds.clear();
    this.heldBy.clear();
    this.served.clear();
    this.spending.clear();
    this.reservations.clear();
    const { capacities } = engine.query('directory', {});
    for (const { company, market, models } of capacities) this.served.set(placeKey(company, market), new Set(models));
    return engine.query('leftPending', {}).map(({ allocation, gpu }): ReleasePending => ({ type: 'releasePending', allocation, gpu }));
  }

  committed(batch: CommittedBatch): PendingReleases {
    this.usedBy.clear();
    this.follow(batch.events, batch.now);
    return this.releaseExpired(batch.now);
  }

  authorise(request: AuthoriseRequest): AuthoriseResult {
    const known = this.holds.get(request.request);
    if (known !== undefined) return { ok: true, authorisation: known.authorisation };
    const engine = this.loaded();
    const hour = Math.floor(engine.now / MILLIS_PER_HOUR);
    const choice = this.choose(request, this.bookOf(request.company, hour));
    if ('reason' in choice) return { ok: false, ...choice };
    const gpu = request.worstGpu[classOf(choice.market)];
    const { allocation, provider, market, price } = choice;
    const quantity = this.boughtAt(choice, request.company);
    const { limits = [], spent = 0 } = request;
    const cost = limits.length === 0 ? 0 : mulDivCeil(gpu, price, MICRO_GPU_SECONDS_PER_STEP) + spent;
    const passed = this.spending.passedBy(limits, cost, unheldOf(request.company));
    if (passed !== undefined) return { ok: false, reason: 'over_limit', limit: passed };
    this.spending.hold(limits, cost);
    const authorisation = { request: request.request, allocation, provider, market, hour, price, gpu, quantity };
    this.holds.set(request.request, { authorisation, company: request.company, at: engine.now, pending: false, limits, cost });
    this.heldBy.set(allocation, this.heldOf(allocation) + gpu);
    return { ok: true, authorisation };
  }

  release(request: string): PendingReleases {
    return this.end(request, 0);
  }

  reserve(reservation: Reservation): boolean {
    const { request, limits, cost } = reservation;
    if (this.reservations.has(request)) return true;
    if (this.spending.passedBy(limits, cost) !== undefined) return false;
    this.spending.hold(limits, cost);
    this.reservations.set(request, { ...reservation, at: this.loaded().now });
    return true;
  }

  releaseReservation(request: string, spent: Spent | undefined): void {
    const known = this.reservations.get(request);
    // One that has ended was counted for as long as a process may be behind.
    if (known === undefined) return;
    this.reservations.delete(request);
    this.spending.hold(known.limits, -known.cost);
    if (spent !== undefined) for (const { name } of known.limits) this.spending.spend(name, spent.amount, spent.sequence, this.loaded().now);
  }

  captured(request: string): PendingReleases {
    return this.end(request, this.usedBy.get(request) ?? 0);
  }

  pendingOf(hour: number): { allocation: number; gpu: number }[] {
    const sums = new Map<number, number>();
    for (const hold of this.holds.values()) {
      const { allocation, gpu, hour: held } = hold.authorisation;
      if (held !== hour) continue;
      hold.pending = true;
      sums.set(allocation, (sums.get(allocation) ?? 0) + gpu);
    }
    return [...sums].map(([allocation, gpu]) => ({ allocation, gpu }));
  }

  private loaded(): EngineView {
    if (this.engine === undefined) throw new Error('the authoriser has not been loaded');
    return this.engine;
  }

  private bookOf(company: number, hour: number): Book {
    const known = this.books.get(company);
    if (known?.hour === hour) return known;
    const engine = this.loaded();
    const views = engine.query('allocations', { company }).filter((view) => view.hour === hour && view.status === 'delivering');
    // In the order in which they were bought, so that of two at one price the older is used first.
    const rows = new Map(views.reverse().map((view) => [view.allocation, rowOf(view)]));
    const book = { hour, sequence: engine.sequence, rows };
    this.books.set(company, book);
    return book;
  }

  /** The allocation on which the request costs least, of those that have room for its worst case. */
  private choose(request: AuthoriseRequest, book: Book): Row | { reason: AuthoriseRefusal; pending?: true } {
    let best: Row | undefined;
    let bestCost = Infinity;
    let bestRank = Infinity;
    let refusal: AuthoriseRefusal = 'no_allocation';
    let pending = false;
    for (const row of book.rows.values()) {
      const gpu = request.worstGpu[classOf(row.market)];
      if (gpu === undefined || !this.serves(row, request)) continue;
      if (row.frozen) {
        refusal = 'credits_blocked';
        continue;
      }
      if (refusal === 'no_allocation') refusal = 'budget_exhausted';
      const left = row.budget - row.used;
      pending ||= gpu <= left;
      const cost = row.price * gpu;
      const rank = rankOf(row, request);
      if (rank > bestRank || (rank === bestRank && cost >= bestCost) || gpu > left - this.heldOf(row.allocation)) continue;
      best = row;
      bestCost = cost;
      bestRank = rank;
    }
    return best ?? { reason: refusal, ...(pending ? { pending: true } : {}) };
  }

  /** What the company has bought of the hour where the row is, in however many allocations. */
  private boughtAt({ provider, market }: Row, company: number): number {
    let sum = 0;
    for (const row of this.books.get(company)?.rows.values() ?? []) if (row.provider === provider && row.market === market) sum += row.quantity;
    return sum;
  }

  private serves({ provider, market }: Row, request: AuthoriseRequest): boolean {
    if (request.provider >= 0 && request.provider !== provider) return false;
    if (request.excluded.some((place) => place.provider === provider && place.market === market)) return false;
    return this.served.get(placeKey(provider, market))?.has(request.model) === true;
  }

  heldOf(allocation: number): number {
    return this.heldBy.get(allocation) ?? 0;
  }

  allHeld(): { allocation: number; gpu: number }[] {
    return [...this.heldBy].map(([allocation, gpu]) => ({ allocation, gpu }));
  }

  rereadAll(): void {
    this.books.clear();
  }

  reread(company: number): void {
    this.books.delete(company);
  }

  private end(request: string, used: number): PendingReleases {
    const hold = this.holds.get(request);
    if (hold === undefined) return [];
    this.holds.delete(request);
    this.spending.hold(hold.limits, -hold.cost);
    const { allocation, gpu } = hold.authorisation;
    const left = this.heldOf(allocation) - gpu;
    if (left === 0) this.heldBy.delete(allocation);
    else this.heldBy.set(allocation, left);
    return hold.pending && used < gpu ? [{ type: 'releasePending', allocation, gpu: gpu - used }] : [];
  }

  private releaseExpired(now: number): PendingReleases {
    if (now < this.sweptAt + SWEEP_MILLIS) return [];
    this.sweptAt = now;
    this.spending.forget(now);
    for (const [request, { at }] of this.reservations) if (at + HOLD_MILLIS_MAX <= now) this.releaseReservation(request, undefined);
    const expired = [...this.holds].filter(([, { at, authorisation }]) => {
      const hourEnd = (authorisation.hour + 1) * MILLIS_PER_HOUR;
      return (now < hourEnd ? at : hourEnd) + HOLD_MILLIS_MAX <= now;
    });
    return expired.flatMap(([request]) => this.end(request, 0));
  }

  private follow(events: EventBatch, now: number): void {
    const { words, texts } = events;
    let sequence = 0;
    forEachEvent(events, (kind, at) => {
      if (kind === KIND.command) sequence = words[at + FIELD.sequence];
      else if (kind === KIND.usageCaptured) {
        this.followUsage(words, at, texts, sequence);
        this.followSpending(events, at, sequence, now);
      } else if (kind === KIND.fill) this.followFill(words, at, sequence);
      else if (kind === KIND.eligibilitySet) this.followEligibility(events, at);
      // What is offered for resale cannot be used, what was resold is gone.
      else if (kind === KIND.resaleOffered) this.reread(words[at + FIELD.offeredBy]);
      else if (kind === KIND.allocationResold) this.reread(words[at + FIELD.resoldBy]);
      // The next request of each company reads what has become of its allocations.
      else if (REREAD.has(kind)) this.books.clear();
    });
  }

  private followUsage(words: Float64Array, at: number, texts: readonly string[], sequence: number): void {
    const gpu = words[at + FIELD.usedGpu];
    const request = texts[words[at + FIELD.usageRequest]];
    this.usedBy.set(request, (this.usedBy.get(request) ?? 0) + gpu);
    const book = this.books.get(words[at + FIELD.usageCompany]);
    if (book === undefined || sequence <= book.sequence) return;
    const row = book.rows.get(words[at + FIELD.usageAllocation]);
    if (row !== undefined) row.used += gpu;
  }

  /** Of what is limited there is a hold; or it has died with the engine before this one, and nobody here knows what it was limited by. */
  private followSpending(events: EventBatch, at: number, sequence: number, now: number): void {
    const hold = this.holds.get(events.texts[events.words[at + FIELD.usageRequest]]);
    if (hold?.limits.length === 0) return;
    const { company, credits, detail } = decodeEvent(events, at) as EventOf<'usageCaptured'>;
    for (const name of hold?.limits.map((limit) => limit.name) ?? [unheldOf(company)]) this.spending.spend(name, credits + detail.spotFees, sequence, now);
  }

  private followFill(words: Float64Array, at: number, sequence: number): void {
    const book = this.books.get(words[at + FIELD.buyer]);
    if (book === undefined || sequence <= book.sequence || words[at + FIELD.hour] !== book.hour) return;
    const allocation = words[at + FIELD.fillAllocation];
    book.rows.set(allocation, {
      allocation, provider: words[at + FIELD.provider], market: words[at + FIELD.market], price: words[at + FIELD.price],
      quantity: words[at + FIELD.quantity], budget: words[at + FIELD.quantity] * MICRO_GPU_SECONDS_PER_STEP, used: 0, frozen: false,
    });
  }

  private followEligibility(events: EventBatch, at: number): void {
    const event = decodeEvent(events, at);
    if (event.kind === 'eligibilitySet') this.served.set(placeKey(event.company, event.market), new Set(event.models));
  }
}

const FIELD = {
  sequence: fieldOf('command', 'sequence'),
  usageAllocation: fieldOf('usageCaptured', 'allocation'),
  usageCompany: fieldOf('usageCaptured', 'company'),
  usedGpu: fieldOf('usageCaptured', 'gpu'),
  usageRequest: fieldOf('usageCaptured', 'request'),
  offeredBy: fieldOf('resaleOffered', 'company'),
  resoldBy: fieldOf('allocationResold', 'company'),
  fillAllocation: fieldOf('fill', 'allocation'),
  buyer: fieldOf('fill', 'buyer'),
  provider: fieldOf('fill', 'provider'),
  market: fieldOf('fill', 'market'),
  hour: fieldOf('fill', 'hour'),
  price: fieldOf('fill', 'price'),
  quantity: fieldOf('fill', 'quantity'),
};

/** Where the row stands among what the request prefers; what it does not name comes last. */
function rankOf({ provider, market }: Row, { preferred }: AuthoriseRequest): number {
  if (preferred === undefined) return 0;
  const at = preferred.findIndex((place) => place.provider === provider && place.market === market);
  return at === -1 ? preferred.length : at;
}

/** What a company's requests have spent without a hold: it counts against every limit of its, until those who ask have seen it. */
const unheldOf = (company: number): string => `company ${company}`;

const placeKey = (provider: number, market: number): string => `${provider}:${market}`;

const rowOf = (view: AllocationView): Row => ({
  allocation: view.allocation, provider: view.provider, market: view.market, price: view.price, quantity: view.quantity,
  budget: view.budgetGpu - view.offeredGpu, used: view.usedGpu, frozen: view.frozen,
});
