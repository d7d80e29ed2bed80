/** Brings an engine to the state the journal describes: the newest usable snapshot, then every command after it. */
import { EnvelopeReader } from '../../engine/codec/command_codec.ts';
import type { Envelope } from '../../engine/commands.ts';
import { Engine } from '../../engine/engine.ts';
import { RULES_VERSION } from '../../engine/rules.ts';
import { ALL_ROOM, State } from '../../engine/state.ts';
import type { Room } from '../../engine/state.ts';
import { areEvents } from '../../engine/codec/event_codec.ts';
import { snapshotFormat } from '../../engine/codec/snapshot.ts';
import { GENESIS_HASH, JournalCorrupt, verifyRow } from '../../db/journal_record.ts';
import type { Journal, JournalCause, JournalRow } from '../../db/journal_record.ts';
import type { SnapshotStore, StoredSnapshot } from '../../db/snapshots.ts';

export type JournalSource = Pick<Journal, 'rowOf' | 'rows'>;

export interface RecoverOptions {
  journal: JournalSource;
  /** Without: every command from the first. */
  snapshots?: SnapshotStore;
  /** Only snapshots of this sequence or an earlier one. */
  snapshotSequenceMaximum?: number;
  /** Told what could not be used. */
  say?: (line: string) => void;
  /** What the engine has, all there may be unless given. */
  room?: Room;
  /** How what follows the snapshot is executed; row by row unless given. */
  replay?: Replay;
}

/** Brings an engine from a row whose hash is given to the end. */
export type Replay = (engine: Engine, previous: Uint8Array) => Promise<Replayed>;

export interface Replayed {
  replayedRows: number;
  /** Of the last row. */
  journalHash: Uint8Array;
}

export interface Recovered extends Replayed {
  engine: Engine;
  /** 0: no snapshot was used. */
  snapshotSequence: number;
  replayedCommands: number;
  snapshotMillis: number;
  replayMillis: number;
}

/** Executing the journal again does not give what it says: other rules, or another program. */
export class ReplayMismatch extends Error {
  readonly sequence: number;
  constructor(sequence: number, what: string) {
    super(`replay differs from the journal at sequence ${sequence}: ${what}`);
    this.name = 'ReplayMismatch';
    this.sequence = sequence;
  }
}

/**
 * @throws JournalCorrupt when a row after the snapshot does not continue the one before
 * @throws ReplayMismatch when its commands do not cause its events again
 */
export async function recover(options: RecoverOptions): Promise<Recovered> {
  const begun = performance.now();
  const start = await fromSnapshot(options);
  const { engine } = start;
  const snapshotSequence = engine.sequence;
  const loaded = performance.now();
  const { replay = inTurn(options.journal) } = options;
  const replayed = await replay(engine, start.journalHash);
  return { ...replayed, engine, snapshotSequence, replayedCommands: engine.sequence - snapshotSequence, snapshotMillis: loaded - begun, replayMillis: performance.now() - loaded };
}

const inTurn = (journal: JournalSource): Replay => async (engine, previous) => {
  let journalHash = previous;
  let replayedRows = 0;
  for await (const row of journal.rows(engine.sequence + 1)) {
    verifyRow(engine.sequence, journalHash, row);
    replayRow(engine, row);
    journalHash = row.hash;
    replayedRows++;
  }
  return { replayedRows, journalHash };
};

/** Executes a row's commands and compares what they cause, number for number. */
export function replayRow(engine: Engine, row: JournalRow): void {
  execute(engine, row);
  requireSame(areEvents(row.events, engine.buffer), row);
  engine.buffer.clear();
}

/** Commands that are decoded before they are executed: so few that the processor still has at hand what was read, and enough to look ahead. */
const DECODED = 256;

/** What a row's commands cause is in the engine's buffer then. */
export function execute(engine: Engine, row: JournalCause): void {
  if (!Engine.executes(row.rulesVersion)) {
    throw new ReplayMismatch(row.firstSequence, `it was written under rules version ${row.rulesVersion}, this program has ${RULES_VERSION}`);
  }
  if (row.firstSequence !== engine.sequence + 1) throw new JournalCorrupt(engine.sequence + 1, `the next row begins at ${row.firstSequence}`);
  engine.rulesVersion = row.rulesVersion;
  const reader = new EnvelopeReader(row.commands);
  const envelopes: Envelope[] = [];
  for (let left = reader.count; left > 0; left -= envelopes.length) {
    envelopes.length = 0;
    while (envelopes.length < Math.min(left, DECODED)) envelopes.push(reader.next());
    engine.applyAll(envelopes);
  }
  reader.end();
  if (engine.sequence !== row.lastSequence) throw new ReplayMismatch(row.firstSequence, `it holds ${engine.sequence - row.firstSequence + 1} commands and ends at ${row.lastSequence}`);
  if (engine.now !== row.engineTime) throw new ReplayMismatch(row.firstSequence, `engine time is ${engine.now}, not ${row.engineTime}`);
}

/** @throws ReplayMismatch */
export function requireSame(same: boolean, { firstSequence }: JournalCause): void {
  if (!same) throw new ReplayMismatch(firstSequence, 'the events are not the same');
}

async function fromSnapshot({ journal, snapshots, snapshotSequenceMaximum = Infinity, say = () => undefined, room = ALL_ROOM }: RecoverOptions): Promise<{ engine: Engine; journalHash: Uint8Array }> {
  if (snapshots === undefined) return { engine: new Engine(new State(room)), journalHash: GENESIS_HASH };
  for await (const found of snapshots.newestFirst()) {
    if (found.sequence > snapshotSequenceMaximum) continue;
    const usable = 'damage' in found ? found.damage : await restored(journal, found, room);
    if (typeof usable !== 'string') return { engine: usable, journalHash: (found as StoredSnapshot).journalHash };
    say(`the snapshot at ${found.sequence} is not used: ${usable}`);
  }
  return { engine: new Engine(new State(room)), journalHash: GENESIS_HASH };
}

/** The engine of a snapshot, or why it is not usable. */
async function restored(journal: JournalSource, snapshot: StoredSnapshot, room: Room): Promise<Engine | string> {
  const row = await journal.rowOf(snapshot.sequence);
  if (row?.lastSequence !== snapshot.sequence || Buffer.compare(row.hash, snapshot.journalHash) !== 0) return 'it belongs to another journal';
  try {
    const engine = Engine.restore(snapshot.state, room);
    if (engine.sequence !== snapshot.sequence) return `it restores sequence ${engine.sequence}`;
    if (engine.stateHash(snapshotFormat(snapshot.state)) !== snapshot.stateHash) return 'it does not restore the state it was taken of';
    return engine;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
