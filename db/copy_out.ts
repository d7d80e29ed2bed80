/** Reads what is large. COPY sends bytes as they are; a query would send them as hexadecimal text. */
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { KEEP_ALIVE } from './forgotten.ts';
import { CAUSE_COLUMNS, COLUMNS, requireRowsFrom } from './journal_reader.ts';
import type { JournalCause, JournalRow } from './journal_record.ts';

const CONNECT_MILLIS = 5_000;
/** Signature, flags and the length of an extension that is empty. */
const HEADER_BYTES = 19;
const END = -1;

/** Rows from the one that holds `sequence` (or the first after it), in order, to the end as it was at the beginning, over a connection of its own. */
export async function* copyRows(url: string, sequence: number): AsyncGenerator<JournalRow> {
  for await (const [first, last, time, epoch, rules, commands, events, hash] of copyJournal(url, COLUMNS, sequence)) {
    yield { ...numbersOf([first, last, time, epoch, rules]), commands, events, hash };
  }
}

/** As `copyRows`, without what the commands have caused, which is five parts in six. */
export async function* copyCauses(url: string, sequence: number): AsyncGenerator<JournalCause> {
  for await (const [first, last, time, epoch, rules, commands, hash] of copyJournal(url, CAUSE_COLUMNS, sequence)) {
    yield { ...numbersOf([first, last, time, epoch, rules]), commands, hash };
  }
}

async function* copyJournal(url: string, columns: string, sequence: number): AsyncGenerator<Buffer[]> {
  if (!Number.isSafeInteger(sequence)) throw new RangeError('a sequence is a whole number');
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MILLIS, ...KEEP_ALIVE });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await requireRowsFrom(client, sequence);
    const holding = `(select max(first_sequence) from journal where first_sequence <= ${sequence})`;
    yield* copyFields(client, `select ${columns} from journal where first_sequence >= coalesce(${holding}, 0) and last_sequence >= ${sequence} order by first_sequence`);
  } finally {
    await client.end();
  }
}

function numbersOf(fields: readonly Buffer[]): Pick<JournalRow, 'firstSequence' | 'lastSequence' | 'engineTime' | 'epoch' | 'rulesVersion'> {
  const [firstSequence, lastSequence, engineTime, epoch, rulesVersion] = fields.map((field) => Number(field.readBigInt64BE()));
  return { firstSequence, lastSequence, engineTime, epoch, rulesVersion };
}

/**
 * The fields of each row that a query finds, none of them null, as Postgres sends them: first how many they are,
 * then for each its length and itself; numbers are big-endian.
 */
export async function* copyFields(client: pg.Client, query: string): AsyncGenerator<Buffer[]> {
  const bytes = new Bytes(client.query(copyTo(`copy (${query}) to stdout (format binary)`)));
  await bytes.take(HEADER_BYTES);
  for (;;) {
    const count = (await bytes.take(2)).readInt16BE();
    if (count === END) return bytes.end();
    const fields: Buffer[] = [];
    while (fields.length < count) fields.push(await bytes.take((await bytes.take(4)).readInt32BE()));
    yield fields;
  }
}

/** A stream of pieces, taken in parts of any length. */
class Bytes {
  private readonly pieces: AsyncIterator<Buffer>;
  private piece: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Buffer>) {
    this.pieces = stream[Symbol.asyncIterator]();
  }

  /** Waits until the connection may be used again. */
  async end(): Promise<void> {
    while ((await this.pieces.next()).done !== true);
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
    if (done === true) throw new Error('what was copied ended within a row');
    this.piece = value;
  }
}
