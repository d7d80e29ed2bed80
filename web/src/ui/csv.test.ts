import { describe, expect, test } from 'vitest';
import { csvOf } from './csv.ts';

const columns = [
  { header: 'Name', text: (row: { name: string; amount: string }) => row.name },
  { header: 'Amount', unit: 'CR', align: 'right' as const, text: (row: { amount: string }) => row.amount },
];

describe('a table as a file', () => {
  test.each([
    ['plain', { name: 'a', amount: '1,234,567.50' }, 'a,1234567.50'],
    ['quotes and commas', { name: 'say "x", then', amount: '−12.00' }, '"say ""x"", then",-12.00'],
    ['no value', { name: 'b', amount: '–' }, 'b,'],
    ['no formula', { name: '=HYPERLINK(1)', amount: '0' }, "'=HYPERLINK(1),0"],
  ])('%s', (_name, row, line) => {
    expect(csvOf(columns, [row])).toBe(`Name,Amount (CR)\r\n${line}\r\n`);
  });
});
