/** Where the GPU time of a request comes from: an allocation of the running hour, else a purchase on the spot book. */
import { classOf } from '../../engine/commands.ts';
import { mulDivCeil } from '../../engine/muldiv.ts';
import { MICRO_GPU_SECONDS_PER_STEP } from '../../engine/units.ts';
import type { Micro } from '../../engine/units.ts';
import { GatewayError } from '../errors.ts';
import type { Authorisation } from '../sequencer/port.ts';
import type { Services } from '../services.ts';
import type { Rating } from './catalogue/roofline.ts';
import type { Call } from './call.ts';
import type { Place } from './endpoints.ts';
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

const WAIT_MILLIS_MAX = 5_000;
const PURCHASES_MAX = 3;

export class Funding {
  private readonly services: Pick<Services, 'sequencer' | 'log'>;
  private readonly spot: SpotBuyer;
  private readonly spending: Spending;

  constructor(services: Pick<Services, 'sequencer' | 'log'>, spot: SpotBuyer, spending: Spending) {
    this.services = services;
    this.spot = spot;
    this.spending = spending;
  }

  /**
   * @param spent takes the fees of what was bought for the request, also when that does not suffice
   * @throws GatewayError when there is no capacity, no credit or no budget for it; Unavailable
   */
  async obtain(call: Call, excluded: readonly Place[], spent: (fees: Micro) => void): Promise<Grant> {
    const deadline = performance.now() + WAIT_MILLIS_MAX;
    let purchases = 0;
    for (;;) {
      const answer = await this.services.sequencer.authorise({
        company: call.company, request: call.id, model: call.modelId, worstGpu: call.worstGpu, provider: call.provider, excluded: [...excluded],
      });
      if (answer.ok) return this.grant(call, answer.authorisation);
      if (purchases >= PURCHASES_MAX || performance.now() > deadline) throw new GatewayError('capacity_exhausted', { retryAfterSeconds: 1 });
      const fees = await this.spot.buy(call, excluded, answer.reason);
      if (fees === undefined) continue;
      spent(fees);
      purchases += 1;
    }
  }

  private async grant(call: Call, authorisation: Authorisation): Promise<Grant> {
    const release = (): void => {
      this.services.sequencer.release(call.id).catch((error: unknown) => this.services.log.debug({ err: error }, 'a hold ends by itself'));
    };
    const rated = call.ratings.get(classOf(authorisation.market));
    if (rated === undefined) throw new Error(`no rating of ${call.model.id} on market ${authorisation.market}`);
    try {
      const unreserve = await this.spending.reserve(call, mulDivCeil(authorisation.gpu, authorisation.price, MICRO_GPU_SECONDS_PER_STEP));
      return {
        authorisation,
        rated,
        settled: unreserve,
        release() {
          unreserve();
          release();
        },
      };
    } catch (error) {
      release();
      throw error;
    }
  }
}
