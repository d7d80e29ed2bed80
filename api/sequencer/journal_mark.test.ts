import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MemoryJournal } from '../../db/memory_journal.ts';
import { JournalMark } from './journal_mark.ts';
import type { MarkedJournal } from './journal_mark.ts';

let folder: string;
let lines: string[];
let mark: JournalMark;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ccx-mark-'));
  lines = [];
  mark = new JournalMark(folder, 'abc', (line) => lines.push(line));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Rows of two commands each. @param fill what makes one history differ from another */
async function journalOf(rows: number, fill = 0): Promise<MarkedJournal & { rows: MemoryJournal }> {
  const journal = new MemoryJournal();
  for (let row = 0; row < rows; row++) {
    await journal.append({ firstSequence: row * 2 + 1, lastSequence: row * 2 + 2, engineTime: row, rulesVersion: 1, commands: new Uint8Array([fill, row]), events: new Uint8Array([row]) });
  }
  return { rowOf: (sequence) => journal.rowOf(sequence), lastSequence: rows * 2, headHash: journal.written.at(-1)?.hash ?? new Uint8Array(32), rows: journal };
}

test('a market goes on from where it was, or further', async () => {
  await mark.check(await journalOf(3), undefined);
  await mark.keep(await journalOf(3));
  await mark.check(await journalOf(3), undefined);
  await mark.check(await journalOf(5), undefined);
  expect(mark.read()?.sequence).toBe(6);
});

test('an older database is refused, with the sequence, until an operator accepts its end', async () => {
  await mark.keep(await journalOf(5));
  const older = await journalOf(3);
  await expect(mark.check(older, undefined)).rejects.toThrow(/damaged at sequence 7: it ends at 6; .* had come to 10 .* ACCEPT_JOURNAL_END=6/);
  await expect(mark.check(older, 4)).rejects.toThrow('ACCEPT_JOURNAL_END=6');
  await mark.check(older, 6);
  expect(lines).toEqual(['going on at 6 as ACCEPT_JOURNAL_END says; given up: 7 to 10']);
  await mark.keep(older);
  await mark.check(older, undefined);
});

test('an older database that has gone on without the mark is another history', async () => {
  await mark.keep(await journalOf(5));
  const other = await journalOf(8, 1);
  await expect(mark.check(other, undefined)).rejects.toThrow(/damaged at sequence 9: it is not what this market had at 10/);
  await mark.check(other, 16);
});

test('the mark never goes back, and damage to it is as if there were none', async () => {
  await mark.keep(await journalOf(5));
  await mark.keep(await journalOf(3));
  expect(mark.read()?.sequence).toBe(10);
  writeFileSync(mark.file, '{"sequence": "ten"');
  await mark.check(await journalOf(1), undefined);
  await mark.keep(await journalOf(2));
  expect(mark.read()?.sequence).toBe(4);
});

test('a folder that cannot be written is told once and stops nobody', async () => {
  const nowhere = new JournalMark(join(folder, 'missing'), 'abc', (line) => lines.push(line));
  await nowhere.keep(await journalOf(1));
  await nowhere.keep(await journalOf(2));
  expect(lines).toHaveLength(1);
});
