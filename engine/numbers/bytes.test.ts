import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteReader, ByteWriter } from './bytes.ts';

/** Around every power of two, of both signs, and what is not whole or not safe. */
const EDGES = [
  ...Array.from({ length: 54 }, (_, power) => [2 ** power - 1, 2 ** power, 2 ** power + 1]).flat().flatMap((value) => [value, -value]),
  0.5, -0.5, 1e300, Number.MAX_VALUE, Infinity, -Infinity, Number.NaN,
];

function bytesOf(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(1);
  write(writer);
  return writer.take();
}

function compare(values: readonly number[]): void {
  const row = Float64Array.from(values);
  const together = bytesOf((writer) => writer.numbers(row, row.length));
  expect(together).toEqual(bytesOf((writer) => values.forEach((value) => writer.number(value))));
  const read = new Float64Array(row.length);
  new ByteReader(together).numbers(read);
  expect([...read]).toEqual(values.map((value) => value + 0));
  const reader = new ByteReader(together);
  expect(values.map(() => reader.number())).toEqual(values.map((value) => value + 0));
  expect(() => reader.number()).toThrow(RangeError);
  expect(new ByteReader(together).areNumbers(row, row.length)).toBe(true);
  for (const place of [0, row.length >> 1, row.length - 1].filter((at) => at >= 0 && at < row.length)) {
    const other = row.with(place, row[place] === 7 ? 8 : 7);
    expect(new ByteReader(together).areNumbers(other, other.length)).toBe(false);
  }
}

test('a row of numbers is written, read and recognised as its numbers one by one', () => {
  compare(EDGES);
  for (const value of EDGES) compare([value]);
  fc.assert(fc.property(fc.array(fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -200, max: 200 }), fc.double({ noNaN: true }))), (values) => compare(values)));
});

test('a number that is cut off, or longer than any that is written, is refused', () => {
  for (const value of EDGES) {
    const whole = bytesOf((writer) => writer.number(value));
    for (let length = 0; length < whole.length; length++) expect(() => new ByteReader(whole.subarray(0, length)).number()).toThrow(RangeError);
  }
  const endless = new Uint8Array(9).fill(0x81);
  expect(() => new ByteReader(endless).number()).toThrow('a number is too long');
});

test('texts are read as they were written, empty ones too, and none beyond the end', () => {
  const texts = ['', 'a', '', 'é', 'x'.repeat(200), ''];
  const reader = new ByteReader(bytesOf((writer) => texts.forEach((text) => writer.text(text))));
  expect(texts.map(() => reader.text())).toEqual(texts);
  expect(reader.atEnd).toBe(true);
  expect(() => reader.text()).toThrow(RangeError);
});
