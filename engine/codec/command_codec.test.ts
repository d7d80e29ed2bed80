import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter } from '../numbers/bytes.ts';
import { decodeEnvelopes, encodeEnvelopes } from './command_codec.ts';
import type { Command, Envelope } from '../commands.ts';
import { EventBuffer } from '../events.ts';
import { areEvents, decodeEventBytes, encodeEvents } from './event_codec.ts';

const number = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.constantFrom(-3, -1, 0, 63, 64, 8191, 8192, 2 ** 31, 2 ** 37 + 5, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER), fc.double({ noNaN: true }).map((value) => value + 0));
const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }));
const company = fc.nat();
const cancel = fc.record({ type: fc.constant('cancel' as const), company, order: number });
const amend = fc.record({ type: fc.constant('amend' as const), company, order: number, price: number, quantity: number });
const place = fc.record({
  type: fc.constant('place' as const), company, market: number, hour: number, side: fc.constantFrom(0 as const, 1 as const), orderType: number,
  price: number, quantity: number, timeInForce: number, postOnly: fc.boolean(), displayQuantity: number, minimumQuantity: number, stopPrice: number,
  expiresAt: number, model: number, resaleOf: number, selfTradePrevention: number, cancelOnDisconnect: fc.boolean(), clientOrderId: text, held: number,
}, { requiredKeys: ['type', 'company', 'market', 'hour', 'side', 'orderType', 'price', 'quantity', 'timeInForce', 'postOnly', 'displayQuantity', 'minimumQuantity', 'stopPrice', 'expiresAt', 'model', 'resaleOf', 'selfTradePrevention', 'cancelOnDisconnect', 'clientOrderId'] });
/** A bid for one provider's capacity. */
const pick = fc.tuple(place, number).map(([bid, provider]) => ({ ...bid, held: undefined, provider })).map(({ held: _held, ...bid }) => bid);
const batch = fc.record({ type: fc.constant('batch' as const), company, operations: fc.array(fc.oneof(place, pick, cancel, amend), { maxLength: 5 }) });
const capture = fc.record({
  type: fc.constant('capture' as const), company, allocation: number, gpu: number, request: text, model: number, promptTokens: number, completionTokens: number,
  detail: fc.record({ key: text, endpoint: text, spotFees: fc.maxSafeInteger(), estimated: fc.boolean() }),
});
const tick = fc.record({ type: fc.constant('tick' as const), now: number });
const deposit = fc.record({ type: fc.constant('deposit' as const), company, amount: fc.maxSafeInteger(), reference: text });
const command: fc.Arbitrary<Command> = fc.oneof(place, pick, cancel, amend, batch, capture, tick, deposit);
const envelope: fc.Arbitrary<Envelope> = fc.record({ command, idempotencyKey: text, bodyHash: text });

describe('numbers', () => {
  test('come back as they were', () => {
    fc.assert(
      fc.property(fc.array(number), (numbers) => {
        const writer = new ByteWriter(1);
        for (const value of numbers) writer.number(value);
        const reader = new ByteReader(writer.take());
        expect(numbers.map(() => reader.number())).toEqual(numbers.map((value) => (Object.is(value, -0) ? 0 : value)));
        expect(reader.atEnd).toBe(true);
      }),
    );
  });

  test('are short when they are small', () => {
    const sizeOf = (value: number) => {
      const writer = new ByteWriter();
      writer.number(value);
      return writer.length;
    };
    expect([0, -63, 64, 8191, 8192, Number.MAX_SAFE_INTEGER, 0.5, Infinity].map(sizeOf)).toEqual([1, 1, 2, 2, 3, 8, 9, 9]);
  });
});

describe('envelopes', () => {
  test('come back as they were', () => {
    fc.assert(
      fc.property(fc.array(envelope, { maxLength: 20 }), (envelopes) => {
        expect(decodeEnvelopes(encodeEnvelopes(envelopes))).toEqual(envelopes);
      }),
    );
  });

  test('cut short or of another format are refused', () => {
    const bytes = encodeEnvelopes([{ command: { type: 'cancel', company: 70_000, order: 12 }, idempotencyKey: 'key', bodyHash: 'hash' }]);
    for (let length = 0; length < bytes.length; length++) expect(() => decodeEnvelopes(bytes.subarray(0, length))).toThrow(RangeError);
    expect(() => decodeEnvelopes(Uint8Array.of(...bytes, 0))).toThrow('bytes follow');
    expect(() => decodeEnvelopes(bytes.with(0, 9))).toThrow('format 9');
  });
});

describe('events', () => {
  test('come back as they were', () => {
    fc.assert(
      fc.property(fc.array(number.filter((value) => !Object.is(value, -0))), fc.array(text), (words, texts) => {
        const events = { words: Float64Array.from(words), texts: ['', ...texts] };
        expect(decodeEventBytes(encodeEvents(events))).toEqual(events);
      }),
    );
  });

  test('cut short are refused', () => {
    const bytes = encodeEvents({ words: Float64Array.of(1, 2 ** 40, -7), texts: ['', 'a', 'é'] });
    for (let length = 0; length < bytes.length; length++) expect(() => decodeEventBytes(bytes.subarray(0, length))).toThrow(RangeError);
  });

  test('are recognised without being written, and no others are', () => {
    const buffered = (words: number[], texts: string[]): EventBuffer => Object.assign(new EventBuffer(), { words: Float64Array.from([...words, 9]), length: words.length, texts: ['', ...texts] });
    fc.assert(
      fc.property(fc.array(number), fc.array(text), fc.nat(), number, fc.nat(255), (words, texts, place, other, bit) => {
        const bytes = encodeEvents({ words: Float64Array.from(words), texts: ['', ...texts] });
        expect(areEvents(bytes, buffered(words, texts))).toBe(true);
        const changed = words.map((value, index) => (index === place % words.length ? other : value));
        expect(areEvents(bytes, buffered(changed, texts))).toBe(changed.every((value, index) => value === words[index]));
        expect(areEvents(bytes, buffered([...words, other], texts))).toBe(false);
        expect(areEvents(bytes, buffered(words, [...texts, 'a']))).toBe(false);
        expect(areEvents(bytes.subarray(0, place % bytes.length), buffered(words, texts))).toBe(false);
        expect(areEvents(Uint8Array.of(...bytes, bit), buffered(words, texts))).toBe(false);
      }),
    );
  });
});
