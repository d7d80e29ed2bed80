/**
 * Most events of a stream are alike but for a few letters of text. One that was read and found right
 * vouches for every other that has the same bytes before and after its text: that need not be read, and
 * goes on as the bytes that came.
 */
import { lettersOf, textOf } from './sse.ts';

/** What a JSON string cannot hold as it is, or holds in another spelling. */
const NOT_PLAIN = /["\\\p{Cc}]/u;
const PLAIN_ASCII = /^[ !#-[\]-~]*$/;
/** What bytes that are no text are read as. */
const UNREADABLE = '\uFFFD';

export class SameButText {
  /** Of the text: the choice to which it belongs. */
  private choice = 0;
  private before = '';
  private after = '';

  /** @param event one that may go on as it came, all of whose text is `text`, without the empty line after it */
  learn(event: string, { choice, text }: { choice: number; text: string }): void {
    const quoted = `"${text}"`;
    const at = event.indexOf(quoted);
    // Text that is spelled otherwise, or that stands there twice, teaches nothing.
    if (at === -1 || NOT_PLAIN.test(text) || event.indexOf(quoted, at + 1) !== -1) return;
    this.choice = choice;
    this.before = lettersOf(event.slice(0, at + 1));
    this.after = lettersOf(`${event.slice(at + 1 + text.length)}\n\n`);
  }

  /**
   * Reads events like the one that was learned from, as long as they follow each other.
   * @param letters the bytes of a stream, one letter each
   * @returns where they end; `from` when there are none
   */
  skim(letters: string, from: number, tell: (choice: number, text: string) => void): number {
    const { before, after } = this;
    if (before === '') return from;
    for (let at = from; ; ) {
      const begin = at + before.length;
      // Cut out and compared as a whole, it costs a quarter of what `startsWith` does.
      if (letters.slice(at, begin) !== before) return at;
      const end = letters.indexOf(after, begin);
      const text = end === -1 ? undefined : plainText(letters.slice(begin, end));
      if (text === undefined) return at;
      tell(this.choice, text);
      at = end + after.length;
    }
  }
}

/** undefined for what is spelled otherwise, or is no text. */
function plainText(letters: string): string | undefined {
  if (PLAIN_ASCII.test(letters)) return letters;
  const text = textOf(letters);
  return NOT_PLAIN.test(text) || text.includes(UNREADABLE) ? undefined : text;
}
