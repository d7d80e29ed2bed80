import { describe, expect, it } from 'vitest';
import { encodeEnvelopes } from '../../engine/codec/command_codec.ts';
import type { Envelope } from '../../engine/commands.ts';
import { Waiting } from './waiting.ts';
import type { Item } from './waiting.ts';

const envelope = (order: number): Envelope => ({ command: { type: 'cancel', company: 1, order }, idempotencyKey: `key ${order}`, bodyHash: '' });
const parcel = (...orders: number[]): Uint8Array<ArrayBuffer> => encodeEnvelopes(orders.map(envelope));
const query = (id: number): Item => ({ kind: 'query', id, since: 0, name: 'balances', ask: {} });

/** Ids and keys, first to last. */
function takenFrom(waiting: Waiting): unknown[] {
  const all: unknown[] = [];
  for (; waiting.length > 0; waiting.shift()) {
    const item = waiting.first();
    all.push(item.kind === 'command' ? [item.id, item.since, item.envelope.idempotencyKey] : item.id);
  }
  return all;
}

describe('what waits', () => {
  it('comes out in its order, single things between commands that came together', () => {
    const waiting = new Waiting();
    waiting.push(query(1));
    waiting.pushEncoded([2, 3], parcel(20, 30), 5);
    waiting.push({ kind: 'command', id: 4, since: 6, envelope: envelope(40), encoded: undefined });
    waiting.pushEncoded([5], parcel(50, 60), 7);
    waiting.pushEncoded([], parcel(70), 8);
    waiting.push(query(6));
    expect(waiting.length).toBe(6);
    expect(waiting.at(4)).toMatchObject({ id: 5, envelope: envelope(50) });
    expect(waiting.length).toBe(6);
    waiting.pushEncoded([7], parcel(80), 9);
    expect(takenFrom(waiting)).toEqual([1, [2, 5, 'key 20'], [3, 5, 'key 30'], [4, 6, 'key 40'], [5, 7, 'key 50'], 6, [7, 9, 'key 80']]);
    expect(() => waiting.first()).toThrow('empty');
    expect(() => waiting.shift()).toThrow('empty');
  });

  it('knows the bytes that each command came as', () => {
    const bytes = parcel(20, 30);
    const waiting = new Waiting();
    waiting.pushEncoded([2, 3], bytes, 0);
    waiting.shift();
    const item = waiting.first();
    if (item.kind !== 'command' || item.encoded === undefined) throw new Error('it came as bytes');
    expect(item.encoded.to).toBe(bytes.length);
    expect(bytes.subarray(item.encoded.from, item.encoded.to)).toEqual(parcel(30).subarray(2));
  });

  it('is given back in part, of a parcel that has been begun as well, and wholly', () => {
    const waiting = new Waiting();
    waiting.pushEncoded([1, 2, 3, 4], parcel(1, 2, 3, 4), 0);
    waiting.shift();
    waiting.push(query(5));
    waiting.keep(({ id }) => id % 2 === 1);
    expect(takenFrom(waiting)).toEqual([[3, 0, 'key 3'], 5]);
    waiting.pushEncoded([6, 7], parcel(6, 7), 0);
    waiting.shift();
    waiting.clear();
    expect(waiting.length).toBe(0);
    waiting.pushEncoded([8], parcel(8), 0);
    expect(takenFrom(waiting)).toEqual([[8, 0, 'key 8']]);
  });

  it('refuses bytes that are no envelopes, at once where their first tells, else when they are reached', () => {
    const waiting = new Waiting();
    expect(() => waiting.pushEncoded([1], new Uint8Array([9, 1]), 0)).toThrow('format 9 of commands is not known');
    waiting.pushEncoded([1, 2], parcel(1, 2).slice(0, -1), 0);
    waiting.shift();
    expect(() => waiting.first()).toThrow(RangeError);
    const more = new Waiting();
    more.pushEncoded([1], new Uint8Array([...parcel(1), 0]), 0);
    expect(() => more.first()).toThrow('bytes follow the last command');
  });
});
