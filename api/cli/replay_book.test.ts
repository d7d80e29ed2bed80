import { spawn } from 'node:child_process';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { replayBook } from './replay_book.ts';

const replay = (operations: object[], options: { tick?: string; step?: string; depth?: number } = {}): Promise<unknown[]> =>
  replayLines(operations.map((operation) => JSON.stringify(operation)), options).then(({ events }) => events);

async function replayLines(lines: string[], options: { tick?: string; step?: string; depth?: number } = {}, encoding: BufferEncoding = 'utf8'): Promise<{ events: unknown[]; text: string; complaints: string[]; unreadable: number }> {
  const output = new PassThrough();
  const chunks: string[] = [];
  output.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
  const complaints: string[] = [];
  // In pieces that end anywhere, as a pipe delivers them.
  const bytes = Buffer.from(lines.join('\n'), encoding);
  const piece = bytes.length > 10_000 ? 65_536 : 7;
  const input = Readable.from(Array.from({ length: Math.ceil(bytes.length / piece) }, (_, at) => bytes.subarray(at * piece, (at + 1) * piece)));
  const unreadable = await replayBook({ tick: options.tick ?? '0.0001', step: options.step ?? '0.01', depth: options.depth ?? 0 }, input, output, (line, what) => complaints.push(`${line}: ${what}`));
  const text = chunks.join('');
  return { text, complaints, unreadable, events: text.trim().split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as unknown) };
}

const limit = (id: number, side: string, price: string, quantity: string, more: object = {}): object => ({
  op: 'add', id, owner: `o${id}`, side, type: 'limit', price, quantity, time_in_force: 'gtc', ...more,
});

describe('the command', () => {
  it('leaves nothing but events in a file, although npm writes its banner there first', { timeout: 60_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'replay-'));
    const [operations, events] = [join(folder, 'operations.jsonl'), join(folder, 'events.jsonl')];
    await writeFile(operations, `${JSON.stringify(limit(1, 'sell', '2', '1'))}\n${JSON.stringify(limit(2, 'buy', '2', '1'))}\n`);
    const [input, output] = [await open(operations, 'r'), await open(events, 'w')];
    const child = spawn('npm', ['run', 'replay', '--', '--book', '--depth', '3'], { stdio: [input.fd, output.fd, 'ignore'] });
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
    await Promise.all([input.close(), output.close()]);
    const lines = (await readFile(events, 'utf8')).trim().split('\n').map((line) => JSON.parse(line) as { event: string });
    expect(lines.map(({ event }) => event)).toEqual(['accepted', 'accepted', 'trade', 'book']);
    await rm(folder, { recursive: true });
  });
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
    const most = String(2n ** 53n);
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

  it('refuses for what stands first when several are wrong', async () => {
    const codes = async (operations: object[], options = {}): Promise<unknown[]> => (await replay(operations, options) as { code?: string }[]).flatMap(({ code }) => code ?? []);
    expect(await codes([
      limit(1, 'buy', '1', '1'), limit(1, 'buy', '1', '0'), limit(1, 'buy', '0.00001', '-0.001'), limit(2, 'buy', '1', '-0.001'), limit(2, 'buy', '-1', '1'), limit(1, 'buy', '2', '1'),
      limit(3, 'buy', '1', '1', { time_in_force: 'gtd' }), { op: 'time', now: 50 }, limit(4, 'buy', '1', '1', { expires_at: 50 }),
      { op: 'amend', id: 9, quantity: '0.001' }, { op: 'amend', id: 9, quantity: '0' }, { op: 'amend', id: 9 },
    ])).toEqual([
      'amount_out_of_range', 'invalid_tick', 'invalid_step', 'amount_out_of_range', 'duplicate_client_order_id', 'invalid_parameter', 'invalid_parameter',
      'invalid_step', 'amount_out_of_range', 'unknown_order',
    ]);
    expect(await codes([limit(1, 'buy', '0.00000003', '2e7'), limit(2, 'buy', '1e-9', '1e7')], { tick: '1e-8', step: '1e7' })).toEqual(['invalid_tick']);
  });

  it('lets a stop in after a call whose price the last trade had met before it came', async () => {
    const events = await replay([
      limit(1, 'sell', '10', '1'), limit(2, 'buy', '10', '1'), { op: 'auction_start' }, limit(3, 'sell', '11', '1'),
      { op: 'add', id: 4, side: 'buy', type: 'stop', stop_price: '10', quantity: '1' }, { op: 'auction_uncross' },
    ]);
    expect(events.slice(-2)).toEqual([{ line: 6, event: 'triggered', id: 4 }, { line: 6, event: 'trade', maker: 3, taker: 4, price: '11', quantity: '1' }]);
  });

  it('lets a minimum that has become less execute, and a post-only order make only', async () => {
    const bound = limit(1, 'buy', '10', '10', { minimum_quantity: '10' });
    expect((await replay([bound, limit(2, 'sell', '9', '4'), { op: 'amend', id: 1, quantity: '4' }])).slice(2)).toEqual([
      { line: 3, event: 'amended', id: 1, price: '10', quantity: '4', kept_priority: true },
      { line: 3, event: 'trade', maker: 2, taker: 1, price: '9', quantity: '4' },
    ]);
    expect((await replay([{ ...bound, post_only: true, quantity: '12' }, limit(2, 'sell', '9', '4'), limit(3, 'sell', '10', '10')])).slice(3)).toEqual([
      { line: 3, event: 'trade', maker: 1, taker: 3, price: '10', quantity: '10' },
      { line: 3, event: 'trade', maker: 1, taker: 2, price: '10', quantity: '2' },
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

  it.each([
    ['a reference under every limit', limit(2, 'buy', '10', '5'), '9.5', '9.5'],
    ['a reference over every limit: to the limit', limit(2, 'buy', '10', '5'), '11', '10'],
    ['no reference: the lowest limit', limit(2, 'buy', '10', '5'), undefined, '10'],
    ['a smaller surplus under every limit', limit(2, 'sell', '9', '1'), '12', '8.9999'],
  ])('lets orders without a price uncross beyond the limits: %s', async (_name, other, reference, expected) => {
    const market = { op: 'add', id: 1, owner: 'a', side: 'sell', type: 'market', quantity: '6' };
    const events = await replay([{ op: 'auction_start' }, market, other, limit(3, 'buy', '10', '1'), { op: 'auction_uncross', reference }]) as { event: string; price?: string }[];
    const prices = new Set(events.filter(({ event }) => event === 'trade').map(({ price }) => price));
    expect([...prices]).toEqual([expected]);
  });

  it.each([
    ['between two ticks, nearer the upper', '10.06', '10.1'], ['in the middle of two: the lower', '10.05', '10'], ['beyond every limit', '1e3', '10.2'],
  ])('takes a reference %s', async (_name, reference, expected) => {
    const events = await replay([{ op: 'auction_start' }, limit(1, 'buy', '10.2', '5'), limit(2, 'sell', '9.8', '5'), { op: 'auction_uncross', reference }], { tick: '0.1' });
    expect(events.at(-1)).toMatchObject({ event: 'trade', price: expected });
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

  it('answers a line that is no operation, says why and goes on', async () => {
    const { events, complaints, unreadable } = await replayLines([JSON.stringify(limit(1, 'buy', '1', '1')), 'nonsense', '[1]', '', '{"op":"add","id":"é","side":"up","type":"limit","price":"1","quantity":"1"}', '{"op":"cancel","id":1}']);
    expect(events).toEqual([
      { line: 1, event: 'accepted', id: 1 },
      { line: 2, event: 'rejected', id: null, code: 'invalid_parameter' },
      { line: 3, event: 'rejected', id: null, code: 'invalid_parameter' },
      { line: 5, event: 'rejected', id: 'é', code: 'invalid_parameter' },
      { line: 6, event: 'canceled', id: 1, remaining: '1', reason: 'requested' },
    ]);
    expect(complaints.map((complaint) => complaint.slice(0, 2))).toEqual(['2:', '3:', '5:']);
    expect(unreadable).toBe(2);
  });

  it('takes no line whose bytes are not UTF-8 for one with other owners, and no line without end', async () => {
    const owned = (id: number, side: string, owner: string): string => JSON.stringify(limit(id, side, '1', '1', { owner }));
    const { events, complaints, unreadable } = await replayLines(['', owned(1, 'buy', 'a'), owned(2, 'buy', '\u00ff'), owned(3, 'sell', '\u00fe'), '', owned(4, 'sell', 'b')], {}, 'latin1');
    expect(events).toEqual([
      { line: 2, event: 'accepted', id: 1 },
      { line: 3, event: 'rejected', id: null, code: 'invalid_parameter' },
      { line: 4, event: 'rejected', id: null, code: 'invalid_parameter' },
      { line: 6, event: 'accepted', id: 4 },
      { line: 6, event: 'trade', maker: 1, taker: 4, price: '1', quantity: '1' },
    ]);
    expect([complaints, unreadable]).toEqual([['3: it is not UTF-8', '4: it is not UTF-8'], 2]);
    const endless = Readable.from(Array.from({ length: 65 }, () => Buffer.alloc(1 << 20, 'x')));
    await expect(replayBook({ tick: '1', step: '1', depth: 0 }, endless, new PassThrough())).rejects.toThrow('line 1: longer than');
  });

  it('keeps ids as they were written, however long, and lets an id be used again', async () => {
    const add = (id: string, side: string): string => `{"op":"add","id":${id},"side":"${side}","type":"limit","price":"1","quantity":"1"}`;
    const { text } = await replayLines([add('12345678901234567890', 'buy'), add('12345678901234567891', 'buy'), add('"1"', 'sell'), add('1', 'sell'), add('1', 'sell'), add('1', 'sell')]);
    expect(text.trim().split('\n')).toEqual([
      '{"line":1,"event":"accepted","id":12345678901234567890}',
      '{"line":2,"event":"accepted","id":12345678901234567891}',
      '{"line":3,"event":"accepted","id":"1"}',
      '{"line":3,"event":"trade","maker":12345678901234567890,"taker":"1","price":"1","quantity":"1"}',
      '{"line":4,"event":"accepted","id":1}',
      '{"line":4,"event":"trade","maker":12345678901234567891,"taker":1,"price":"1","quantity":"1"}',
      '{"line":5,"event":"accepted","id":1}',
      '{"line":6,"event":"rejected","id":1,"code":"duplicate_client_order_id"}',
    ]);
  });

  it('gives a market order no price, in the book or when it is amended', async () => {
    expect(await replay([
      { op: 'auction_start' },
      { op: 'add', id: 1, side: 'sell', type: 'market', quantity: '5' },
      { op: 'add', id: 2, side: 'buy', type: 'stop', stop_price: '2', quantity: '5' },
      { op: 'amend', id: 2, quantity: '4' },
      { op: 'amend', id: 1, quantity: '6' },
    ], { depth: 5 })).toEqual([
      { line: 2, event: 'accepted', id: 1 },
      { line: 3, event: 'accepted', id: 2 },
      { line: 4, event: 'amended', id: 2, price: null, quantity: '4', kept_priority: true },
      { line: 5, event: 'amended', id: 1, price: null, quantity: '6', kept_priority: false },
      { event: 'book', bids: [], asks: [] },
    ]);
  });

  it('does not slow down with time, stops or a large auction', async () => {
    const many = 20_000;
    const stops = Array.from({ length: many }, (_, id) => ({ op: 'add', id, side: 'buy', type: 'stop', stop_price: String(2 + id), quantity: '1' }));
    const ticks = Array.from({ length: many }, (_, at) => ({ op: 'time', now: at + 1 }));
    const crossed = Array.from({ length: many }, (_, at) => limit(many + at, at % 2 === 0 ? 'buy' : 'sell', String(1_000_000 + (at * 7) % many), '1'));
    const began = performance.now();
    const events = await replay([...stops, { op: 'auction_start' }, ...crossed, ...ticks, { op: 'auction_uncross' }], { tick: '1', step: '1' });
    expect(events.length).toBeGreaterThan(2 * many);
    // A scan of all for each would take minutes.
    expect(performance.now() - began).toBeLessThan(20_000);
  });
});
