/** Lines of text in and out of a stream, many at a time: one read or write for each would be most of the time. */
import { isUtf8 } from 'node:buffer';
import type { Readable, Writable } from 'node:stream';

const CHUNK_CHARACTERS = 1 << 17;
const BYTE_ORDER_MARK = 0xfeff;
const NEWLINE = 0x0a;
/** No operation is near it: what has a longer line is another file. */
const LINE_BYTES_MAX = 1 << 26;

/**
 * Calls `take` with each line, numbered from 1, or with undefined where its bytes are not UTF-8; `pause` is awaited between the
 * pieces that arrive.
 * @throws Error naming the line that is too long
 */
export async function eachLine(input: Readable, take: (text: string | undefined, line: number) => void, pause: () => Promise<void>): Promise<void> {
  let line = 0;
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  const run = (text: string): void => {
    line++;
    take(line === 1 && text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text, line);
  };
  const runAll = (bytes: Buffer): void => {
    if (isUtf8(bytes)) return bytes.toString().split('\n').forEach(run);
    for (let from = 0; from <= bytes.length;) {
      const end = bytes.indexOf(NEWLINE, from);
      const piece = bytes.subarray(from, end < 0 ? bytes.length : end);
      if (isUtf8(piece)) run(piece.toString());
      else take(undefined, ++line);
      from += piece.length + 1;
    }
  };
  for await (const given of input) {
    const chunk = typeof given === 'string' ? Buffer.from(given) : (given as Buffer);
    const end = chunk.lastIndexOf(NEWLINE);
    if (end >= 0) {
      runAll(Buffer.concat([...waiting, chunk.subarray(0, end)]));
      waiting = [];
      waitingBytes = 0;
    }
    const rest = chunk.subarray(end + 1);
    waiting.push(rest);
    waitingBytes += rest.length;
    if (waitingBytes > LINE_BYTES_MAX) throw new Error(`line ${line + 1}: longer than ${LINE_BYTES_MAX} bytes`);
    await pause();
  }
  if (waitingBytes > 0) runAll(Buffer.concat(waiting));
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

  /** Hands on what has gathered once it is much. */
  async pace(): Promise<void> {
    if (this.chunk.length >= CHUNK_CHARACTERS) await this.flush();
  }

  /** Resolves when all is written: a reader that is behind is waited for. */
  async flush(): Promise<void> {
    const text = this.chunk;
    this.chunk = '';
    if (text !== '') await new Promise<void>((resolve, reject) => this.output.write(text, (error) => (error ? reject(error) : resolve())));
  }
}
