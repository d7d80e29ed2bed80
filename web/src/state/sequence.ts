/** Where one subscription stands in its gap-free sequence. */
export type Verdict = 'apply' | 'ignore' | 'gap';

export interface Sequenced {
  type: 'snapshot' | 'update';
  seq: number;
  prev_seq: number | null;
}

export class SequenceTracker {
  /** The last message applied; undefined before the first snapshot. */
  seq: number | undefined;

  /** What to do with a message. A snapshot always restarts the sequence. */
  judge(message: Sequenced): Verdict {
    if (message.type === 'snapshot') {
      this.seq = message.seq;
      return 'apply';
    }
    if (this.seq === undefined || message.seq <= this.seq) return 'ignore';
    if (message.prev_seq !== this.seq) return 'gap';
    this.seq = message.seq;
    return 'apply';
  }

  forget(): void {
    this.seq = undefined;
  }
}
