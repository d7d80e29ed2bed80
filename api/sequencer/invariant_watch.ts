/** Looks now and then whether the books are sound, at one invariant at a time. When one is not, all trading halts at once and says why; people decide what then. */
import { NONE } from '../../engine/vocabulary.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Sequencer } from './sequencer.ts';

/** Looks that are put off while commands wait: it takes as long as there are orders. */
const PUT_OFF_MAX = 10;
const NOBODY = 0;
/** Between the parts of one invariant. */
const PAUSE_MILLIS = 100;
const later = (look: () => void): void => void setTimeout(look, PAUSE_MILLIS).unref();

export interface InvariantWatchParts {
  engine: Pick<Engine, 'invariants' | 'checkInvariantFrom' | 'query'>;
  sequencer: Pick<Sequencer, 'submit' | 'status'>;
  say: (line: string) => void;
  /** Calls back a little later, unless given. */
  soon?: (look: () => void) => void;
}

export class InvariantWatch {
  private readonly parts: InvariantWatchParts;
  private putOff = 0;
  private halted = false;
  /** Of the invariant that is looked at next, and with which row. */
  private place = 0;
  private from = 0;

  constructor(parts: InvariantWatchParts) {
    this.parts = parts;
  }

  /** To be called as often a minute as there are invariants, between commands. */
  look(): void {
    const { engine, sequencer, say, soon = later } = this.parts;
    if (sequencer.status().queueLength > 0 && this.putOff++ < PUT_OFF_MAX) return;
    this.putOff = 0;
    const { number, name, ok, detail, next } = engine.checkInvariantFrom(this.place, this.from);
    this.from = next;
    if (next === 0) this.place = (this.place + 1) % engine.invariants;
    else soon(() => this.look());
    if (ok) return;
    const what = `invariant ${number} (${name}) does not hold: ${detail}`;
    say(what);
    if (!this.halted) this.halt(what);
  }

  private halt(reason: string): void {
    const { engine, sequencer, say } = this.parts;
    const operator = engine.query('directory', {}).companies.find(({ role }) => role === 'operator');
    if (operator === undefined) return say('there is no operator in whose name trading could be halted');
    this.halted = sequencer.submit(NOBODY, {
      command: { type: 'setTradingMode', company: operator.company, class: NONE, market: NONE, hour: NONE, mode: 'halted', reason }, idempotencyKey: '', bodyHash: '',
    });
    say('all trading is halted');
  }
}
