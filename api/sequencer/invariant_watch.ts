/**
 * Looks now and then whether the books are sound, at one invariant at a time. When one is not, all trading halts at once and says why; people decide what then.
 * What goes through all of a large market in one look is left, while commands come, to who takes snapshots, beside the market.
 */
import { NONE } from '../../engine/vocabulary.ts';
import type { Engine } from '../../engine/engine.ts';
import type { InvariantCheck } from '../../engine/queries.ts';
import type { Sequencer } from './sequencer.ts';

/** Looks that are put off while commands wait: it takes as long as there are orders. */
const PUT_OFF_MAX = 10;
/** Rows that take some milliseconds. */
const WALKED_MAX = 20_000;
/** Commands between two looks, some seconds, from which on snapshots come often enough. */
const MANY_COMMANDS = 1_000;
const NOBODY = 0;
/** Between the parts of one invariant. */
const PAUSE_MILLIS = 100;
const later = (look: () => void): void => void setTimeout(look, PAUSE_MILLIS).unref();

export interface InvariantWatchParts {
  engine: Pick<Engine, 'invariants' | 'checkInvariantFrom' | 'walkedAtOnce' | 'query'>;
  sequencer: Pick<Sequencer, 'submit' | 'status'>;
  say: (line: string) => void;
  /** Calls back a little later, unless given. */
  soon?: (look: () => void) => void;
}

/** @throws Unsound when one of them does not hold */
export function requireSound(engine: Pick<Engine, 'checkInvariants'>): void {
  const broken = engine.checkInvariants().find(({ ok }) => !ok);
  if (broken !== undefined) throw new Unsound(whatIsBroken(broken));
}

/** An invariant does not hold. */
export class Unsound extends Error {}

const whatIsBroken = ({ number, name, detail }: InvariantCheck): string => `invariant ${number} (${name}) does not hold: ${detail}`;

export class InvariantWatch {
  private readonly parts: InvariantWatchParts;
  private putOff = 0;
  private halted = false;
  /** Of the invariant that is looked at next, and with which row. */
  private place = 0;
  private from = 0;
  /** The last command before the last look. */
  private seen = 0;

  constructor(parts: InvariantWatchParts) {
    this.parts = parts;
  }

  /** To be called as often a minute as there are invariants, between commands. */
  look(): void {
    const { engine, sequencer, soon = later } = this.parts;
    const { queueLength, sequence } = sequencer.status();
    if (queueLength > 0 && this.putOff++ < PUT_OFF_MAX) return;
    this.putOff = 0;
    const isBusy = sequence - this.seen >= MANY_COMMANDS;
    this.seen = sequence;
    if (isBusy && engine.walkedAtOnce(this.place) > WALKED_MAX) return this.goOn();
    const check = engine.checkInvariantFrom(this.place, this.from);
    this.from = check.next;
    if (check.next === 0) this.goOn();
    else soon(() => this.look());
    if (!check.ok) this.found(whatIsBroken(check));
  }

  /** To be called when one does not hold, by whoever has found it. */
  found(what: string): void {
    this.parts.say(what);
    if (!this.halted) this.halt(what);
  }

  private goOn(): void {
    this.place = (this.place + 1) % this.parts.engine.invariants;
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
