/**
 * How far the market has come, noted outside of its database: in a file of DATA_DIR, once a second. The
 * database's own high-water mark goes back with the database; this one notices when an older backup
 * was restored, or another history. A market without the file begins one.
 */
import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { KEEP_ALIVE } from '../../db/forgotten.ts';
import { JournalCorrupt } from '../../db/journal_record.ts';
import type { Journal } from '../../db/journal_record.ts';

export interface Mark {
  /** Of the last command that was durable. */
  sequence: number;
  /** Of the row that ends with it, hexadecimal. */
  hash: string;
  /** RFC 3339. */
  at: string;
}

/** The end of a journal, as its leader knows it. */
export type MarkedJournal = Pick<Journal, 'rowOf'> & { readonly lastSequence: number; readonly headHash: Uint8Array };

const CONNECT_MILLIS = 5_000;
export const KEEP_MILLIS = 1_000;

export class JournalMark {
  readonly file: string;
  private readonly say: (line: string) => void;
  private told = false;
  /** What is being noted, and whether something waits for it. */
  private noting: Promise<void> = Promise.resolve();
  private waits = false;

  /** @param name of the exchange that the journal belongs to: a folder may have served several */
  constructor(folder: string, name: string, say: (line: string) => void) {
    this.file = join(folder, `journal_mark_${name}.json`);
    this.say = say;
  }

  static async open(folder: string, url: string, say: (line: string) => void): Promise<JournalMark> {
    mkdirSync(folder, { recursive: true });
    return new JournalMark(folder, await nameOfExchange(url), say);
  }

  /** undefined: there is none, or none that can be read. */
  read(): Mark | undefined {
    try {
      return markIn(readFileSync(this.file, 'utf8'));
    } catch {
      return undefined;
    }
  }

  /**
   * @param accepted the sequence at which an operator says that the market is to go on although it had come further
   * @throws JournalCorrupt when the journal is older than the mark, or another than the one that was marked
   */
  async check(journal: MarkedJournal, accepted: number | undefined): Promise<void> {
    const mark = this.read();
    if (mark === undefined) return;
    const { lastSequence } = journal;
    const way = `To go on from ${lastSequence} all the same, start once with ACCEPT_JOURNAL_END=${lastSequence}`;
    if (lastSequence < mark.sequence) {
      if (accepted === lastSequence) return this.give(mark, lastSequence);
      throw new JournalCorrupt(lastSequence + 1, `it ends at ${lastSequence}; on ${mark.at} this market had come to ${mark.sequence} (${this.file}), so an older database was restored. ${way}`);
    }
    const row = await journal.rowOf(mark.sequence);
    if (row === undefined || (row.lastSequence === mark.sequence && Buffer.from(row.hash).toString('hex') === mark.hash)) return;
    if (accepted === lastSequence) return this.give(mark, lastSequence);
    throw new JournalCorrupt(row.firstSequence, `it is not what this market had at ${mark.sequence} on ${mark.at} (${this.file}): an older database was restored and went on. ${way}`);
  }

  /**
   * Notes the end of the journal, as it is when its turn comes; never goes back. Not in the market's own thread: where a disk is busy with
   * commits, a file that takes another's place may wait as long as several of them.
   */
  keep(journal: MarkedJournal): Promise<void> {
    if (this.waits) return this.noting;
    this.waits = true;
    this.noting = this.noting.then(() => {
      this.waits = false;
      return this.note(journal);
    });
    return this.noting;
  }

  /** The old mark stays beside the new one: what was given up can be named. */
  private give(mark: Mark, lastSequence: number): void {
    this.say(`going on at ${lastSequence} as ACCEPT_JOURNAL_END says; given up: ${lastSequence + 1} to ${mark.sequence}`);
    renameSync(this.file, `${this.file}.${mark.sequence}`);
  }

  private async note({ lastSequence, headHash }: MarkedJournal): Promise<void> {
    const mark: Mark = { sequence: lastSequence, hash: Buffer.from(headHash).toString('hex'), at: new Date().toISOString() };
    const known = markIn(await readFile(this.file, 'utf8').catch(() => ''));
    if (lastSequence <= (known?.sequence ?? 0)) return;
    try {
      await writeFile(`${this.file}.new`, `${JSON.stringify(mark)}\n`);
      await rename(`${this.file}.new`, this.file);
      this.told = false;
    } catch (error) {
      if (!this.told) this.say(`how far the market has come cannot be noted in ${this.file}: ${error instanceof Error ? error.message : String(error)}`);
      this.told = true;
    }
  }
}

/** undefined: the text tells none. */
function markIn(text: string): Mark | undefined {
  try {
    const { sequence, hash, at } = JSON.parse(text) as Partial<Mark>;
    return Number.isSafeInteger(sequence) && typeof hash === 'string' && typeof at === 'string' ? { sequence: sequence ?? 0, hash, at } : undefined;
  } catch {
    return undefined;
  }
}

/** A restored copy has the same name as what it is a copy of. */
async function nameOfExchange(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MILLIS, ...KEEP_ALIVE });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(`select substr(encode(sha256(secret), 'hex'), 1, 12) as name from cluster_secret`);
    return rows[0].name;
  } finally {
    await client.end();
  }
}
