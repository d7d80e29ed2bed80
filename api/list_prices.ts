/**
 * The weekly recomputation of list prices: a formula over the published offers, never a person's
 * number. Whenever no announced price is pending for a class, the next one is computed and announced;
 * it takes effect after seven days, so a class has a new price every week.
 */
import { publishedOffers } from '../db/queries/published_offers.ts';
import { listInputs, listPrice } from '../db/seed/list_price.ts';
import { LIST_PRICE_NOTICE } from '../engine/registry.ts';
import { MILLIS_PER_MINUTE } from '../engine/numbers/units.ts';
import { Unavailable, eventOf } from './sequencer/port.ts';
import type { Services } from './services.ts';

type Means = Pick<Services, 'clockFollowers' | 'committed' | 'database' | 'directory' | 'log' | 'sequencer'>;

export class ListPrices {
  private readonly services: Means;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private readonly follow = (): Promise<void> => this.run();

  constructor(services: Means) {
    this.services = services;
  }

  /** Looks now, each minute, and whenever a manual clock has been moved. */
  async start(): Promise<void> {
    this.services.clockFollowers.add(this.follow);
    this.timer = setInterval(() => void this.run(), MILLIS_PER_MINUTE);
    this.timer.unref();
    await this.run();
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    this.services.clockFollowers.delete(this.follow);
    await this.running;
  }

  /** Announces what is due. What fails is tried again a minute later. */
  run(): Promise<void> {
    this.running ??= this.announce()
      .catch((error: unknown) => {
        if (!(error instanceof Unavailable)) this.services.log.error({ err: error }, 'list prices could not be announced');
      })
      .finally(() => {
        this.running = undefined;
      });
    return this.running;
  }

  private async announce(): Promise<void> {
    const { committed, database, directory, log, sequencer } = this.services;
    const due = directory.classes().filter(({ next }) => next === null);
    if (due.length === 0) return;
    const offers = await publishedOffers(database);
    // A minute is left for the command to arrive: the notice is at least seven whole days.
    const effectiveAt = (Math.ceil((committed.now + LIST_PRICE_NOTICE) / MILLIS_PER_MINUTE) + 1) * MILLIS_PER_MINUTE;
    for (const { class: classId, name } of due) {
      const inputs = listInputs(offers, name);
      // Without a published offer the class keeps the price it has.
      if (inputs.length === 0) continue;
      const command = { type: 'setListPrice', class: classId, price: listPrice(inputs), effectiveAt, inputs } as const;
      const ack = await sequencer.submit({ command, idempotencyKey: `list_price:${classId}:${effectiveAt}`, bodyHash: '' });
      const rejected = eventOf(ack.events, 'rejected');
      if (rejected !== undefined) log.warn({ class: name, code: rejected.code }, 'a list price was refused');
    }
  }
}
