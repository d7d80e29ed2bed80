/** Snapshots of the engine's state: they shorten recovery, and nothing is lost when one is not usable. */
import { createHash, webcrypto } from 'node:crypto';
import pg from 'pg';
import { copyFields } from './copy_out.ts';

const KEPT = 3;
const CONNECT_MILLIS = 5_000;

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

/** In Postgres, each access over a connection of its own: snapshots are rare, and large. */
export class PostgresSnapshots implements SnapshotStore {
  private readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  async save(snapshot: Snapshot): Promise<void> {
    const stateHash = await hashOf(snapshot.state);
    const checksum = checksumOf(snapshot, stateHash);
    await this.connected(async (client) => {
      await client.query(
        `insert into snapshots (sequence, rules_version, journal_hash, state_hash, checksum, state) values ($1, $2, $3, $4, $5, $6)
         on conflict (sequence) do update set rules_version = excluded.rules_version, journal_hash = excluded.journal_hash,
           state_hash = excluded.state_hash, checksum = excluded.checksum, state = excluded.state, taken_at = clock_timestamp()`,
        [snapshot.sequence, snapshot.rulesVersion, snapshot.journalHash, stateHash, checksum, snapshot.state],
      );
      await requireReadable(client, snapshot.sequence, stateHash);
      await client.query('delete from snapshots where sequence not in (select sequence from snapshots order by sequence desc limit $1)', [KEPT]);
    });
  }

  async *newestFirst(): AsyncIterable<StoredSnapshot | { sequence: number; damage: string }> {
    const list = await this.connected((client) => client.query<{ sequence: string }>('select sequence from snapshots order by sequence desc'));
    for (const { sequence } of list.rows) {
      const row = await this.connected((client) => readRow(client, sequence));
      if (row !== undefined) yield await checked(row);
    }
  }

  private async connected<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client({ connectionString: this.url, connectionTimeoutMillis: CONNECT_MILLIS });
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
  for await (const [state] of copyFields(client, `select state from snapshots where sequence = ${Number(sequence)}`)) return { ...rows[0], state: new Uint8Array(state.buffer as ArrayBuffer, state.byteOffset, state.length) };
  return undefined;
}

/** What was written is read back, where it lies, before an older one goes for it. @throws Error when it is not what it was */
async function requireReadable(client: pg.Client, sequence: number, stateHash: string): Promise<void> {
  const { rows } = await client.query<{ found: string }>(`select encode(sha256(state), 'hex') as found from snapshots where sequence = $1`, [sequence]);
  if (rows[0]?.found === stateHash) return;
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
