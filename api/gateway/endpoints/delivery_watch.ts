/**
 * Watches what providers deliver. Each endpoint is heard every ten seconds and asked a completion every
 * minute, at a moment that it cannot foresee; with what real requests met this becomes the report of the
 * minute, from which the engine draws the consequences. Only what failed is reported.
 */
import { randomInt } from 'node:crypto';
import { NONE } from '../../../engine/vocabulary.ts';
import type { Command, MinuteOutcome } from '../../../engine/commands.ts';
import { failureOf } from '../../../engine/delivery/minutes.ts';
import type { SoldPlaceView } from '../../../engine/queries.ts';
import { MILLIS_PER_MINUTE, MINUTES_PER_HOUR } from '../../../engine/numbers/units.ts';
import { eventOf } from '../../sequencer/port.ts';
import type { Services } from '../../services.ts';
import { ordinaryQuestion, runCanary } from './canary.ts';
import type { CanaryResult, Reference } from './canary.ts';
import { findModel } from '../catalogue/catalogue.ts';
import type { RatingBook } from '../catalogue/rating_book.ts';
import type { EndpointRows } from './endpoint_rows.ts';
import { placeKey } from './endpoints.ts';
import type { Endpoint, Endpoints } from './endpoints.ts';
import { LoadTests } from './load_test.ts';
import type { LoadTestLog } from './load_test_log.ts';
import type { Logbook } from '../relay/logbook.ts';
import type { Upstream } from '../relay/upstream.ts';

export interface ReferenceAnswers {
  /** Recorded answers of a model in a precision. */
  of(model: string, precision: string | null): Promise<readonly Reference[]>;
}

export interface DeliveryWatchParts {
  services: Pick<Services, 'sequencer' | 'directory' | 'log' | 'committed'>;
  rows: EndpointRows;
  endpoints: Endpoints;
  ratings: RatingBook;
  loadTests: LoadTestLog;
  upstream: Upstream;
  references: ReferenceAnswers;
  logbook: Pick<Logbook, 'probe'>;
}

const HEARTBEAT_MILLIS = 10_000;
const HEARTBEAT_LIMIT_MILLIS = 5_000;
const CANARY_LIMIT_MILLIS = 30_000;
/** Who moves a clock waits for what is asked. */
const MOVED_LIMIT_MILLIS = 5_000;
const AT_ONCE_MAX = 16;
/** One canary in so many has a recorded answer, where there is one. */
const REFERENCE_EVERY = 3;
const MISMATCHES_MAX = 3;
const OTHERS_MAX = 2;

/** Answers to reference questions that were wrong, in a row. */
interface Mismatches {
  count: number;
  since: number;
}
interface Canary {
  endpoint: Endpoint;
  /** The catalogue's id, and what the endpoint calls it. */
  model: string;
  name: string;
  reference: Reference | undefined;
  /** Engine time for which it stands. */
  at: number;
  /** How long it is waited for. Only one with time enough may come as a stream, at the endpoint's own pace. */
  millis: number;
}
interface Probed {
  endpoint: Endpoint;
  /** The catalogue's id. */
  model: string;
  result: CanaryResult;
}

interface Found {
  probed: readonly Probed[];
  /** Places that have had an endpoint: what a provider promised to serve. */
  registered: ReadonlySet<string>;
  /** Who is suspended -> since when. */
  suspended: ReadonlyMap<number, number>;
}

export class DeliveryWatch {
  private readonly parts: DeliveryWatchParts;
  private readonly loadTests: LoadTests;
  private timers: NodeJS.Timeout[] = [];
  private minuteTimer: NodeJS.Timeout | undefined;
  /** Models that failed at an endpoint are asked each minute until they answer. */
  private readonly failing = new Map<string, Set<string>>();
  private readonly mismatches = new Map<string, Mismatches>();
  /** Endpoints that did not answer the last heartbeat. */
  private readonly silent = new Set<string>();
  private closed = false;
  private watchedTo: number;

  constructor(parts: DeliveryWatchParts) {
    this.parts = parts;
    this.loadTests = new LoadTests(parts);
    this.watchedTo = parts.services.committed.now;
  }

  start(): void {
    this.timers = [setInterval(() => this.inBackground(this.heartbeat()), HEARTBEAT_MILLIS)];
    for (const timer of this.timers) timer.unref();
    this.planMinute();
  }

  stop(): void {
    this.closed = true;
    for (const timer of this.timers) clearInterval(timer);
    clearTimeout(this.minuteTimer);
    this.loadTests.stop();
  }

  private inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!this.closed) this.parts.services.log.warn({ err: error }, 'delivery cannot be watched at the moment');
    });
  }

  /** The next minute is probed at a moment of its own. */
  private planMinute(): void {
    const intoNext = MILLIS_PER_MINUTE - (Date.now() % MILLIS_PER_MINUTE) + randomInt(0, MILLIS_PER_MINUTE - CANARY_LIMIT_MILLIS);
    this.minuteTimer = setTimeout(() => {
      if (this.closed) return;
      this.planMinute();
      this.inBackground(this.minute());
    }, intoNext);
    this.minuteTimer.unref();
  }

  /** Asks every endpoint whether it is there. One that is silent gets no requests until it answers. */
  async heartbeat(): Promise<void> {
    await atOnce(this.parts.endpoints.all(), async (endpoint) => this.heard(endpoint, await this.answers(endpoint)));
  }

  private heard(endpoint: Endpoint, ok: boolean): void {
    if (ok) this.silent.delete(endpoint.id);
    else this.silent.add(endpoint.id);
    this.parts.endpoints.heard(endpoint, ok);
  }

  private async answers({ target }: Endpoint): Promise<boolean> {
    try {
      const answer = await this.parts.upstream.get(target, '/models', AbortSignal.timeout(HEARTBEAT_LIMIT_MILLIS));
      await answer.text(4 * 1024 * 1024);
      return answer.status === 200;
    } catch {
      return false;
    }
  }

  /** One minute: the market hears of the requests of those that have ended, every endpoint answers a canary, then the market hears what failed. */
  async minute(): Promise<void> {
    const { services, endpoints } = this.parts;
    const minute = Math.floor(services.committed.now / MILLIS_PER_MINUTE);
    await this.reportRequests(minute);
    const absent = await this.reportAbsent(minute);
    const probed = (await atOnce(endpoints.all(), (endpoint) => this.probe(endpoint))).flat();
    const sold = await this.soldIn(minute);
    const found = await this.found(probed);
    await this.report(minute, sold.filter((place) => !absent.has(placeKey(place))).flatMap((place) => this.outcomesOf(place, minute, found)));
    this.watchedTo = Math.max(this.watchedTo, services.committed.now);
    await this.loadTests.plan(sold);
  }

  /** What requests met counts in the minute in which they ended, and is told when that is over. */
  private async reportRequests(before: number): Promise<void> {
    const minutes = new Map<number, MinuteOutcome[]>();
    for (const { place, minute, requests, failures } of this.parts.endpoints.tallies.takeBefore(before)) {
      minutes.set(minute, [...(minutes.get(minute) ?? []), outcomeOf({ company: place.provider, market: place.market }, { requests, failures })]);
    }
    for (const [minute, outcomes] of minutes) await this.report(minute, outcomes);
  }

  private soldIn(minute: number): Promise<SoldPlaceView[]> {
    const hour = Math.floor(minute / MINUTES_PER_HOUR);
    return this.parts.services.sequencer.query('soldPlaces', { fromHour: hour, toHour: hour });
  }

  /** Whoever is not there need not be asked, so nobody waits for the answers of others. Returns the places. */
  private async reportAbsent(minute: number): Promise<Set<string>> {
    const found = await this.found([]);
    const there = new Set(this.parts.endpoints.all().filter(({ company }) => !isSuspendedIn(minute, company, found)).map(placeKey));
    const absent = (await this.soldIn(minute)).filter((place) => !there.has(placeKey(place)));
    await this.report(minute, absent.flatMap((place) => this.outcomesOf(place, minute, found)));
    return new Set(absent.map(placeKey));
  }

  /** What is known, beside what was asked, of who should have been there. */
  private async found(probed: readonly Probed[]): Promise<Found> {
    const [places, suspended] = await Promise.all([this.parts.rows.places(), this.parts.services.sequencer.query('suspended', {})]);
    return { probed, registered: new Set(places.map(placeKey)), suspended: new Map(suspended.map(({ company, since }) => [company, since])) };
  }

  /** Models that failed last time, and others by chance until one answers or two have not: it may be the model, or the endpoint. */
  private async probe(endpoint: Endpoint, millis = CANARY_LIMIT_MILLIS): Promise<Probed[]> {
    const failing = this.failing.get(endpoint.id) ?? new Set<string>();
    const names = [...endpoint.models];
    const results: Probed[] = [];
    const ask = async ([model, name]: [string, string]): Promise<void> => void results.push({ endpoint, model, result: await this.ask({ endpoint, model, name, millis }) });
    for (const entry of names.filter(([model]) => failing.has(model))) await ask(entry);
    const others = names.filter(([model]) => !failing.has(model));
    for (let tries = 0; tries < OTHERS_MAX && others.length > 0 && !results.some(({ result }) => result !== 'failed'); tries++) {
      await ask(others.splice(randomInt(others.length), 1)[0]);
    }
    const failed = new Set(results.filter(({ result }) => result === 'failed').map(({ model }) => model));
    this.failing.set(endpoint.id, failed);
    this.parts.endpoints.probed(endpoint, failed);
    return results;
  }

  private async ask(asked: Pick<Canary, 'endpoint' | 'model' | 'name' | 'millis'>): Promise<CanaryResult> {
    const recorded = randomInt(REFERENCE_EVERY) === 0 ? await this.parts.references.of(asked.model, asked.endpoint.precision) : [];
    const reference = recorded.length === 0 ? undefined : recorded[randomInt(recorded.length)];
    return this.canary({ ...asked, reference, at: this.parts.services.committed.now });
  }

  private async canary({ endpoint, model, name, reference, at, millis }: Canary): Promise<CanaryResult> {
    const prompt = reference?.prompt ?? ordinaryQuestion(() => randomInt(1_000_000) / 1_000_000);
    const began = performance.now();
    const result = await runCanary(this.parts.upstream, { target: endpoint.target, model: name, prompt, reference, mayStream: millis === CANARY_LIMIT_MILLIS, signal: AbortSignal.timeout(millis) });
    this.parts.logbook.probe({ endpoint: endpoint.id, model, result, millis: Math.round(performance.now() - began) });
    if (reference !== undefined) await this.compare(endpoint, model, result, at);
    return result;
  }

  /** Three wrong answers in a row: nothing since the first of them counts, and the provider is suspended. */
  private async compare(endpoint: Endpoint, model: string, result: CanaryResult, at: number): Promise<void> {
    const key = `${endpoint.id}:${model}`;
    if (result === 'passed') this.mismatches.delete(key);
    if (result !== 'mismatched') return;
    const known = this.mismatches.get(key) ?? { count: 0, since: at };
    this.mismatches.set(key, { ...known, count: known.count + 1 });
    if (known.count + 1 < MISMATCHES_MAX) return;
    this.mismatches.delete(key);
    const { company: provider, market } = endpoint;
    if ((await this.parts.services.sequencer.query('suspended', {})).some(({ company }) => company === provider)) return;
    await this.submit({ type: 'annulDelivery', company: NONE, provider, market, model: NONE, since: known.since, reason: 'wrong_answers' });
    await this.submit({ type: 'suspendProvider', company: NONE, provider, reason: `${MISMATCHES_MAX} wrong answers in a row of ${model}` });
    // The running minute is annulled already; told of it, the market replaces what three annulled minutes leave to deliver.
    await this.report(Math.floor(this.parts.services.committed.now / MILLIS_PER_MINUTE), [outcomeOf({ company: provider, market }, { notServed: true })]);
  }

  /** What the minute was at a place where something is sold. A model counts as served when one endpoint of the place served it. */
  private outcomesOf({ company, market, models }: SoldPlaceView, minute: number, known: Found): MinuteOutcome[] {
    const { probed, registered } = known;
    const outcome = (more: Partial<MinuteOutcome>): MinuteOutcome => outcomeOf({ company, market }, more);
    if (isSuspendedIn(minute, company, known)) return [outcome({ notServed: true })];
    const here = probed.filter(({ endpoint }) => endpoint.company === company && endpoint.market === market);
    if (here.length === 0) return registered.has(placeKey({ company, market })) ? [outcome({ notServed: true })] : [];
    const good = new Set(here.filter(({ result }) => result !== 'failed').map(({ model }) => model));
    const shortfall = this.loadTests.shortfallOf(company, market);
    const whole = outcome({ shortfall, canary: good.size > 0 ? 'passed' : 'failed' });
    const failed = good.size === 0 ? [] : [...new Set(here.map(({ model }) => model))].filter((model) => !good.has(model)).map((model) => outcome({ model: this.modelId(model), canary: 'failed' }));
    const missing = models.filter((model) => !this.serves(company, market, model)).map((model) => outcome({ model, notServed: true }));
    return [whole, ...failed, ...missing];
  }

  private serves(company: number, market: number, model: number): boolean {
    const id = findModel(this.parts.services.directory.modelName(model))?.id;
    return id === undefined || this.parts.endpoints.all().some((endpoint) => endpoint.company === company && endpoint.market === market && endpoint.models.has(id));
  }

  private modelId(model: string): number {
    return this.parts.services.directory.modelId(model);
  }

  private async report(minute: number, outcomes: readonly MinuteOutcome[]): Promise<void> {
    const failed = outcomes.filter((outcome) => failureOf(outcome) !== undefined);
    if (failed.length > 0) await this.submit({ type: 'reportMinute', minute, outcomes: failed });
  }

  /**
   * A manual clock has been moved over minutes that nobody could watch: they are those of the endpoint as it is now. Models
   * that have recorded answers are asked as often as they would have been in them, at most three times.
   */
  async clockMoved(): Promise<void> {
    const { services, endpoints } = this.parts;
    const since = this.watchedTo;
    const from = Math.floor(since / MILLIS_PER_MINUTE);
    const to = Math.floor(services.committed.now / MILLIS_PER_MINUTE);
    this.watchedTo = services.committed.now;
    await this.reportRequests(to);
    if (to <= from) return;
    const sold = await services.sequencer.query('soldPlaces', { fromHour: Math.floor(from / MINUTES_PER_HOUR), toHour: Math.floor(to / MINUTES_PER_HOUR) });
    const places = new Set(sold.map(placeKey));
    await this.loadTests.moved(sold, since);
    const asked = endpoints.all().filter((endpoint) => places.has(placeKey(endpoint)));
    const probed = (await atOnce(asked, (endpoint) => this.probeNow(endpoint, since, Math.min(to - from, MISMATCHES_MAX)))).flat();
    const found = await this.found(probed);
    for (const place of sold) {
      const first = Math.max(from, place.hour * MINUTES_PER_HOUR);
      for (let minute = first; minute < Math.min(to, (place.hour + 1) * MINUTES_PER_HOUR); minute++) await this.report(minute, this.outcomesOf(place, minute, found));
    }
  }

  /** Whether it is there, whether it answers as recorded where that is known, else whether it answers. */
  private async probeNow(endpoint: Endpoint, at: number, times: number): Promise<Probed[]> {
    const models = [...endpoint.models];
    this.heard(endpoint, await this.answers(endpoint));
    if (this.silent.has(endpoint.id)) return models.slice(0, 1).map(([model]) => ({ endpoint, model, result: 'failed' }));
    const compared: Probed[] = [];
    for (const [model, name] of models) {
      const recorded = await this.parts.references.of(model, endpoint.precision);
      let result: CanaryResult | undefined;
      for (let time = 0; time < times && recorded.length > 0 && result !== 'passed'; time++) {
        result = await this.canary({ endpoint, model, name, reference: recorded[time % recorded.length], at, millis: MOVED_LIMIT_MILLIS });
      }
      if (result !== undefined) compared.push({ endpoint, model, result });
    }
    return compared.length > 0 ? compared : this.probe(endpoint, MOVED_LIMIT_MILLIS);
  }

  private async submit(command: Command): Promise<void> {
    const ack = await this.parts.services.sequencer.submit({ command, idempotencyKey: '', bodyHash: '' });
    const rejected = eventOf(ack.events, 'rejected');
    if (rejected !== undefined) this.parts.services.log.warn({ command: command.type, code: rejected.code }, 'what was found of a delivery was refused');
  }
}

const isSuspendedIn = (minute: number, company: number, { suspended }: Found): boolean => minute * MILLIS_PER_MINUTE >= (suspended.get(company) ?? Infinity);

const outcomeOf = (place: Pick<MinuteOutcome, 'company' | 'market'>, more: Partial<MinuteOutcome>): MinuteOutcome => ({
  ...place, model: NONE, canary: 'none', requests: 0, failures: 0, shortfall: 0, notServed: false, ...more,
});

/** Runs work over a list, so many at a time. */
async function atOnce<T, R>(list: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(list.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < list.length; at = next++) results[at] = await work(list[at]);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE_MAX, list.length) }, worker));
  return results;
}
