/**
 * Buys from the spot book what a request needs, within the policy of its key: one bid that names the
 * model, filled at once or not at all at its price. The smallest purchase is one step (0.01 GPU-hour,
 * 36 GPU-seconds), which serves many requests; those that wait for the same model are bought for together.
 */
import { BUY, CANCEL_NEWEST, IOC, LIMIT, NONE, classOf, regionOf } from '../../../engine/vocabulary.ts';
import type { PlaceOrder } from '../../../engine/commands.ts';
import type { CompanyId, MarketId } from '../../../engine/vocabulary.ts';
import type { RejectCode } from '../../../engine/catalogue.ts';
import type { Hour, Micro, MicroGpuSeconds } from '../../../engine/numbers/units.ts';
import { mulDivCeil } from '../../../engine/numbers/muldiv.ts';
import { MICRO, MILLIS_PER_HOUR } from '../../../engine/numbers/units.ts';
import { BUYER_FEE_MAX } from '../../../engine/parameters.ts';
import { spotOrderPrefix } from '../../../db/queries/key_spending.ts';
import { GatewayError } from '../../errors.ts';
import type { GatewayErrorCode } from '../../errors.ts';
import type { Ack, AuthoriseRefusal } from '../../sequencer/port.ts';
import type { LiveOrder } from '../../market/live_orders.ts';
import type { Instrument } from '../../market/market_data.ts';
import type { Services } from '../../services.ts';
import type { Call } from '../relay/call.ts';
import type { Place } from '../endpoints/place.ts';
import type { Endpoints } from '../endpoints/endpoints.ts';
import { planPurchase } from './spot_plan.ts';
import type { SpotPlan } from './spot_plan.ts';
import type { Spending } from './spending.ts';

/** Asks of one book that are looked at. */
const DEPTH = 50;

/** Requests for which one purchase is made. */
interface Purchase {
  /** Sum of their worst cases, by class. */
  total: Record<number, MicroGpuSeconds>;
  collecting: boolean;
  done: Promise<Micro>;
}

interface Choice extends SpotPlan {
  market: MarketId;
  /** Whose capacity alone will do; NONE: that of any who has asked less. */
  provider: CompanyId;
}

export class SpotBuyer {
  private readonly services: Pick<Services, 'sequencer' | 'directory' | 'market' | 'committed'>;
  private readonly endpoints: Endpoints;
  private readonly spending: Spending;
  private readonly purchases = new Map<string, Purchase>();

  constructor(services: Pick<Services, 'sequencer' | 'directory' | 'market' | 'committed'>, endpoints: Endpoints, spending: Spending) {
    this.services = services;
    this.endpoints = endpoints;
    this.spending = spending;
  }

  /**
   * Resolves when something was bought that may hold the request: with the fees of what was bought for
   * it, undefined when another request of the same kind bought.
   * @throws GatewayError capacity_exhausted, insufficient_credits, credits_blocked, budget_exceeded
   */
  async buy(call: Call, excluded: readonly Place[], why: AuthoriseRefusal): Promise<Micro | undefined> {
    if (!call.spot.enabled) throw new GatewayError(why === 'credits_blocked' ? 'credits_blocked' : 'capacity_exhausted', { retryAfterSeconds: this.untilNextHour() });
    const name = `${call.company}:${call.key}:${call.modelId}:${call.provider}`;
    const running = this.purchases.get(name);
    if (running !== undefined) {
      if (running.collecting) addUp(running.total, call.worstGpu);
      await running.done.catch(() => undefined);
      return undefined;
    }
    const purchase: Purchase = { total: { ...call.worstGpu }, collecting: true, done: Promise.resolve(0) };
    purchase.done = this.purchaseFor(call, purchase, excluded).finally(() => this.purchases.delete(name));
    this.purchases.set(name, purchase);
    return purchase.done;
  }

  private async purchaseFor(call: Call, purchase: Purchase, excluded: readonly Place[]): Promise<Micro> {
    // Requests that were refused in the same turn join.
    await new Promise((resolve) => setImmediate(resolve));
    purchase.collecting = false;
    const hour = Math.floor(this.services.committed.now / MILLIS_PER_HOUR);
    const choice = this.choose(call, purchase.total, excluded, hour);
    if (choice === undefined) throw new GatewayError('capacity_exhausted', { retryAfterSeconds: this.untilNextHour() });
    // Others may take the asks that were seen: it buys at its limit then.
    const end = await this.spending.reserveSpot(call, mulDivCeil(choice.limit * choice.quantity, MICRO + BUYER_FEE_MAX, MICRO));
    let ack: Ack | undefined;
    try {
      ack = await this.place(call, choice, hour);
      return feesOf(ack);
    } finally {
      end(ack);
    }
  }

  /** The market on which the request costs least, of those whose book can hold it. */
  private choose(call: Call, total: Record<number, MicroGpuSeconds>, excluded: readonly Place[], hour: Hour): Choice | undefined {
    let best: Choice | undefined;
    let bestCost = Infinity;
    for (const market of this.marketsFor(call)) {
      const classId = classOf(market);
      const worst = call.worstGpu[classId];
      const instrument = this.services.market.instrumentOf(market, hour);
      const maximum = call.spot.maximumPrice ?? Infinity;
      for (const { provider, asks } of this.asksFor(call, instrument, market, excluded)) {
        const plan = planPurchase(asks, worst, total[classId] ?? worst, ({ company, price }) => price <= maximum && this.serves(call, company, market, excluded));
        if (plan === undefined || plan.limit * worst >= bestCost) continue;
        best = { ...plan, market, provider };
        bestCost = plan.limit * worst;
      }
    }
    return best;
  }

  /** Asks that a bid would meet, in the book's order. One whose key needs a certain kind of endpoint names its provider, for the cheapest may not have it. */
  private asksFor({ modelId, provider, needs, model }: Call, instrument: Instrument, market: MarketId, excluded: readonly Place[]): { provider: CompanyId; asks: LiveOrder[] }[] {
    const { asks } = this.services.market.queues(instrument, provider === NONE && needs === null ? DEPTH : Infinity, modelId);
    if (provider === NONE && needs === null) return [{ provider, asks }];
    const fit = provider === NONE ? this.endpoints.serving(model.id, undefined, needs).filter((endpoint) => endpoint.market === market).map(({ company }) => company) : [provider];
    return [...new Set(fit)].filter((company) => !excluded.some((place) => place.provider === company && place.market === market))
      .map((company) => ({ provider: company, asks: asks.filter((ask) => ask.company === company) }));
  }

  /** Markets where the model is served, within the policy's classes and regions. */
  private marketsFor({ spot, modelId, ratings }: Call): Set<MarketId> {
    const { directory } = this.services;
    const markets = new Set<MarketId>();
    for (const { market, models } of directory.capacities()) {
      if (!ratings.has(classOf(market)) || !models.includes(modelId)) continue;
      if (spot.classes !== null && !spot.classes.includes(directory.className(classOf(market)))) continue;
      if (spot.regions !== null && !spot.regions.includes(directory.regionName(regionOf(market)))) continue;
      markets.add(market);
    }
    return markets;
  }

  private serves(call: Call, provider: number, market: MarketId, excluded: readonly Place[]): boolean {
    if (excluded.some((place) => place.provider === provider && place.market === market)) return false;
    return this.endpoints.serving(call.model.id, { provider, market }, call.needs).length > 0;
  }

  private async place(call: Call, { market, quantity, limit, provider }: Choice, hour: Hour): Promise<Ack> {
    const command: PlaceOrder = {
      type: 'place', company: call.company, market, hour, side: BUY, orderType: LIMIT, price: limit, quantity, timeInForce: IOC, postOnly: false,
      displayQuantity: 0, minimumQuantity: 0, stopPrice: 0, expiresAt: 0, model: call.modelId, resaleOf: 0, selfTradePrevention: CANCEL_NEWEST,
      cancelOnDisconnect: false, clientOrderId: spotOrderPrefix(call.key) + call.id,
      ...(provider === NONE ? {} : { provider }),
    };
    return this.services.sequencer.submit({ command, idempotencyKey: '', bodyHash: '' });
  }

  private untilNextHour(): number {
    const { now } = this.services.committed;
    const left = Math.ceil((MILLIS_PER_HOUR - (now % MILLIS_PER_HOUR)) / 1_000);
    return left <= 60 ? left : 1;
  }
}

/** Why a purchase is refused, in the words of the OpenAI-compatible paths. */
const REFUSALS: Partial<Record<RejectCode, GatewayErrorCode>> = {
  insufficient_credits: 'insufficient_credits',
  facility_frozen: 'credits_blocked',
  facility_not_active: 'credits_blocked',
  past_due: 'credits_blocked',
  day_notional: 'budget_exceeded',
  exposure: 'insufficient_credits',
};

/** @throws GatewayError of a refusal */
function feesOf(ack: Ack): Micro {
  let fees = 0;
  for (const event of ack.events) {
    if (event.kind === 'rejected') throw new GatewayError(REFUSALS[event.code] ?? 'capacity_exhausted', { values: { limit: "company's limit of purchases in a day" }, retryAfterSeconds: 1 });
    if (event.kind === 'fill') fees += event.fee;
  }
  return fees;
}

function addUp(total: Record<number, MicroGpuSeconds>, more: Record<number, MicroGpuSeconds>): void {
  for (const [classId, gpu] of Object.entries(more)) total[Number(classId)] = (total[Number(classId)] ?? 0) + gpu;
}
