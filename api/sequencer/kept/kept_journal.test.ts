import { readFileSync, readdirSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Engine } from '../../../engine/engine.ts';
import { RULES_VERSION } from '../../../engine/rules.ts';
import { keepJournal, replayKept } from './kept_journal.ts';
import type { KeptReplay } from './kept_journal.ts';

const FOLDER = new URL('./', import.meta.url);
const read = (name: string): Buffer => readFileSync(new URL(name, FOLDER));
/** The rules versions of which there is a file of such a name. */
const versions = (name: RegExp): number[] => readdirSync(FOLDER).flatMap((file) => name.exec(file)?.slice(1).map(Number) ?? []);
const replayed = (rules: number): KeptReplay => replayKept(read(`rules_${rules}.gz`), rules);

describe('a journal written by an earlier program', () => {
  test.each(versions(/^rules_([0-9]+)\.gz$/))('under rules version %i causes the same events again', (rules) => {
    const { engine, differing } = replayed(rules);
    expect(differing).toEqual([]);
    expect(engine.sequence).toBeGreaterThan(1_000);
    expect(engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  });

  test('a batch that would now go another way is named by its first sequence', () => {
    const lines = gunzipSync(keepJournal(3, 200)).toString('latin1').split('\n');
    const [commands] = lines[2].split(' ');
    lines[2] = `${commands} ${lines[1].split(' ')[1]}`;
    expect(replayKept(gzipSync(lines.join('\n')), RULES_VERSION).differing).toEqual([101]);
  });
});

/** Written at the end of the journal of its version, by the program that kept that. */
test.each(versions(/^rules_([0-9]+)\.snapshot\.gz$/))('a snapshot written by a program of rules version %i is the state that its journal leads to', (rules) => {
  const restored = Engine.restore(new Uint8Array(gunzipSync(read(`rules_${rules}.snapshot.gz`))));
  expect(restored.sequence).toBeGreaterThan(1_000);
  expect(restored.stateHash()).toBe(replayed(rules).engine.stateHash());
});
