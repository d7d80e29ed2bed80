/**
 * Most events of a stream are alike but for a few letters of text. One that was read and found right
 * vouches for every other that has the same bytes before and after its text: that need not be read.
 */
/** What a JSON string cannot hold as it is, or holds in another spelling. */
const NOT_PLAIN = /["\\\p{Cc}]/u;

export class SameButText {
  /** Of the text: the choice to which it belongs. */
  choice = 0;
  private before = '';
  private after = '';

  /** @param data an event that may go on as it came, all of whose text is `text` */
  learn(data: string, { choice, text }: { choice: number; text: string }): void {
    const quoted = `"${text}"`;
    const at = data.indexOf(quoted);
    // Text that is spelled otherwise, or that stands there twice, teaches nothing.
    if (at === -1 || NOT_PLAIN.test(text) || data.indexOf(quoted, at + 1) !== -1) return;
    this.choice = choice;
    this.before = data.slice(0, at + 1);
    this.after = data.slice(at + 1 + text.length);
  }

  /** The text of an event like the one that was learned from; undefined when it must be read. */
  textIn(data: string): string | undefined {
    const { before, after } = this;
    if (before === '' || data.length < before.length + after.length || !data.startsWith(before) || !data.endsWith(after)) return undefined;
    const text = data.slice(before.length, data.length - after.length);
    return NOT_PLAIN.test(text) ? undefined : text;
  }
}
