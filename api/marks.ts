/**
 * Tells the engine what hours are worth: the mark of each hour that has its own trades, and the index of each class that has
 * one. What a lender counts as collateral rests on them; the engine itself sees no market data of the past.
 */
import { MILLIS_PER_MINUTE } from '../engine/numbers/units.ts';
import type { SetMarks } from '../engine/commands.ts';
import { Unavailable, eventOf } from './sequencer/port.ts';
import type { Services } from './services.ts';

type Means = Pick<Services, 'clockFollowers' | 'directory' | 'log' | 'market' | 'sequencer'>;

export class Marks {
  private readonly services: Means;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private told = '';
  private readonly follow = (): Promise<void> => this.run();

  constructor(services: Means) {
    this.services = services;
  }

  /** Looks each minute, and whenever a manual clock has been moved. */
  start(): void {
    this.services.clockFollowers.add(this.follow);
    this.timer = setInterval(() => void this.run(), MILLIS_PER_MINUTE);
    this.timer.unref();
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    this.services.clockFollowers.delete(this.follow);
    await this.running;
  }

  run(): Promise<void> {
    this.running ??= this.tell()
      .catch((error: unknown) => {
        if (!(error instanceof Unavailable)) this.services.log.error({ err: error }, 'marks could not be told');
      })
      .finally(() => {
        this.running = undefined;
      });
    return this.running;
  }

  /** Nothing, when nothing has changed since. */
  private async tell(): Promise<void> {
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
