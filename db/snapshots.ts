/** Snapshots of the engine's state: they shorten recovery, and nothing is lost when one is not usable. */
import { createHash, webcrypto } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { copyFields } from './copy_out.ts';
import { KEEP_ALIVE } from './forgotten.ts';

const KEPT = 3;
const CONNECT_MILLIS = 5_000;
const PIECE_BYTES = 1 << 18;
/** Of snapshots that are not kept, or were given up while they were written. */
const FORGET_PARTS = 'delete from snapshot_parts where sequence not in (select sequence from snapshots)';

export interface Snapshot {
  /** Of the last command it includes. */
  readonly sequence: number;
  readonly rulesVersion: number;
  /** Of the journal's row that ends with this sequence. */
  readonly journalHash: Uint8Array;
  /** As `Engine.snapshot` returns it; its SHA-256 is the state's hash. */
  readonly state: Uint8Array;
}
export interface StoredSnapshot extends Snapshot {
  /** Hexadecimal. */
  readonly stateHash: string;
}

export interface SnapshotStore {
  save(snapshot: Snapshot): Promise<void>;
  /** Newest first; one that is damaged is told as the reason why it is not. */
  newestFirst(): AsyncIterable<StoredSnapshot | { sequence: number; damage: string }>;
}

export class MemorySnapshots implements SnapshotStore {
  readonly kept: StoredSnapshot[] = [];

  async save(snapshot: Snapshot): Promise<void> {
    this.kept.unshift({ ...snapshot, stateHash: await hashOf(snapshot.state) });
    this.kept.splice(KEPT);
  }
  async *newestFirst(): AsyncIterable<StoredSnapshot> {
    for (const snapshot of this.kept) yield await Promise.resolve(snapshot);
  }
}

interface Row {
  sequence: string;
  rules_version: string;
  journal_hash: Buffer;
  state_hash: string;
  checksum: Buffer;
  state: Uint8Array<ArrayBuffer>;
}

export interface PostgresSnapshotsOptions {
  /** Bytes that are written in a second at most: whoever writes all at once keeps every commit of the journal waiting. No limit, unless given. */
  bytesPerSecond?: number;
}

/** In Postgres, each access over a connection of its own: snapshots are rare, and large. The first piece of a state stands in its row, the others apart. */
export class PostgresSnapshots implements SnapshotStore {
  private readonly url: string;
  private readonly bytesPerSecond: number;
  /** Found damaged: they are not counted among those that are kept, and go when the next is there. */
  private readonly damaged = new Set<number>();

  constructor(url: string, { bytesPerSecond = Infinity }: PostgresSnapshotsOptions = {}) {
    this.url = url;
    this.bytesPerSecond = bytesPerSecond;
  }

  async save(snapshot: Snapshot): Promise<void> {
    const stateHash = await hashOf(snapshot.state);
    const checksum = checksumOf(snapshot, stateHash);
    await this.connected(async (client) => {
      await this.saveParts(client, snapshot);
      await client.query(
        `insert into snapshots (sequence, rules_version, journal_hash, state_hash, checksum, state) values ($1, $2, $3, $4, $5, $6)
         on conflict (sequence) do update set rules_version = excluded.rules_version, journal_hash = excluded.journal_hash,
           state_hash = excluded.state_hash, checksum = excluded.checksum, state = excluded.state, taken_at = clock_timestamp()`,
        [snapshot.sequence, snapshot.rulesVersion, snapshot.journalHash, stateHash, checksum, snapshot.state.subarray(0, PIECE_BYTES)],
      );
      await requireReadable(client, snapshot.sequence, stateHash);
      // At the place of a damaged one, it has taken it.
      this.damaged.delete(snapshot.sequence);
      await client.query('delete from snapshots where sequence = any($1)', [[...this.damaged]]);
      await client.query('delete from snapshots where sequence not in (select sequence from snapshots order by sequence desc limit $1)', [KEPT]);
      await client.query(FORGET_PARTS);
    });
  }

  /** Nobody reads them before the row is there: they are made durable with it. */
  private async saveParts(client: pg.Client, { sequence, state }: Snapshot): Promise<void> {
    await client.query(`${FORGET_PARTS} or sequence = ${Number(sequence)}`);
    if (state.length <= PIECE_BYTES) return;
    const begun = performance.now();
    await client.query('set synchronous_commit = off');
    for (let part = 1; part * PIECE_BYTES < state.length; part++) {
      const bytes = state.subarray(part * PIECE_BYTES, (part + 1) * PIECE_BYTES);
      await client.query({ name: 'part', text: 'insert into snapshot_parts (sequence, part, bytes) values ($1, $2, $3)', values: [sequence, part, bytes] });
      const early = begun + (part * PIECE_BYTES * 1000) / this.bytesPerSecond - performance.now();
      if (early > 0) await sleep(early);
    }
    await client.query('set synchronous_commit = on');
  }

  async *newestFirst(): AsyncIterable<StoredSnapshot | { sequence: number; damage: string }> {
    const list = await this.connected((client) => client.query<{ sequence: string }>('select sequence from snapshots order by sequence desc'));
    for (const { sequence } of list.rows) {
      const row = await this.connected((client) => readRow(client, sequence));
      if (row === undefined) continue;
      const found = await checked(row);
      if ('damage' in found) this.damaged.add(found.sequence);
      yield found;
    }
  }

  private async connected<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client({ connectionString: this.url, connectionTimeoutMillis: CONNECT_MILLIS, ...KEEP_ALIVE });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }
}

async function readRow(client: pg.Client, sequence: string): Promise<Row | undefined> {
  const { rows } = await client.query<Omit<Row, 'state'>>('select sequence, rules_version, journal_hash, state_hash, checksum from snapshots where sequence = $1', [sequence]);
  if (rows.length === 0) return undefined;
  return { ...rows[0], state: await readState(client, sequence) };
}

/** The pieces in their order. */
async function* piecesOf(client: pg.Client, sequence: string | number): AsyncGenerator<Buffer> {
  for await (const [piece] of copyFields(client, `select state from snapshots where sequence = ${Number(sequence)}`)) yield piece;
  for await (const [piece] of copyFields(client, `select bytes from snapshot_parts where sequence = ${Number(sequence)} order by part`)) yield piece;
}

async function readState(client: pg.Client, sequence: string): Promise<Uint8Array<ArrayBuffer>> {
  const { rows } = await client.query<{ bytes: string }>(
    `select (select length(state) from snapshots where sequence = $1) + (select coalesce(sum(length(bytes)), 0) from snapshot_parts where sequence = $1) as bytes`, [sequence],
  );
  const state = new Uint8Array(Number(rows[0].bytes));
  let at = 0;
  for await (const piece of piecesOf(client, sequence)) {
    // What does not fit has been written since: the hash will tell.
    if (at + piece.length <= state.length) state.set(piece, at);
    at += piece.length;
  }
  return state;
}

/** What was written is read back before an older one goes for it. @throws Error when it is not what it was */
async function requireReadable(client: pg.Client, sequence: number, stateHash: string): Promise<void> {
  const hash = createHash('sha256');
  for await (const piece of piecesOf(client, sequence)) hash.update(piece);
  if (hash.digest('hex') === stateHash) return;
  await client.query('delete from snapshots where sequence = $1', [sequence]);
  throw new Error(`the snapshot at ${sequence} is not read as it was written`);
}

async function checked(row: Row): Promise<StoredSnapshot | { sequence: number; damage: string }> {
  const snapshot = { sequence: Number(row.sequence), rulesVersion: Number(row.rules_version), journalHash: row.journal_hash, state: row.state };
  const { sequence } = snapshot;
  if ((await hashOf(row.state)) !== row.state_hash) return { sequence, damage: 'its state does not match its hash' };
  if (Buffer.compare(checksumOf(snapshot, row.state_hash), row.checksum) !== 0) return { sequence, damage: 'its checksum does not match' };
  return { ...snapshot, stateHash: row.state_hash };
}

function checksumOf({ sequence, rulesVersion, journalHash }: Omit<Snapshot, 'state'>, stateHash: string): Buffer {
  return createHash('sha256').update(`${sequence} ${rulesVersion} ${stateHash} `).update(journalHash).digest();
}

/** Off this thread: a state is large. */
async function hashOf(state: Uint8Array): Promise<string> {
  return Buffer.from(await webcrypto.subtle.digest('SHA-256', state as Uint8Array<ArrayBuffer>)).toString('hex');
}
