/**
 * The weekly recomputation of list prices: a formula over the published offers, never a person's
 * number. Whenever no announced price is pending for a class, the next one is computed and announced;
 * it takes effect after seven days, so a class has a new price every week.
 */
import { publishedOffers } from '../../db/queries/published_offers.ts';
import { listInputs, listPrice } from '../../db/seed/list_price.ts';
import { LIST_PRICE_NOTICE } from '../../engine/registry.ts';
import { MILLIS_PER_MINUTE } from '../../engine/numbers/units.ts';
import { Rounds } from '../rounds.ts';
import { eventOf } from '../sequencer/port.ts';
import type { Services } from '../services.ts';

type Means = Pick<Services, 'clockFollowers' | 'committed' | 'database' | 'directory' | 'log' | 'sequencer'>;

/** Announces each minute what is due. */
export class ListPrices extends Rounds {
  private readonly services: Means;

  constructor(services: Means) {
    super({ everyMillis: MILLIS_PER_MINUTE, clockFollowers: services.clockFollowers, failed: (error) => services.log.error({ err: error }, 'list prices could not be announced') });
    this.services = services;
  }

  protected async round(): Promise<void> {
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
