/** How far the market has got, as this process has seen it. */
import type { SequencerPort } from './sequencer/port.ts';

export class Committed {
  /** Last committed sequence seen. */
  sequence = 0;
  /** Engine time of it. */
  now = 0;
  readonly stop: () => void;

  private constructor(sequencer: SequencerPort) {
    this.stop = sequencer.onCommitted((batch) => {
      this.sequence = Math.max(this.sequence, batch.lastSequence);
      this.now = Math.max(this.now, batch.now);
    });
  }

  /** A command of ours is durable; reads of its client must include it. */
  saw(sequence: number): void {
    this.sequence = Math.max(this.sequence, sequence);
  }

  static async follow(sequencer: SequencerPort): Promise<Committed> {
    const committed = new Committed(sequencer);
    const status = await sequencer.status();
    committed.sequence = Math.max(committed.sequence, status.committedSequence);
    committed.now = Math.max(committed.now, status.now);
    return committed;
  }
}
