/** Limits, a market that is not a demo, and what the log says. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import { createApp } from '../app.ts';
import { Unavailable } from '../sequencer/port.ts';
import type { Services } from '../services.ts';
import { exchangeRoutes } from './routes/all_routes.ts';
import { INSTRUMENT, openApiWorld } from './test/api_world.ts';
import type { ApiWorld } from './test/api_world.ts';

let world: ApiWorld;
afterEach(() => {
  vi.useRealTimers();
  return world.close();
});

test('who asks too often is told when to come back', async () => {
  world = await openApiWorld({ RATE_LIMIT: '1' });
  // However long it takes, it is within one window.
  vi.useFakeTimers({ toFake: ['Date'] });
  const { key } = await world.member('borrower');
  const other = await world.member('borrower');
  const answers = [];
  for (let index = 0; index < 11; index++) answers.push(await world.call('GET', '/api/v1/balances', { key }));
  expect(answers.slice(0, 10).map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
  const last = answers[10];
  expect([last.status, last.body.error?.code]).toEqual([429, 'rate_limit_exceeded']);
  expect(last.headers.get('retry-after')).toBe(last.headers.get('ratelimit-reset'));
  expect(last.headers.get('ratelimit-remaining')).toBe('0');
  expect((await world.call('GET', '/api/v1/balances', { key: other.key })).status).toBe(200);
  // Who watches over the process asks from an address that may have asked for much else.
  const watched = [];
  for (let index = 0; index < 11; index++) watched.push((await world.call('GET', '/api/v1/status')).status);
  expect(watched[10]).toBe(429);
  for (const path of ['/readyz', '/healthz']) for (let index = 0; index < 12; index++) expect((await world.call('GET', path)).status).toBe(200);
});

test('without a demo, announced money waits for the bank', async () => {
  world = await openApiWorld({ DEMO: '0' });
  const borrower = await world.member('borrower');
  const operator = await world.member('operator');
  const headers = { 'idempotency-key': 'deposit-1' };
  const announce = () => world.call('POST', '/api/v1/deposits', { key: borrower.key, body: { amount: '1000', reference: 'INV 1' }, headers });
  const first = await announce();
  expect([first.status, first.body]).toEqual([201, { id: expect.stringMatching(/^dep_/), amount: '1000.00', reference: 'INV 1', status: 'pending' }]);
  expect((await announce()).body).toEqual(first.body);
  expect((await world.call('GET', '/api/v1/balances', { key: borrower.key })).body.usd).toBe('0.00');
  const raw = 'date,amount,reference\n2026-12-01,1000,INV 1\n';
  expect((await world.call('POST', '/api/v1/bank-transactions', { key: operator.key, raw, headers: { 'content-type': 'text/csv' } })).body).toMatchObject({ matched: 1 });
  const usd = async () => (await world.call('GET', '/api/v1/balances', { key: borrower.key })).body.usd;
  expect(await usd()).toBe('1000.00');
  const upload = (...lines: string[]) => world.call('POST', '/api/v1/bank-transactions', { key: operator.key, raw: ['date,amount,reference', ...lines].join('\n'), headers: { 'content-type': 'text/csv' } });
  // A second transfer under the reference is the company's too; one that comes before it is announced is credited when the file is sent again.
  expect((await upload('2026-12-02,400,INV 1', '2026-12-02,7,INV 2')).body).toMatchObject({ matched: 1, unmatched: 1, credited: '400.00' });
  await world.call('POST', '/api/v1/deposits', { key: borrower.key, body: { amount: '7', reference: 'INV 2' } });
  for (const matched of [1, 0]) expect((await upload('2026-12-02,400,INV 1', '2026-12-02,7,INV 2')).body).toMatchObject({ matched, duplicate: 2 - matched, unmatched: 0 });
  expect(await usd()).toBe('1407.00');
  // What cannot be read is told line by line, and nothing of the file is booked.
  expect((await upload('2026-12-03,5,INV 1', 'soon,5,INV 1', '2026-12-03,-5,INV 1')).body.error?.message).toMatch(/^Line 3: the date .*; line 4: the amount /);
  expect(await usd()).toBe('1407.00');
});

async function callWith(services: Services, key: string): Promise<Response> {
  const server = createServer(createApp({ services, routes: exchangeRoutes() }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const body = JSON.stringify({ instrument: INSTRUMENT, side: 'buy', price: '1.0000', quantity: '1' });
  try {
    return await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/orders`, {
      method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', cookie: 'ccx_session=whatever' }, body,
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('a market that takes nothing answers 503 and when to try again; what is unexpected says nothing, and the log no secret', async () => {
  world = await openApiWorld();
  const { key } = await world.member('borrower');
  const lines: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) });
  const failing = (error: Error): Services => ({ ...world.services, log, sequencer: { ...world.services.sequencer, submit: () => Promise.reject(error) } });
  const away = await callWith(failing(new Unavailable('the journal is away', 3)), key);
  expect([away.status, away.headers.get('retry-after'), ((await away.json()) as { error: { code: string } }).error.code]).toEqual([503, '3', 'unavailable']);
  const broken = await callWith(failing(new Error('password=hunter2 in a query')), key);
  const text = await broken.text();
  expect([broken.status, text.includes('hunter2')]).toEqual([500, false]);
  expect(JSON.parse(text)).toMatchObject({ error: { code: 'internal_error', request_id: broken.headers.get('x-request-id') } });
  expect(lines.join('')).toContain('request failed');
  expect(lines.join('')).not.toContain(key);
  expect(lines.join('')).not.toContain('ccx_session');
});
