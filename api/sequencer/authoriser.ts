/**
 * The authoriser: who may use how much of which allocation right now. One table in memory beside the
 * engine, fed by committed events, so it is exact for any number of gateways and never journalled.
 *
 * An allocation of q GPU-hours is a budget of q x 3600 GPU-seconds for its hour. A request holds its
 * worst case; the capture takes what it used and gives the rest back. A request belongs to the hour
 * in which it was authorised, however long it runs.
 */
import type { ReleasePending } from '../../engine/commands.ts';
import { NONE, classOf } from '../../engine/commands.ts';
import { KIND, decodeEvent, forEachEvent } from '../../engine/events.ts';
import type { EngineEvent } from '../../engine/events.ts';
import { MICRO_GPU_SECONDS_PER_STEP, MILLIS_PER_HOUR } from '../../engine/units.ts';
import type { Authoriser, EngineView, PendingReleases } from './authoriser_port.ts';
import type { AuthoriseRequest, AuthoriseResult, CommittedBatch } from './port.ts';

interface Budget {
  readonly allocation: number;
  readonly company: number;
  readonly provider: number;
  readonly market: number;
  readonly hour: number;
  readonly price: number;
  /** 1e-6 GPU-seconds: of the hour, captured, and held by requests under way. */
  readonly gpu: number;
  used: number;
  held: number;
  frozen: boolean;
}

interface Hold {
  readonly budget: Budget;
  readonly gpu: number;
  /** Its hour is settled: what it does not capture must be released in the engine. */
  pending: boolean;
}

/** Events that change the table; all others are passed over undecoded. */
const FOLLOWED = new Set([KIND.fill, KIND.usageCaptured, KIND.hourEnded, KIND.eligibilitySet, KIND.facilityFrozen]);

export class AllocationAuthoriser implements Authoriser {
  private engine: EngineView | undefined;
  private now = 0;
  /** By company, then by allocation: hours not yet settled. */
  private readonly budgets = new Map<number, Map<number, Budget>>();
  private readonly holds = new Map<string, Hold>();
  /** What the batch being followed has captured, by request. */
  private readonly capturedGpu = new Map<string, number>();
  /** Models served, by provider and market. */
  private readonly served = new Map<string, ReadonlySet<number>>();

  load(engine: EngineView): PendingReleases {
    this.engine = engine;
    this.now = engine.now;
    const directory = engine.query('directory', {});
    for (const { company, market, models } of directory.capacities) this.served.set(`${company}:${market}`, new Set(models));
    return directory.companies.flatMap(({ company }) => this.loadCompany(company, engine));
  }

  /** Takes a company's allocations; of settled ones nobody will use what is pending. */
  private loadCompany(company: number, engine: EngineView): ReleasePending[] {
    const releases: ReleasePending[] = [];
    for (const view of engine.query('allocations', { company })) {
      if (view.status === 'delivered') {
        releases.push({ type: 'releasePending', allocation: view.allocation, gpu: view.budgetGpu - view.usedGpu });
        continue;
      }
      const { allocation, provider, market, hour, price, frozen } = view;
      this.add({ allocation, company, provider, market, hour, price, gpu: view.budgetGpu, used: view.usedGpu, held: 0, frozen });
    }
    return releases.filter(({ gpu }) => gpu > 0);
  }

  private add(budget: Budget): void {
    const own = this.budgets.get(budget.company) ?? new Map<number, Budget>();
    own.set(budget.allocation, budget);
    this.budgets.set(budget.company, own);
  }

  committed(batch: CommittedBatch): void {
    this.now = batch.now;
    this.capturedGpu.clear();
    forEachEvent(batch.events, (kind, at) => {
      if (FOLLOWED.has(kind)) this.follow(decodeEvent(batch.events, at));
    });
  }

  private follow(event: EngineEvent): void {
    if (event.kind === 'fill') {
      const { allocation, buyer, provider, market, hour, price, quantity } = event;
      this.add({ allocation, company: buyer, provider, market, hour, price, gpu: quantity * MICRO_GPU_SECONDS_PER_STEP, used: 0, held: 0, frozen: false });
    } else if (event.kind === 'usageCaptured') {
      const budget = this.budgets.get(event.company)?.get(event.allocation);
      if (budget !== undefined) budget.used += event.gpu;
      this.capturedGpu.set(event.request, event.gpu);
    } else if (event.kind === 'eligibilitySet') {
      this.served.set(`${event.company}:${event.market}`, new Set(event.models));
    } else if (event.kind === 'facilityFrozen') {
      this.refreshFrozen(event.facility);
    } else if (event.kind === 'hourEnded') {
      this.forgetHour(event.hour);
    }
  }

  /** A freeze or its end: which allocations it touches depends on what funded them, which the engine knows. */
  private refreshFrozen(facility: number): void {
    const company = this.engine?.query('facility', { facility })?.company ?? NONE;
    for (const { allocation, frozen } of this.engine?.query('allocations', { company }) ?? []) {
      const budget = this.budgets.get(company)?.get(allocation);
      if (budget !== undefined) budget.frozen = frozen;
    }
  }

  private forgetHour(hour: number): void {
    for (const [company, own] of this.budgets) {
      for (const budget of own.values()) if (budget.hour <= hour) own.delete(budget.allocation);
      if (own.size === 0) this.budgets.delete(company);
    }
  }

  authorise(request: AuthoriseRequest): AuthoriseResult {
    const known = this.holds.get(request.request);
    if (known !== undefined) return { ok: true, authorisation: describe(request.request, known) };
    const fitting = this.fitting(request);
    if (fitting.length === 0) return { ok: false, reason: 'no_allocation' };
    const usable = fitting.filter(({ frozen }) => !frozen);
    if (usable.length === 0) return { ok: false, reason: 'credits_blocked' };
    const budget = usable.find((candidate) => candidate.gpu - candidate.used - candidate.held >= this.worst(request, candidate));
    if (budget === undefined) return { ok: false, reason: 'budget_exhausted' };
    const hold: Hold = { budget, gpu: this.worst(request, budget), pending: false };
    budget.held += hold.gpu;
    this.holds.set(request.request, hold);
    return { ok: true, authorisation: describe(request.request, hold) };
  }

  private worst(request: AuthoriseRequest, budget: Budget): number {
    return request.worstGpu[classOf(budget.market)];
  }

  /** Budgets of the running hour whose provider serves the model, cheapest first, then oldest. */
  private fitting(request: AuthoriseRequest): Budget[] {
    const hour = Math.floor(this.now / MILLIS_PER_HOUR);
    const fits = (budget: Budget): boolean =>
      budget.hour === hour &&
      request.worstGpu[classOf(budget.market)] !== undefined &&
      (request.provider === NONE || request.provider === budget.provider) &&
      (this.served.get(`${budget.provider}:${budget.market}`)?.has(request.model) ?? false) &&
      !request.excluded.some(({ provider, market }) => provider === budget.provider && market === budget.market);
    return [...(this.budgets.get(request.company)?.values() ?? [])].filter(fits).sort((a, b) => a.price - b.price || a.allocation - b.allocation);
  }

  release(request: string): PendingReleases {
    return this.end(request, 0);
  }

  captured(request: string): PendingReleases {
    return this.end(request, this.capturedGpu.get(request) ?? 0);
  }

  private end(request: string, used: number): PendingReleases {
    const hold = this.holds.get(request);
    if (hold === undefined) return [];
    this.holds.delete(request);
    hold.budget.held -= hold.gpu;
    if (!hold.pending || hold.gpu <= used) return [];
    return [{ type: 'releasePending', allocation: hold.budget.allocation, gpu: hold.gpu - used }];
  }

  pendingOf(hour: number): { allocation: number; gpu: number }[] {
    const sums = new Map<number, number>();
    for (const hold of this.holds.values()) {
      if (hold.pending || hold.budget.hour > hour) continue;
      hold.pending = true;
      sums.set(hold.budget.allocation, (sums.get(hold.budget.allocation) ?? 0) + hold.gpu);
    }
    return [...sums].map(([allocation, gpu]) => ({ allocation, gpu }));
  }
}

function describe(request: string, { budget, gpu }: Hold): Extract<AuthoriseResult, { ok: true }>['authorisation'] {
  const { allocation, provider, market, hour, price } = budget;
  return { request, allocation, provider, market, hour, price, gpu };
}
