import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BUY, SELL } from '../../../engine/vocabulary.ts';
import { createApp } from '../../app.ts';
import type { Auth } from '../../auth/auth.ts';
import { Committed } from '../../committed.ts';
import { readConfig } from '../../config.ts';
import { checksumOf } from '../../market/wire.ts';
import type { LevelPair } from '../../market/wire.ts';
import { HOUR, INSTRUMENT, openExchange, place, trade } from '../../market/test/exchange.ts';
import type { Exchange } from '../../market/test/exchange.ts';
import type { Services } from '../../services.ts';
import { marketRoutes } from './market_routes.ts';

let exchange: Exchange;
let server: Server;

beforeEach(async () => {
  exchange = await openExchange();
  const { sequencer, directory, view: market } = exchange;
  const nobody: Pick<Auth, 'authenticate'> = { authenticate: () => Promise.resolve({ ok: false, reason: 'unauthenticated' }) };
  // Public market routes touch neither the database nor keys; whether it lives is listened for.
  const database = { on: () => undefined };
  const services = { database, config: readConfig({}), log: pino({ level: 'silent' }), sequencer, directory, market, committed: await Committed.follow(sequencer), auth: nobody };
  server = createServer(createApp({ services: services as unknown as Services, routes: marketRoutes }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

interface Answer {
  status: number;
  body: Record<string, unknown> & { data: Record<string, unknown>[]; next_cursor: string | null };
}

/** Answers are checked against what the route promises. */
async function get(path: string): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1${path}`);
  const body = (await response.json()) as Answer['body'];
  const pattern = (template: string): RegExp => new RegExp(`^${template.replace('{id}', '[^/]+')}$`);
  const route = marketRoutes.find((candidate) => pattern(candidate.path).test(`/api/v1${path.split('?')[0]}`));
  if (response.status === 200) expect(() => route?.responses[200].schema?.parse(body)).not.toThrow();
  return { status: response.status, body };
}

/** Follows `next_cursor` to the end. */
async function pages(path: string): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const { body }: Answer = await get(`${path}${path.includes('?') ? '&' : '?'}${cursor === '' ? '' : `cursor=${cursor}&`}`.replace(/[?&]$/, ''));
    rows.push(...body.data);
    cursor = body.next_cursor;
  }
  return rows;
}

test('an address that is too long is not looked at', async () => {
  const { status, body } = await get(`/instruments?class=${'x'.repeat(10_000)}`);
  expect([status, body['error']]).toEqual([414, expect.objectContaining({ code: 'uri_too_long' })]);
});

describe('instruments', () => {
  test('are listed in pages without a gap or a repeat', async () => {
    const rows = await pages('/instruments?class=H100-SXM-80&from=2026-12-02T00:30:00Z&to=2026-12-04T00:00:00Z&limit=7');
    const ids = rows.map(({ id }) => id);
    expect(ids).toHaveLength(2 * 47);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids[0]).toBe('H100-SXM-80.us-east.20261202T01Z');
    expect(ids.at(-1)).toBe('H100-SXM-80.eu-west.20261203T23Z');
    expect(rows[0]).toMatchObject({ phase: 'open', mode: 'open', tick_size: '0.0001', step_size: '0.01', list_price: '3.0000', best_bid: null });
  });

  test('are found by name', async () => {
    place(exchange, exchange.buyers[1], BUY, 20_000, 150);
    expect((await get(`/instruments/${INSTRUMENT}`)).body).toMatchObject({ id: INSTRUMENT, best_bid: '2.0000', bid_quantity: '1.5', start_at: '2026-12-02T14:00:00.000Z' });
    for (const id of ['X.us-east.20261202T14Z', 'H100-SXM-80.us-east.20261232T14Z', 'H100-SXM-80', '..']) expect((await get(`/instruments/${id}`)).status).toBe(404);
  });

  test('refuse filters that name nothing', async () => {
    for (const query of ['class=X', 'region=x', 'from=tomorrow', 'limit=0', 'limit=1001', 'cursor=!', 'colour=red']) {
      const { status, body } = await get(`/instruments?${query}`);
      expect([query, status]).toEqual([query, 400]);
      expect(body.error).toMatchObject({ code: query.startsWith('cursor') ? 'invalid_cursor' : 'invalid_request' });
    }
  });
});

describe('the book', () => {
  test('has three levels of detail', async () => {
    const { providers, buyers } = exchange;
    const first = place(exchange, providers[1], SELL, 21_000, 100);
    const second = place(exchange, providers[2], SELL, 21_000, 50);
    place(exchange, providers[1], SELL, 22_000, 100);
    place(exchange, buyers[1], BUY, 20_000, 25);
    const book = async (query: string) => (await get(`/instruments/${INSTRUMENT}/book?${query}`)).body;
    expect(await book('level=1')).toMatchObject({ level: 1, bids: [['2.0000', '0.25']], asks: [['2.1000', '1.5']] });
    const full = await book('');
    expect(full).toMatchObject({ level: 2, sequence: exchange.view.sequence, asks: [['2.1000', '1.5'], ['2.2000', '1']] });
    expect(full.checksum).toBe(checksumOf(full.bids as LevelPair[], full.asks as LevelPair[]));
    expect(await book('depth=1')).toMatchObject({ asks: [['2.1000', '1.5']], checksum: full.checksum });
    expect(await book('level=3&depth=1')).toMatchObject({ asks: [['2.1000', '1', `ord_${first}`], ['2.1000', '0.5', `ord_${second}`]] });
    expect(await book('model=small')).toMatchObject({ asks: [['2.1000', '1'], ['2.2000', '1']], bids: [['2.0000', '0.25']] });
    expect((await get(`/instruments/${INSTRUMENT}/book?model=large`)).status).toBe(400);
    expect((await get(`/instruments/${INSTRUMENT}/book?level=4`)).status).toBe(400);
  });
});

describe('trades, candles, the curve, indices', () => {
  test('are listed', async () => {
    for (const index of [1, 2, 3, 4]) trade(exchange, index, index, 20_000 + index, 2_600);
    place(exchange, exchange.providers[1], SELL, 21_000, 100, { hour: HOUR + 1 });
    const trades = await pages(`/instruments/${INSTRUMENT}/trades?limit=3`);
    expect(trades.map(({ id }) => id)).toEqual(['fil_4', 'fil_3', 'fil_2', 'fil_1']);
    expect(trades[0]).toMatchObject({ price: '2.0004', quantity: '26', side: 'buy' });
    expect((await get(`/instruments/${INSTRUMENT}/candles?interval=1h`)).body.data).toMatchObject([{ open: '2.0001', high: '2.0004', close: '2.0004', volume: '104', trades: 4 }]);
    const curve = (await get('/curve?class=H100-SXM-80&region=us-east')).body;
    expect(curve.data).toMatchObject([
      { instrument: INSTRUMENT, last_price: '2.0004', mark_price: '2.0002', mark_source: 'trades' },
      { best_ask: '2.1000', mark_source: 'index' },
    ]);
    expect(curve.otherwise).toEqual([{ class: 'H100-SXM-80', region: 'us-east', mark_price: '2.0002', mark_source: 'index' }]);
    expect((await get('/indices')).body.data).toMatchObject([
      { class: 'H100-SXM-80', price: '2.0002', inputs: { trades: 4, volume: '104', buyer_groups: 4 }, minimum: { volume: '100', provider_groups: 4 } },
      { class: 'A100-PCIE-40', price: null },
    ]);
  });

  test('and so are classes and regions', async () => {
    expect((await pages('/classes?limit=1')).map(({ id }) => id)).toEqual(['H100-SXM-80', 'A100-PCIE-40']);
    expect((await get('/classes')).body.data[0]).toMatchObject({ memory_gb: 80, list_price: '3.0000', list_price_inputs: [{ provider: 'north', usd: '3.00' }], next_list_price: null });
    expect((await get('/regions')).body).toEqual({ data: [{ id: 'us-east' }, { id: 'eu-west' }], next_cursor: null });
  });
});
