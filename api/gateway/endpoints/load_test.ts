/**
 * Once a day, at a minute that nobody knows, an endpoint is asked for half a minute for what its provider
 * has sold, at no more than a quarter above that pace, so that a burst is not enough. What it cannot reach counts as failed capacity until a later test reaches it; who has mended what was wrong
 * asks for one. Who moves a manual clock past that minute waits for the test, which is a short one there, and made again before it counts against anybody.
 */
import { randomInt } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { classOf } from '../../../engine/vocabulary.ts';
import { mulDivFloor } from '../../../engine/numbers/muldiv.ts';
import type { SoldPlaceView } from '../../../engine/queries.ts';
import { MICRO, MILLIS_PER_DAY, MILLIS_PER_MINUTE, STEPS_PER_GPU_HOUR } from '../../../engine/numbers/units.ts';
import type { Ppm } from '../../../engine/numbers/units.ts';
import type { Services } from '../../services.ts';
import { askCanary, ordinaryQuestion } from './canary.ts';
import { findModel } from '../catalogue/catalogue.ts';
import type { RatingBook } from '../catalogue/rating_book.ts';
import type { RatingTable } from '../catalogue/ratings.ts';
import { placeKey } from './endpoints.ts';
import type { Endpoint, Endpoints } from './endpoints.ts';
import type { LoadTestLog, LoadTestResult } from './load_test_log.ts';
import { countTokens } from '../metering/token_count.ts';
import type { Upstream } from '../relay/upstream.ts';

const TEST_MILLIS = 30_000;
/** Who moves a clock waits for it: for one that was asked for, or that may count against somebody, and for the day's. */
const MOVED_TEST_MILLIS = { asked: 3_000, due: 1_000 };
/** What is under way when the time is over may still end. */
const LAST_ANSWERS_MILLIS = 5_000;
/** Answers that are shorter do not fill a short test: they tell nothing of an endpoint's pace. */
const TELLING_TOKENS = 32;
const RETEST_MILLIS = 10 * MILLIS_PER_MINUTE;
/** A test is no attack: what is asked for is at most this many tokens a second, by so many streams. */
const TOKENS_PER_SECOND_MAX = 500;
const STREAMS_MAX = 32;
const TOKENS_OF_A_REQUEST = { long: 256, short: 64 };
/** By an eighth up and down: no two requests need be alike. */
const VARIED_BY = 8;
/** How far ahead of what was sold a test may be, as a factor, and in requests at its beginning; and how long it waits when it is. */
const PACE = 1.25;
const REQUESTS_AHEAD = 2;
const PACE_MILLIS = 50;

export interface LoadTestParts {
  services: Pick<Services, 'committed' | 'directory' | 'log'>;
  ratings: RatingBook;
  loadTests: LoadTestLog;
  endpoints: Endpoints;
  upstream: Upstream;
}

export class LoadTests {
  private readonly parts: LoadTestParts;
  /** By place: when it is due next, in engine time, and what the last one missed. */
  private readonly due = new Map<string, number>();
  private readonly shortfalls = new Map<string, Ppm>();
  private running = false;
  private stopped = false;
  private recalled = false;
  private clockIsMoved = false;

  constructor(parts: LoadTestParts) {
    this.parts = parts;
  }

  stop(): void {
    this.stopped = true;
  }

  shortfallOf(company: number, market: number): Ppm {
    return this.shortfalls.get(placeKey({ company, market })) ?? 0;
  }

  /** Called each minute with what is sold of the running hour: begins the test that is due, one at a time. */
  async plan(sold: readonly SoldPlaceView[]): Promise<void> {
    await this.recall();
    const asked = new Set((await this.parts.loadTests.asked()).map(placeKey));
    const { now } = this.parts.services.committed;
    for (const place of sold) {
      const isDue = this.dueOf(place, now) <= now && !this.clockIsMoved;
      if ((!isDue && !asked.has(placeKey(place))) || this.running) continue;
      this.running = true;
      this.run(place).catch((error: unknown) => this.parts.services.log.warn({ err: error }, 'a load test did not end well')).finally(() => (this.running = false));
    }
  }

  private dueOf(place: SoldPlaceView, since: number): number {
    const key = placeKey(place);
    const due = this.due.get(key) ?? since + randomInt(MILLIS_PER_DAY);
    this.due.set(key, due);
    return due;
  }

  /** A manual clock was moved from `since` on: tests that were asked for, and those of the day that fell due meanwhile, are made at once. */
  async moved(sold: readonly SoldPlaceView[], since: number): Promise<void> {
    this.clockIsMoved = true;
    await this.recall();
    const { now } = this.parts.services.committed;
    const asked = new Set((await this.parts.loadTests.asked()).map(placeKey));
    const places = [...new Map(sold.map((place) => [placeKey(place), place])).values()];
    for (const place of places.filter((sought) => asked.has(placeKey(sought)))) await this.run(place, MOVED_TEST_MILLIS.asked);
    await Promise.all(places.filter((place) => !asked.has(placeKey(place)) && this.dueOf(place, since) <= now).map(async (place) => {
      if ((await this.run(place, MOVED_TEST_MILLIS.due)) > 0) await this.run(place, MOVED_TEST_MILLIS.asked);
    }));
  }

  /** What tests found before this process began still counts. */
  private async recall(): Promise<void> {
    if (this.recalled) return;
    for (const { shortfall, ...place } of await this.parts.loadTests.latest()) if (!this.shortfalls.has(placeKey(place))) this.shortfalls.set(placeKey(place), shortfall);
    this.recalled = true;
  }

  /** Tests a place for what it has sold. */
  async run(place: SoldPlaceView, millis = TEST_MILLIS): Promise<Ppm> {
    const { endpoints, loadTests, services, upstream } = this.parts;
    const key = placeKey(place);
    const test = await loadTests.began(place, services.committed.now);
    const here = endpoints.all().filter((endpoint) => endpoint.company === place.company && endpoint.market === place.market);
    const result = await loadTest(upstream, here, {
      className: services.directory.className(classOf(place.market)), ratings: this.parts.ratings.inForce(place.hour), quantity: place.quantity, millis, stopped: () => this.stopped,
    });
    if (this.stopped) return 0;
    const { now } = services.committed;
    await loadTests.ended(test, result, now);
    const { shortfall } = result;
    this.shortfalls.set(key, shortfall);
    // One that fell short is tested again soon; the others at some minute of the day after that for which it stands.
    const dayAfter = Math.max(Math.floor((this.due.get(key) ?? now) / MILLIS_PER_DAY) + 1, Math.floor(now / MILLIS_PER_DAY));
    this.due.set(key, shortfall > 0 && !this.clockIsMoved ? now + RETEST_MILLIS : dayAfter * MILLIS_PER_DAY + randomInt(MILLIS_PER_DAY));
    return shortfall;
  }
}

interface LoadTest {
  className: string;
  ratings: RatingTable;
  /** Steps sold of the hour: GPUs times a hundred. */
  quantity: number;
  millis: number;
  stopped: () => boolean;
}

async function loadTest(upstream: Upstream, endpoints: readonly Endpoint[], { className, ratings, quantity, millis, stopped }: LoadTest): Promise<LoadTestResult> {
  const asked = endpoints.flatMap((endpoint) => {
    const model = [...endpoint.models].find(([id]) => findModel(id)?.kind === 'chat' && ratings.of(id).has(className));
    return model === undefined ? [] : [{ endpoint, name: model[1], rated: ratings.of(model[0]).get(className)?.completion ?? 0 }];
  });
  if (asked.length === 0) return { wanted: 0, reached: 0, shortfall: 0 };
  const perSecond = Math.min(TOKENS_PER_SECOND_MAX, (quantity / STEPS_PER_GPU_HOUR) * (MICRO / asked[0].rated));
  const wanted = Math.floor((perSecond * millis) / 1_000);
  const began = performance.now();
  const until = began + millis;
  const tokens = millis < MOVED_TEST_MILLIS.asked ? TOKENS_OF_A_REQUEST.short : TOKENS_OF_A_REQUEST.long;
  const signal = AbortSignal.timeout(millis + LAST_ANSWERS_MILLIS);
  setMaxListeners(STREAMS_MAX, signal);
  let reached = 0;
  let answers = 0;
  let underway = 0;
  // What is under way is as long as answers have been so far: short ones are asked for more at once.
  const each = (): number => (answers === 0 ? tokens : Math.max(1, reached / answers));
  const isAhead = (): boolean => reached + underway * each() >= (PACE * perSecond * (performance.now() - began)) / 1_000 + REQUESTS_AHEAD * TOKENS_OF_A_REQUEST.long;
  const stream = async (index: number): Promise<void> => {
    const { endpoint, name } = asked[index % asked.length];
    while (reached < wanted && performance.now() < until && !stopped()) {
      if (isAhead()) {
        await setTimeout(PACE_MILLIS);
        continue;
      }
      underway++;
      const prompt = ordinaryQuestion(() => randomInt(1_000_000) / 1_000_000);
      const text = await askCanary(upstream, { target: endpoint.target, model: name, prompt, tokens: tokens - tokens / VARIED_BY + randomInt((2 * tokens) / VARIED_BY), signal }).catch(() => '');
      underway--;
      if (text === '') await setTimeout(200);
      else answers++;
      reached += countTokens(text);
    }
  };
  await Promise.all(Array.from({ length: STREAMS_MAX }, (_, index) => stream(index)));
  const isTelling = millis >= TEST_MILLIS || answers === 0 || reached >= answers * TELLING_TOKENS;
  return { wanted, reached, shortfall: reached >= wanted || !isTelling ? 0 : MICRO - mulDivFloor(reached, MICRO, wanted) };
}
