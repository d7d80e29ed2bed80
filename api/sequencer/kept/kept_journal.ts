/**
 * Journals kept in the repository: the commands of a seeded life of the market and a digest of what
 * they caused, so that a later program proves it still executes the rules they were written under.
 * A file is gzipped lines, one a batch: the commands' bytes in base64, a space, the events' SHA-256.
 */
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { decodeEnvelopes, encodeEnvelopes } from '../../../engine/codec/command_codec.ts';
import type { Command } from '../../../engine/commands.ts';
import { Engine } from '../../../engine/engine.ts';
import type { EventBatch } from '../../../engine/events.ts';
import { Simulation } from '../../../engine/simulation/simulation.ts';

const BATCH = 50;

/** The file of a seeded life of `commands` commands. */
export function keepJournal(seed: number, commands: number): Uint8Array {
  const simulation = new Simulation(seed);
  while (simulation.engine.sequence < commands) simulation.step();
  const lived: readonly Command[] = simulation.take().commands;
  const engine = new Engine();
  const lines: string[] = [];
  for (let from = 0; from < lived.length; from += BATCH) {
    const envelopes = lived.slice(from, from + BATCH).map((command) => ({ command, idempotencyKey: '', bodyHash: '' }));
    const bytes = encodeEnvelopes(envelopes);
    lines.push(`${Buffer.from(bytes).toString('base64')} ${execute(engine, bytes)}`);
  }
  return gzipSync(lines.join('\n'));
}

export interface KeptReplay {
  engine: Engine;
  /** The first sequence of each batch whose events are not those of then. */
  differing: number[];
}

/** Executes a kept journal from its beginning, under the rules it was written under. */
export function replayKept(file: Uint8Array, rulesVersion: number): KeptReplay {
  const engine = new Engine();
  engine.rulesVersion = rulesVersion;
  const differing: number[] = [];
  for (const line of gunzipSync(file).toString('latin1').split('\n')) {
    const [commands, digest] = line.split(' ');
    const first = engine.sequence + 1;
    if (execute(engine, Buffer.from(commands, 'base64')) !== digest) differing.push(first);
  }
  return { engine, differing };
}

function execute(engine: Engine, commands: Uint8Array): string {
  for (const envelope of decodeEnvelopes(commands)) engine.apply(envelope);
  return digestOf(engine.buffer.take());
}

/** Of the events themselves: how a journal packs them may change. */
function digestOf({ words, texts }: EventBatch): string {
  return createHash('sha256').update(new Uint8Array(words.buffer, words.byteOffset, words.byteLength)).update(JSON.stringify(texts)).digest('base64');
}
