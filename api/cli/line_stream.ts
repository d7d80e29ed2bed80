/** Lines of text in and out of a stream, many at a time: one read or write for each would be most of the time. */
import { StringDecoder } from 'node:string_decoder';
import type { Readable, Writable } from 'node:stream';

const CHUNK_CHARACTERS = 1 << 17;
const BYTE_ORDER_MARK = 0xfeff;

/** Calls `take` with each line, numbered from 1; `pause` is awaited between the pieces that arrive. */
export async function eachLine(input: Readable, take: (text: string, line: number) => void, pause: () => Promise<void>): Promise<void> {
  const decoder = new StringDecoder('utf8');
  let line = 0;
  let rest = '';
  const run = (text: string): void => {
    line++;
    take(line === 1 && text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text, line);
  };
  for await (const chunk of input) {
    const text = rest + (typeof chunk === 'string' ? chunk : decoder.write(chunk as Buffer));
    let from = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      run(text.slice(from, end));
      from = end + 1;
    }
    rest = text.slice(from);
    await pause();
  }
  rest += decoder.end();
  if (rest !== '') run(rest);
}

export class LineWriter {
  private readonly output: Writable;
  private chunk = '';

  constructor(output: Writable) {
    this.output = output;
  }

  write(line: string): void {
    this.chunk += line;
    this.chunk += '\n';
  }

  /** Hands on what has gathered once it is much, and waits while the reader is behind. */
  async pace(): Promise<void> {
    if (this.chunk.length >= CHUNK_CHARACTERS) await this.flush();
  }

  async flush(): Promise<void> {
    const text = this.chunk;
    this.chunk = '';
    if (text !== '' && !this.output.write(text)) await new Promise((resolve) => this.output.once('drain', resolve));
  }
}
