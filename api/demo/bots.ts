/**
 * Lets the bots act: every few seconds of the wall clock, or, with a manual clock, whenever time has
 * been moved. What they do is decided in quotes.ts; here it is read, sent and refinanced.
 */
import type { BatchOrders } from '../../engine/commands.ts';
import type { CompanyId } from '../../engine/vocabulary.ts';
import { BUY, SELL, classOf } from '../../engine/vocabulary.ts';
import { MILLIS_PER_MINUTE } from '../../engine/numbers/units.ts';
import type { Millis } from '../../engine/numbers/units.ts';
import { Unavailable } from '../sequencer/port.ts';
import type { Services } from '../services.ts';
import { hourOf, quotedMarkets } from './plan.ts';
import { STEP_MILLIS, planStep } from './quotes.ts';
import type { QuoteState } from './quotes.ts';
import { ensureCredit } from './seed.ts';
import type { SeededMarket } from './seed.ts';

export type BotServices = Pick<Services, 'clockFollowers' | 'config' | 'directory' | 'log' | 'market' | 'sequencer'>;

const REFINANCE_EVERY = 5 * MILLIS_PER_MINUTE;
const BEHIND_MILLIS = 5_000;
/** Refusals that follow from others acting between reading and sending. */
const EXPECTED = new Set(['unknown_order', 'gate_closed', 'post_only_would_cross', 'halted', 'cancel_only']);

export class DemoBots {
  private readonly services: BotServices;
  private readonly seeded: SeededMarket;
  private readonly bots: ReadonlySet<CompanyId>;
  private acting: Promise<void> | undefined;
  private stopped = false;
  private refinancedAt: Millis = -Infinity;
  private halt: () => unknown = () => undefined;

  constructor(services: BotServices, seeded: SeededMarket) {
    this.services = services;
    this.seeded = seeded;
    this.bots = new Set([...seeded.providers.values(), ...seeded.bidders]);
  }

  /** Resolves when the market is quoted and has last prices. @throws Unavailable when the sequencer does not answer */
  async start(): Promise<void> {
    await this.step();
    await this.step();
    const { clockFollowers, config } = this.services;
    if (config.clock === 'manual') {
      const follow = (): Promise<void> => this.actOnce();
      clockFollowers.add(follow);
      this.halt = () => clockFollowers.delete(follow);
    } else {
      const timer = setInterval(() => void this.act(), STEP_MILLIS);
      this.halt = () => clearInterval(timer);
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.halt();
    await this.acting;
  }

  /** Whether somebody who is not a bot offers the running hour of one of these classes. */
  othersOffer(classes: readonly string[]): boolean {
    const { directory, market } = this.services;
    const numbers = new Set(classes.map((name) => directory.classId(name)));
    const running = hourOf(market.now);
    return this.others().some((company) =>
      market.openOrders(company).some((order) => order.side === SELL && order.hour === running && numbers.has(classOf(order.market))));
  }

  private others(): CompanyId[] {
    return this.services.directory.companies().map(({ company }) => company).filter((company) => !this.bots.has(company));
  }

  /** Acts on the time that it is now, not on that of a step under way. */
  private async actOnce(): Promise<void> {
    await this.acting;
    await this.act();
  }

  /** One step at a time; what comes during a step is left out. */
  private act(): Promise<void> {
    this.acting ??= this.step()
      .catch((error: unknown) => this.failed(error))
      .finally(() => (this.acting = undefined));
    return this.acting;
  }

  private failed(error: unknown): void {
    const level = error instanceof Unavailable ? 'debug' : 'warn';
    if (!this.stopped) this.services.log[level]({ err: error }, 'the demo bots missed a step');
  }

  private async step(): Promise<void> {
    const { sequencer } = this.services;
    const { now, committedSequence } = await sequencer.status();
    if (now - this.refinancedAt >= REFINANCE_EVERY) {
      this.refinancedAt = now;
      await Promise.all([...this.seeded.bidders, this.seeded.load].map((company) => ensureCredit(sequencer, company)));
    }
    await this.caughtUp(committedSequence);
    const batches = planStep(this.stateAt(now));
    const refusals = await Promise.all(batches.map((batch) => this.send(batch)));
    const unexpected = new Set(refusals.flat().filter((code) => !EXPECTED.has(code)));
    if (unexpected.size > 0) this.services.log.warn({ codes: [...unexpected] }, 'orders of the demo bots were refused');
  }

  /** @returns the codes of refused operations */
  private async send(command: BatchOrders): Promise<string[]> {
    const { events } = await this.services.sequencer.submit({ command, idempotencyKey: '', bodyHash: '' });
    return events.flatMap((event) => (event.kind === 'rejected' ? [event.code] : []));
  }

  /** Market data follow the commits a moment later. */
  private async caughtUp(sequence: number): Promise<void> {
    const deadline = performance.now() + BEHIND_MILLIS;
    while (this.services.market.sequence < sequence) {
      if (performance.now() > deadline) throw new Unavailable('market data are behind');
      await new Promise((resume) => setTimeout(resume, 5));
    }
  }

  private stateAt(now: Millis): QuoteState {
    const { directory, market } = this.services;
    const { providers, bidders } = this.seeded;
    const markets = quotedMarkets({
      companyId: (provider) => required(providers.get(provider), `provider ${provider}`),
      marketId: (className, region) => directory.marketId(className, region),
      listPrice: (className) => required(directory.class(directory.classId(className)), `class ${className}`).listPrice,
    });
    const others = this.bestOfOthers();
    return {
      now, markets, bidders,
      orders: [...this.bots].flatMap((company) => market.openOrders(company)),
      others: (id, hour) => others.get(`${id}:${hour}`) ?? NOBODY,
      traded: (id, hour) => market.trades(market.instrumentOf(id, hour), 1).length > 0,
    };
  }

  /** Best prices of everybody who is not a bot, by book. */
  private bestOfOthers(): Map<string, { bid: number; ask: number }> {
    const { market } = this.services;
    const best = new Map<string, { bid: number; ask: number }>();
    for (const company of this.others()) {
      for (const order of market.openOrders(company)) {
        if (order.visible === 0) continue;
        const key = `${order.market}:${order.hour}`;
        const { bid, ask } = best.get(key) ?? NOBODY;
        if (order.side === BUY) best.set(key, { bid: Math.max(bid, order.price), ask });
        else best.set(key, { bid, ask: ask === 0 ? order.price : Math.min(ask, order.price) });
      }
    }
    return best;
  }
}

const NOBODY = { bid: 0, ask: 0 } as const;

function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`${what} is not in the market`);
  return value;
}
