/**
 * Tells the engine what hours are worth: the mark of each hour that has its own trades, and the index of each class that has
 * one. What a lender counts as collateral rests on them; the engine itself sees no market data of the past.
 */
import { MILLIS_PER_MINUTE } from '../../engine/numbers/units.ts';
import type { SetMarks } from '../../engine/commands.ts';
import { Rounds } from '../rounds.ts';
import { eventOf } from '../sequencer/port.ts';
import type { Services } from '../services.ts';

type Means = Pick<Services, 'clockFollowers' | 'directory' | 'log' | 'market' | 'sequencer'>;

/** Looks each minute. */
export class Marks extends Rounds {
  private readonly services: Means;
  private told = '';

  constructor(services: Means) {
    super({ everyMillis: MILLIS_PER_MINUTE, clockFollowers: services.clockFollowers, failed: (error) => services.log.error({ err: error }, 'marks could not be told') });
    this.services = services;
  }

  /** Nothing, when nothing has changed since. */
  protected async round(): Promise<void> {
    const { sequencer, log } = this.services;
    const command = this.marks();
    const text = JSON.stringify(command);
    const first = this.told === '' && command.classes.length + command.hours.length === 0;
    if (text === this.told || first) return;
    const rejected = eventOf((await sequencer.submit({ command, idempotencyKey: '', bodyHash: '' })).events, 'rejected');
    if (rejected === undefined) this.told = text;
    else log.warn({ code: rejected.code }, 'marks were refused');
  }

  private marks(): SetMarks {
    const { directory, market } = this.services;
    const classes = directory.classes().flatMap(({ class: id }) => {
      const { price } = market.index(id);
      return price === null ? [] : [{ class: id, price }];
    });
    const hours = directory.markets().flatMap((id) => market.curve(id).flatMap(({ instrument, mark }) => (mark.source === 'trades' ? [{ market: id, hour: instrument.hour, price: mark.price }] : [])));
    return { type: 'setMarks', classes, hours };
  }
}
