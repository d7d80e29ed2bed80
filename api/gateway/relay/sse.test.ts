import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EventStreamParser, eventIn, writtenEvent } from './sse.ts';
import { UpstreamError } from './endpoint_answer.ts';

function parse(text: string, cuts: readonly number[] = []): { event: string; data: string }[] {
  const bytes = Buffer.from(text);
  const borders = [0, ...[...cuts].map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  const parser = new EventStreamParser();
  const events = borders.slice(1).flatMap((border, index) => parser.push(bytes.subarray(borders[index], border)));
  return [...events, ...parser.end()].flatMap((written) => eventIn(written) ?? []);
}

describe('server-sent events', () => {
  test.each([
    ['data: a\n\ndata: b\n\n', [{ event: '', data: 'a' }, { event: '', data: 'b' }]],
    ['data:a\r\n\r\n', [{ event: '', data: 'a' }]],
    ['data: a\r\rdata: b\r\n\r\ndata: c\n\n', [{ event: '', data: 'a' }, { event: '', data: 'b' }, { event: '', data: 'c' }]],
    ['\n\n\ndata: a\n\n\n\ndata: b\n\n', [{ event: '', data: 'a' }, { event: '', data: 'b' }]],
    ['event: x\ndata: a\ndata: b\n\n', [{ event: 'x', data: 'a\nb' }]],
    [': comment\n\nid: 7\nretry: 3\ndata: a\n\n', [{ event: '', data: 'a' }]],
    ['data: a', [{ event: '', data: 'a' }]],
    ['\uFEFFdata: a\n\n', [{ event: '', data: 'a' }]],
    ['event: x\n\n', []],
  ])('%j', (text, events) => {
    expect(parse(text)).toEqual(events);
  });

  test('do not depend on how the bytes are cut', () => {
    const data = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/[\r\n]/.test(text));
    fc.assert(
      fc.property(fc.array(data), fc.array(fc.nat()), (all, cuts) => {
        for (const lineEnd of ['\n', '\r\n']) expect(parse(all.map((text) => writtenEvent('e', text)).join('').replaceAll('\n', lineEnd), cuts).map((event) => event.data)).toEqual(all);
      }),
    );
  });

  test('without an end are given up', () => {
    const parser = new EventStreamParser();
    const piece = Buffer.alloc(1 << 20, 'x');
    expect(() => {
      for (let count = 0; count < 10; count++) parser.push(piece);
    }).toThrow(UpstreamError);
  });
});
