/** How far the market has got, as this process has seen it. */
import type { SequencerPort } from './sequencer/port.ts';

export class Committed {
  /** Last committed sequence seen. */
  sequence = 0;
  /** Engine time of it. */
  now = 0;
  readonly stop: () => void;
  /** Asks the engine; absent where nobody else's commands can be acknowledged before they are seen here. */
  private readonly ask: (() => Promise<number>) | undefined;
  private asking: Promise<number> = Promise.resolve(0);
  private next: Promise<number> | undefined;

  private constructor(sequencer: SequencerPort, ask: (() => Promise<number>) | undefined) {
    this.ask = ask;
    this.stop = sequencer.onCommitted((batch) => {
      this.sequence = Math.max(this.sequence, batch.lastSequence);
      this.now = Math.max(this.now, batch.now);
    });
  }

  /** A command of ours is durable; reads of its client must include it. */
  saw(sequence: number): void {
    this.sequence = Math.max(this.sequence, sequence);
  }

  /**
   * The last sequence that was acknowledged anywhere before the call: what the caller may have seen, though it
   * was told by another process. All who call while one question is under way share the next. @throws Unavailable
   */
  async present(): Promise<number> {
    const { ask } = this;
    if (ask === undefined) return this.sequence;
    this.next ??= this.asking.catch(() => 0).then(() => {
      this.next = undefined;
      return (this.asking = ask());
    });
    return Math.max(this.sequence, await this.next);
  }

  /** @param shared other processes give the engine commands too */
  static async follow(sequencer: SequencerPort, { shared = false } = {}): Promise<Committed> {
    const committed = new Committed(sequencer, shared ? async () => (await sequencer.status()).committedSequence : undefined);
    const status = await sequencer.status();
    committed.sequence = Math.max(committed.sequence, status.committedSequence);
    committed.now = Math.max(committed.now, status.now);
    return committed;
  }
}
