/**
 * Reads long stretches of the journal, over a connection of its own. COPY sends the bytes as they are; a
 * query would send them as hexadecimal text.
 */
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { COLUMNS } from './journal_reader.ts';
import type { JournalRow } from './journal_record.ts';

const CONNECT_MILLIS = 5_000;
/** Signature, flags and the length of an extension that is empty. */
const HEADER_BYTES = 19;
const END = -1;

/** Rows from the one that holds `sequence` (or the first after it), in order, to the end as it was at the beginning. */
export async function* copyRows(url: string, sequence: number): AsyncGenerator<JournalRow> {
  if (!Number.isSafeInteger(sequence)) throw new RangeError('a sequence is a whole number');
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MILLIS });
  client.on('error', () => undefined);
  await client.connect();
  try {
    yield* rowsOf(new Bytes(client.query(copyTo(
      `copy (select ${COLUMNS} from journal
        where first_sequence >= coalesce((select max(first_sequence) from journal where first_sequence <= ${sequence}), 0) and last_sequence >= ${sequence}
        order by first_sequence) to stdout (format binary)`,
    ))));
  } finally {
    await client.end();
  }
}

/** As Postgres documents it: for each row the number of its fields, then for each its length and itself; numbers are big-endian. */
async function* rowsOf(bytes: Bytes): AsyncGenerator<JournalRow> {
  await bytes.take(HEADER_BYTES);
  while ((await bytes.take(2)).readInt16BE() !== END) {
    const number = async (): Promise<number> => Number((await bytes.field()).readBigInt64BE());
    yield {
      firstSequence: await number(), lastSequence: await number(), engineTime: await number(), epoch: await number(), rulesVersion: await number(),
      commands: await bytes.field(), events: await bytes.field(), hash: await bytes.field(),
    };
  }
}

/** A stream of pieces, taken in parts of any length. */
class Bytes {
  private readonly pieces: AsyncIterator<Buffer>;
  private piece: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Buffer>) {
    this.pieces = stream[Symbol.asyncIterator]();
  }

  async field(): Promise<Buffer> {
    return this.take((await this.take(4)).readInt32BE());
  }

  /** @throws Error when it ends before */
  async take(count: number): Promise<Buffer> {
    if (count <= this.piece.length) return this.cut(count);
    const whole = Buffer.allocUnsafeSlow(count);
    for (let at = 0; at < count; ) {
      if (this.piece.length === 0) await this.next();
      at += this.cut(count - at).copy(whole, at);
    }
    return whole;
  }

  private cut(count: number): Buffer {
    const part = this.piece.subarray(0, count);
    this.piece = this.piece.subarray(count);
    return part;
  }

  private async next(): Promise<void> {
    const { done, value } = await this.pieces.next();
    if (done === true) throw new Error('the journal ended within a row');
    this.piece = value;
  }
}
