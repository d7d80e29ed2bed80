import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Image, readSnapshot } from '../../engine/codec/snapshot.ts';
import { encodeEnvelopes } from '../../engine/codec/command_codec.ts';
import { encodeEvents } from '../../engine/codec/event_codec.ts';
import { Engine } from '../../engine/engine.ts';
import { LITTLE_ROOM } from '../../engine/state.ts';
import { Simulation } from '../../engine/simulation/simulation.ts';
import { RULES_VERSION } from '../../engine/rules.ts';
import { MemoryJournal } from '../../db/memory_journal.ts';
import { MemorySnapshots } from '../../db/snapshots.ts';
import { recover } from './recovery.ts';

const BATCH = 50;
const HEADER_BYTES = 12;
const journal = new MemoryJournal();
/** Of the engine after a third and two thirds of the journal. */
const states = new Map<number, Uint8Array>();
const live = new Engine();

const lived = new Simulation(11);
for (let step = 0; step < 600; step++) lived.step();
const { commands } = lived.take();
for (let from = 0; from < commands.length; from += BATCH) {
  const envelopes = commands.slice(from, from + BATCH).map((command) => ({ command, idempotencyKey: '', bodyHash: '' }));
  const firstSequence = live.sequence + 1;
  live.applyAll(envelopes);
  await journal.append({ firstSequence, lastSequence: live.sequence, engineTime: live.now, rulesVersion: RULES_VERSION, commands: encodeEnvelopes(envelopes), events: encodeEvents(live.buffer.take()) });
  if (states.size < 2 && live.sequence > ((states.size + 1) * commands.length) / 3) states.set(live.sequence, live.snapshot());
}
const [older, newer] = [...states.keys()];

const unpacked = (state: Uint8Array): Uint8Array => new Uint8Array(Buffer.concat([...Image.of(readSnapshot(state, LITTLE_ROOM), 2).pieces()]));
/** Where the columns begin. */
const columnsAt = (state: Uint8Array): number => HEADER_BYTES + new DataView(state.buffer, state.byteOffset).getUint32(8);

/** The two snapshots, the newer one with such bytes, and stored with their hash. @returns how the market comes back */
async function recoveredWith(change: (state: Uint8Array) => Uint8Array): Promise<{ from: number; hash: string; said: string[] }> {
  const snapshots = new MemorySnapshots();
  for (const [sequence, state] of states) {
    const row = await journal.rowOf(sequence);
    await snapshots.save({ sequence, rulesVersion: RULES_VERSION, journalHash: row?.hash ?? new Uint8Array(0), state: sequence === newer ? change(state.slice()) : state });
  }
  const said: string[] = [];
  const { engine, snapshotSequence } = await recover({ journal, snapshots, say: (line) => said.push(line), room: LITTLE_ROOM });
  return { from: snapshotSequence, hash: engine.stateHash(), said };
}

describe('a market comes back with the state that it had', () => {
  test('from its newest snapshot, also one of the format before', async () => {
    expect(older).toBeGreaterThan(100);
    for (const change of [(state: Uint8Array) => state, unpacked]) expect(await recoveredWith(change)).toEqual({ from: newer, hash: live.stateHash(), said: [] });
  });

  test.each<[string, (state: Uint8Array) => Uint8Array, string]>([
    ['the orders of its books stand in another order', (state) => withHead(state, backwards), 'it does not restore the state it was taken of'],
    ['a field of its head is unknown', (state) => withHead(state, (head) => ({ ...head, surplus: 1 })), 'it does not restore the state it was taken of'],
    ['a field of its head is missing', (state) => withHead(state, ({ timers: _, ...head }) => head), "Cannot read properties of undefined (reading 'heap')"],
    ['a column has fewer rows', (state) => withHead(state, shorter), 'snapshot has 0 numbers of orders.floats'],
    ['its end is cut off', (state) => state.slice(0, -16), 'the bytes are not those of a column'],
    ['something follows it', (state) => new Uint8Array([...state, 0, 0, 0, 0, 0, 0, 0, 0]), '8 bytes follow the last column'],
    ['its format is of a later version', (state) => state.fill(9, 7, 8), 'snapshot format 9 is not known'],
    ['of the format before, its end is cut off', (state) => unpacked(state).slice(0, -1), 'snapshot is cut short'],
    ['it is empty', () => new Uint8Array(0), 'not a snapshot'],
  ])('from an older snapshot when the newest is hashed as it is, but %s', async (_, change, why) => {
    expect(await recoveredWith(change)).toEqual({ from: older, hash: live.stateHash(), said: [`the snapshot at ${newer} is not used: ${why}`] });
  });

  test('from a snapshot that an earlier program stored with the hash of its format', () => {
    const stored = new Uint8Array(gunzipSync(readFileSync(new URL('./kept/rules_8.snapshot.gz', import.meta.url))));
    expect(Engine.restore(stored).stateHash(2)).toBe(createHash('sha256').update(stored).digest('hex'));
  });
});

function withHead(state: Uint8Array, change: (head: Record<string, unknown>) => Record<string, unknown>): Uint8Array {
  const begin = columnsAt(state);
  const head = JSON.parse(new TextDecoder().decode(state.subarray(HEADER_BYTES, begin))) as Record<string, unknown>;
  const text = JSON.stringify(change(head));
  const bytes = new TextEncoder().encode(text.padEnd(Math.ceil((HEADER_BYTES + text.length) / 8) * 8 - HEADER_BYTES));
  const changed = new Uint8Array(HEADER_BYTES + bytes.length + state.length - begin);
  changed.set(state.subarray(0, HEADER_BYTES));
  new DataView(changed.buffer).setUint32(8, bytes.length);
  changed.set(bytes, HEADER_BYTES);
  changed.set(state.subarray(begin), HEADER_BYTES + bytes.length);
  return changed;
}

const shorter = ({ columns, ...head }: Record<string, unknown>): Record<string, unknown> => ({
  ...head, columns: (columns as { name: string }[]).map((column) => (column.name === 'orders.floats' ? { ...column, length: 0 } : column)),
});

const backwards = ({ books, ...head }: Record<string, unknown>): Record<string, unknown> => ({
  ...head, books: (books as { bids: number[]; asks: number[] }[]).map((book) => ({ ...book, bids: book.bids.toReversed(), asks: book.asks.toReversed() })),
});
