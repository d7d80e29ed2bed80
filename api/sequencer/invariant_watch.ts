/** Looks now and then whether the books are sound. When they are not, all trading halts at once and says why; people decide what then. */
import { NONE } from '../../engine/commands.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Sequencer } from './sequencer.ts';

/** Looks that are put off while commands wait: it takes as long as there are orders. */
const PUT_OFF_MAX = 10;
const NOBODY = 0;

export interface InvariantWatchParts {
  engine: Pick<Engine, 'checkInvariants' | 'query'>;
  sequencer: Pick<Sequencer, 'submit' | 'status'>;
  say: (line: string) => void;
}

export class InvariantWatch {
  private readonly parts: InvariantWatchParts;
  private putOff = 0;
  private halted = false;

  constructor(parts: InvariantWatchParts) {
    this.parts = parts;
  }

  /** To be called about once a minute, between commands. */
  look(): void {
    const { engine, sequencer, say } = this.parts;
    if (sequencer.status().queueLength > 0 && this.putOff++ < PUT_OFF_MAX) return;
    this.putOff = 0;
    const broken = engine.checkInvariants().filter(({ ok }) => !ok);
    if (broken.length === 0) return;
    const what = broken.map(({ number, name, detail }) => `invariant ${number} (${name}) does not hold: ${detail}`);
    for (const line of what) say(line);
    if (!this.halted) this.halt(what[0]);
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
