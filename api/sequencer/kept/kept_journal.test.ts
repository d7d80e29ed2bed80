import { readFileSync, readdirSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { RULES_VERSION } from '../../../engine/rules.ts';
import { keepJournal, replayKept } from './kept_journal.ts';

const FOLDER = new URL('./', import.meta.url);

describe('a journal written by an earlier program', () => {
  test.each(readdirSync(FOLDER).filter((name) => name.endsWith('.gz')))('%s causes the same events again', (name) => {
    const rules = Number(/^rules_([0-9]+)\.gz$/.exec(name)?.[1]);
    const { engine, differing } = replayKept(readFileSync(new URL(name, FOLDER)), rules);
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
