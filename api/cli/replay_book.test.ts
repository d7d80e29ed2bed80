import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { replayBook } from './replay_book.ts';

async function replay(operations: object[], options: { tick?: string; step?: string; depth?: number } = {}): Promise<unknown[]> {
  const output = new PassThrough();
  const chunks: string[] = [];
  output.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
  const input = Readable.from([operations.map((operation) => JSON.stringify(operation)).join('\n')]);
  await replayBook({ tick: options.tick ?? '0.0001', step: options.step ?? '0.01', depth: options.depth ?? 0 }, input, output);
  return chunks.join('').trim().split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as unknown);
}

const limit = (id: number, side: string, price: string, quantity: string, more: object = {}): object => ({
  op: 'add', id, owner: `o${id}`, side, type: 'limit', price, quantity, time_in_force: 'gtc', ...more,
});

describe('replay of one book', () => {
  it('tells accepts, trades and cancels with the line that caused them', async () => {
    expect(await replay([
      limit(1, 'sell', '100.02', '12'),
      limit(2, 'sell', '100.01', '5'),
      limit(3, 'buy', '100.02', '8', { time_in_force: 'ioc' }),
      limit(4, 'buy', '100', '1.5'),
      { op: 'cancel', id: 1 },
      { op: 'cancel', id: 9 },
    ], { depth: 5 })).toEqual([
      { line: 1, event: 'accepted', id: 1 },
      { line: 2, event: 'accepted', id: 2 },
      { line: 3, event: 'accepted', id: 3 },
      { line: 3, event: 'trade', maker: 2, taker: 3, price: '100.01', quantity: '5' },
      { line: 3, event: 'trade', maker: 1, taker: 3, price: '100.02', quantity: '3' },
      { line: 4, event: 'accepted', id: 4 },
      { line: 5, event: 'canceled', id: 1, remaining: '9', reason: 'requested' },
      { line: 6, event: 'rejected', id: 9, code: 'unknown_order' },
      { event: 'book', bids: [['100', '1.5', 1]], asks: [] },
    ]);
  });

  it('keeps prices and quantities exact up to 2^53 units of any size', async () => {
    const most = String(Number.MAX_SAFE_INTEGER);
    expect(await replay([limit(1, 'sell', most, most), limit(2, 'sell', most, most), limit(3, 'buy', `${most}0`, '1')], { tick: '1', step: '1', depth: 1 })).toEqual([
      { line: 1, event: 'accepted', id: 1 },
      { line: 2, event: 'accepted', id: 2 },
      { line: 3, event: 'rejected', id: 3, code: 'amount_out_of_range' },
      { event: 'book', bids: [], asks: [[most, String(2n * BigInt(most)), 2]] },
    ]);
    expect(await replay([limit(1, 'buy', '10.25', '0.5'), limit(2, 'buy', '10.3', '0.5'), limit(3, 'buy', '10.5', '0.3')], { tick: '0.25', step: '0.5' })).toEqual([
      { line: 1, event: 'accepted', id: 1 },
      { line: 2, event: 'rejected', id: 2, code: 'invalid_tick' },
      { line: 3, event: 'rejected', id: 3, code: 'invalid_step' },
    ]);
  });

  it('triggers stops, shows icebergs by the slice and amends', async () => {
    expect(await replay([
      limit(1, 'sell', '10', '6', { display_quantity: '2' }),
      limit(2, 'sell', '10', '1'),
      { ...limit(3, 'buy', '11', '1'), type: 'stop_limit', stop_price: '10' },
      { op: 'add', id: 4, owner: 'x', side: 'buy', type: 'market', quantity: '3', time_in_force: 'ioc' },
      { op: 'amend', id: 1, quantity: '1' },
      { op: 'amend', id: 1, price: '10.5' },
    ], { depth: 3 })).toEqual([
      { line: 1, event: 'accepted', id: 1 },
      { line: 2, event: 'accepted', id: 2 },
      { line: 3, event: 'accepted', id: 3 },
      { line: 4, event: 'accepted', id: 4 },
      { line: 4, event: 'trade', maker: 1, taker: 4, price: '10', quantity: '2' },
      { line: 4, event: 'trade', maker: 2, taker: 4, price: '10', quantity: '1' },
      { line: 4, event: 'triggered', id: 3 },
      { line: 4, event: 'trade', maker: 1, taker: 3, price: '10', quantity: '1' },
      { line: 5, event: 'amended', id: 1, price: '10', quantity: '1', kept_priority: true },
      { line: 6, event: 'amended', id: 1, price: '10.5', quantity: '1', kept_priority: false },
      { event: 'book', bids: [], asks: [['10.5', '1', 1]] },
    ]);
  });

  it('uncrosses an auction at one price', async () => {
    const events = await replay([
      { op: 'auction_start' },
      limit(1, 'buy', '10.2', '5'),
      limit(2, 'sell', '9.8', '4'),
      limit(3, 'buy', '10', '3'),
      limit(4, 'sell', '10', '2'),
      { op: 'auction_uncross', reference: '10.1' },
    ], { depth: 2 });
    expect(events.slice(4)).toEqual([
      { line: 6, event: 'trade', maker: 1, taker: 2, price: '10', quantity: '4' },
      { line: 6, event: 'trade', maker: 1, taker: 4, price: '10', quantity: '1' },
      { line: 6, event: 'trade', maker: 3, taker: 4, price: '10', quantity: '1' },
      { event: 'book', bids: [['10', '2', 1]], asks: [] },
    ]);
  });

  it('expires by time and answers nonsense with a code', async () => {
    expect(await replay([
      limit(1, 'buy', '1', '1', { time_in_force: 'gtd', expires_at: '2026-12-01T14:00:00Z' }),
      { op: 'time', now: '2026-12-01T14:00:00Z' },
      { op: 'dance', id: 7 },
    ])).toEqual([
      { line: 1, event: 'accepted', id: 1 },
      { line: 2, event: 'canceled', id: 1, remaining: '1', reason: 'expired' },
      { line: 3, event: 'rejected', id: 7, code: 'invalid_parameter' },
    ]);
  });
});
