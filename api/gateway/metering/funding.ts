/** Where the GPU time of a request comes from: an allocation of the running hour, else a purchase on the spot book. */
import { classOf } from '../../../engine/vocabulary.ts';
import { mulDivCeil } from '../../../engine/numbers/muldiv.ts';
import { MICRO_GPU_SECONDS_PER_STEP } from '../../../engine/numbers/units.ts';
import type { Micro } from '../../../engine/numbers/units.ts';
import { GatewayError } from '../../errors.ts';
import { Unavailable } from '../../sequencer/port.ts';
import type { Authorisation, AuthoriseResult } from '../../sequencer/port.ts';
import type { Services } from '../../services.ts';
import type { RatingBook } from '../catalogue/rating_book.ts';
import type { Rating } from '../catalogue/roofline.ts';
import type { Call } from '../relay/call.ts';
import type { Signal } from '../relay/departure.ts';
import type { Place } from '../endpoints/place.ts';
import type { Spending } from './spending.ts';
import type { SpotBuyer } from './spot_buyer.ts';

/** GPU time held for a request. Ends with `release`, or with its capture and then `settled`. */
export interface Grant {
  readonly authorisation: Authorisation;
  readonly rated: Rating;
  release(): void;
  /** The capture is committed: what was reserved of the key's limit is counted by then. */
  settled(): void;
}

/** What a request may wait in all for others to leave something. How long it takes to ask and to buy does not count. */
const WAIT_MILLIS_MAX = 5_000;
const PURCHASES_MAX = 3;
/** So often others may buy for a request as well, and it finds nothing left of that. */
const SHARED_MAX = 100;
/** Other processes end holds too; nobody tells. */
const LOOK_AGAIN_MILLIS = 100;
/** Of one company. */
const WAITING_MAX = 10_000;
const WOKEN_MAX = 4;
/** How often, and how many times, the end of a hold is told to a market that does not listen. */
const RELEASE_AGAIN_MILLIS = 1_000;
const RELEASES_MAX = 60;

export interface Wanted {
  excluded: readonly Place[];
  /** These first, whatever they cost. */
  preferred: readonly Place[];
  signal: Signal;
  /** What was paid in fees for the request on the spot book, also when that did not suffice. It counts against its limits. */
  fees: { paid: Micro };
  /** Whether to wait for what requests under way will leave of a budget. */
  waits: boolean;
  /** What the hold is called; the request's own name unless given. */
  hold?: string;
}

export class Funding {
  private readonly services: Pick<Services, 'sequencer' | 'log' | 'directory'>;
  private readonly spot: SpotBuyer;
  private readonly spending: Spending;
  private readonly ratings: RatingBook;
  /** Requests that wait for what others of their company leave, by company, in their order. */
  private readonly waiting = new Map<number, (() => void)[]>();

  constructor(services: Pick<Services, 'sequencer' | 'log' | 'directory'>, spot: SpotBuyer, spending: Spending, ratings: RatingBook) {
    this.services = services;
    this.ratings = ratings;
    this.spot = spot;
    this.spending = spending;
  }

  /**
   * @throws GatewayError when there is no capacity, no credit or no budget for it; Unavailable
   */
  async obtain(call: Call, wanted: Wanted): Promise<Grant> {
    const patience = { millis: WAIT_MILLIS_MAX };
    let purchases = 0;
    let shared = 0;
    const { fees } = wanted;
    for (;;) {
      // Who came first is served first.
      const behind = this.waiting.get(call.company)?.length ?? 0;
      const answer = await this.authorise(call, wanted);
      if (answer.ok) return this.grant(call, answer.authorisation, fees.paid);
      if (answer.reason === 'over_limit') throw await this.spending.refusal(call, answer.limit);
      if (purchases >= PURCHASES_MAX || shared >= SHARED_MAX) throw exhausted();
      try {
        const paid = await this.spot.buy(call, wanted.excluded, answer.reason);
        if (paid === undefined) {
          shared += 1;
          continue;
        }
        fees.paid += paid;
        purchases += 1;
      } catch (error) {
        const mayWait = wanted.waits && answer.pending === true && error instanceof GatewayError && error.code === 'capacity_exhausted';
        if (!mayWait || behind >= WAITING_MAX) throw error;
        if (!(await this.holdEnds(call.company, patience, wanted.signal))) throw error;
      }
    }
  }

  private async authorise(call: Call, { excluded, preferred, fees, hold }: Wanted): Promise<AuthoriseResult> {
    const isLimited = call.monthlyLimit !== null || call.project?.monthlyBudget != null;
    const limits = isLimited ? await this.spending.limitsOf(call) : undefined;
    return this.services.sequencer.authorise({
      company: call.company, request: hold ?? call.id, model: call.modelId, worstGpu: call.worstGpu, provider: call.provider, excluded: [...excluded],
      ...(preferred.length === 0 ? {} : { preferred: [...preferred] }),
      ...(limits === undefined ? {} : { limits, spent: fees.paid }),
    });
  }

  /** Resolves with true when a hold of the company may have ended, with false when it has waited long enough or nobody asks any more. */
  private async holdEnds(company: number, patience: { millis: number }, signal: Signal): Promise<boolean> {
    if (patience.millis <= 0 || signal.aborted) return false;
    const since = performance.now();
    await new Promise<void>((resolve) => {
      const queue = this.waiting.get(company) ?? [];
      this.waiting.set(company, queue);
      const wake = (): void => {
        clearTimeout(timer);
        const at = queue.indexOf(wake);
        if (at !== -1) queue.splice(at, 1);
        if (queue.length === 0 && this.waiting.get(company) === queue) this.waiting.delete(company);
        resolve();
      };
      const timer = setTimeout(wake, LOOK_AGAIN_MILLIS);
      queue.push(wake);
    });
    patience.millis -= performance.now() - since;
    return !signal.aborted;
  }

  /** What one hold leaves may serve several that wait. */
  private wake(company: number): void {
    for (const wake of [...(this.waiting.get(company) ?? [])].slice(0, WOKEN_MAX)) wake();
  }

  /** Nobody is told when the market was away: then it is tried again. */
  private release(hold: string, company: number, tries = RELEASES_MAX): void {
    const later = (error: unknown): void => {
      if (tries <= 1 || !(error instanceof Unavailable)) return this.services.log.debug({ err: error }, 'a hold ends by itself');
      setTimeout(() => this.release(hold, company, tries - 1), RELEASE_AGAIN_MILLIS).unref();
    };
    this.services.sequencer.release(hold).then(() => this.wake(company), later);
  }

  private async grant(call: Call, authorisation: Authorisation, fees: Micro): Promise<Grant> {
    const release = (): void => this.release(authorisation.request, call.company);
    const { allocation, hour, market } = authorisation;
    const rated = this.ratings.ofAllocation(allocation, hour).of(call.model.id).get(this.services.directory.className(classOf(market)));
    if (rated === undefined) throw new Error(`no rating of ${call.model.id} on market ${market}`);
    try {
      const unreserve = await this.spending.reserve(call, mulDivCeil(authorisation.gpu, authorisation.price, MICRO_GPU_SECONDS_PER_STEP) + fees);
      let ended = false;
      /** It ends once, however often it is said. */
      const end = (then: () => void): void => {
        if (ended) return;
        ended = true;
        unreserve();
        then();
      };
      return { authorisation, rated, settled: () => end(() => this.wake(call.company)), release: () => end(release) };
    } catch (error) {
      release();
      throw error;
    }
  }
}

const exhausted = (): GatewayError => new GatewayError('capacity_exhausted', { retryAfterSeconds: 1 });
