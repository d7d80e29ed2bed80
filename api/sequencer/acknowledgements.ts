/** What callers are told of a committed batch, as it travels: for each command WORDS_PER_ACKNOWLEDGEMENT numbers. */
import { WORDS_PER_ACKNOWLEDGEMENT } from './messages.ts';

export class Acknowledgements {
  private words = new Float64Array(64 * WORDS_PER_ACKNOWLEDGEMENT);
  private length = 0;

  /** A command's place in its batch: its events are words from..to, without the leading `command`. remaining: of a capture, the credit its company has left, micro-CR; else NOT_TOLD. */
  add(id: number, sequence: number, from: number, to: number, remaining: number): void {
    if (this.length === this.words.length) {
      const grown = new Float64Array(2 * this.words.length);
      grown.set(this.words);
      this.words = grown;
    }
    const { words } = this;
    let at = this.length;
    words[at++] = id;
    words[at++] = sequence;
    words[at++] = from;
    words[at++] = to;
    words[at++] = remaining;
    this.length = at;
  }

  packed(): Float64Array<ArrayBuffer> {
    return this.words.slice(0, this.length);
  }
}
