/** The app as a client meets it: documents, limits, headers, errors. */
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openApiWorld, INSTRUMENT } from './test/api_world.ts';
import type { ApiWorld, Member } from './test/api_world.ts';

let world: ApiWorld;
let borrower: Member;

beforeAll(async () => {
  world = await openApiWorld();
  borrower = await world.member('borrower');
});
afterAll(() => world.close());

test('describes every mounted route in a valid OpenAPI 3.1 document', async () => {
  const { status, body } = await world.call('GET', '/openapi.json');
  expect(status).toBe(200);
  const result = await new Validator().validate(body);
  expect(result.errors ?? []).toEqual([]);
  expect(result.valid).toBe(true);
  expect(body.openapi).toBe('3.1.0');
  const paths = body.paths as Record<string, Record<string, unknown>>;
  for (const { method, path } of world.routes) expect(paths[path]?.[method], `${method} ${path}`).toBeDefined();
  for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json', '/docs']) expect(paths[path]).toBeDefined();
});

test('tells whether it lives, is ready, and what it counted', async () => {
  expect((await world.call('GET', '/healthz')).body).toEqual({ status: 'ok' });
  expect((await world.call('GET', '/readyz')).body).toEqual({ status: 'ready', problems: [] });
  const { body } = await world.call('GET', '/metrics');
  expect(body.text).toMatch(/http_requests_total\{operation="getHealth",status="200"\} [1-9]/);
  expect(body.text).toMatch(/market_committed_sequence [1-9]/);
});

test('serves its reference without script or third party', async () => {
  const { body, headers } = await world.call('GET', '/docs');
  expect(body.text).toContain('/api/v1/orders');
  expect(body.text).not.toMatch(/<script|https?:\/\//);
  expect(headers.get('content-security-policy')).toContain("script-src 'self'");
  expect(headers.get('content-security-policy')).not.toMatch(/unsafe|data:/);
});

test('gives every answer a request id, and keeps a usable one of the client', async () => {
  const made = await world.call('GET', '/api/v1/nothing');
  expect(made.status).toBe(404);
  expect(made.body.error?.request_id).toBe(made.headers.get('x-request-id'));
  const kept = await world.call('GET', '/healthz', { headers: { 'x-request-id': 'my-request-17' } });
  expect(kept.headers.get('x-request-id')).toBe('my-request-17');
});

test('counts requests against a limit', async () => {
  const { headers } = await world.call('GET', '/api/v1/status');
  expect(Number(headers.get('ratelimit-limit'))).toBeGreaterThan(0);
  expect(Number(headers.get('ratelimit-remaining'))).toBeLessThan(Number(headers.get('ratelimit-limit')));
  expect(Number(headers.get('ratelimit-reset'))).toBeGreaterThan(0);
});

const order = { instrument: INSTRUMENT, side: 'buy', price: '1.0000', quantity: '1' };
const nested = (depth: number): string => `{"instrument":${'['.repeat(depth)}${']'.repeat(depth)}}`;
const malformed: [string, { raw?: string | Uint8Array; body?: unknown; headers?: Record<string, string> }, number, string][] = [
  ['half of a body', { raw: '{"instrument": "' }, 400, 'invalid_json'],
  ['no JSON', { raw: 'buy' }, 400, 'invalid_json'],
  ['a number instead of an object', { raw: '17' }, 400, 'invalid_request'],
  ['null instead of an object', { raw: 'null' }, 400, 'invalid_request'],
  ['bytes that are no text', { raw: new Uint8Array([0x22, 0xff, 0xfe, 0x22]) }, 400, 'invalid_request'],
  ['nesting of 200,000 levels', { raw: nested(100_000) }, 400, 'nesting_too_deep'],
  ['a body of a megabyte', { raw: JSON.stringify({ ...order, instrument: 'x'.repeat(1_000_000) }) }, 413, 'request_too_large'],
  ['a form', { raw: 'side=buy', headers: { 'content-type': 'application/x-www-form-urlencoded' } }, 400, 'unsupported_media_type'],
  ['another charset', { raw: '{}', headers: { 'content-type': 'application/json; charset=utf-16' } }, 400, 'unsupported_media_type'],
  ['a compressed body', { raw: '{}', headers: { 'content-encoding': 'gzip' } }, 400, 'unsupported_media_type'],
  ['a price as a number', { body: { ...order, price: 1.5 } }, 400, 'invalid_request'],
  ['a price with an exponent', { body: { ...order, price: '1e3' } }, 400, 'invalid_request'],
  ['a price in hexadecimal', { body: { ...order, price: '0x10' } }, 400, 'invalid_request'],
  ['a negative price', { body: { ...order, price: '-1' } }, 422, 'amount_out_of_range'],
  ['an empty price', { body: { ...order, price: '' } }, 400, 'invalid_request'],
  ['infinity', { raw: `{"instrument":"${INSTRUMENT}","side":"buy","quantity":1e999,"price":"1"}` }, 400, 'invalid_request'],
  ['an unknown field', { body: { ...order, post_onyl: true } }, 400, 'invalid_request'],
  ['an own __proto__', { raw: `{"__proto__":{"side":"buy"},"instrument":"${INSTRUMENT}","price":"1","quantity":"1"}` }, 400, 'invalid_request'],
  ['an own constructor', { raw: `{"constructor":{"prototype":{"x":1}},"instrument":"${INSTRUMENT}","side":"buy","price":"1","quantity":"1"}` }, 400, 'invalid_request'],
];

test.each(malformed)('refuses %s', async (_, sent, status, code) => {
  const answer = await world.call('POST', '/api/v1/orders', { key: borrower.key, ...sent });
  expect([answer.status, answer.body.error?.code]).toEqual([status, code]);
  expect(({} as Record<string, unknown>).x).toBeUndefined();
});

test('names the field at fault', async () => {
  const { body } = await world.call('POST', '/api/v1/orders', { key: borrower.key, body: { ...order, side: 'long' } });
  expect(body.error).toMatchObject({ code: 'invalid_request', field: 'side' });
});

const twice: [string, string][] = [
  ['at the top', `{"instrument":"${INSTRUMENT}","side":"sell","side":"buy","price":"1","quantity":"1"}`],
  ['spelled in two ways', `{"instrument":"${INSTRUMENT}","side":"sell","\\u0073ide":"buy","price":"1","quantity":"1"}`],
  ['in an array, far below', `{"x":[[{"a":{"side":1,"b":[],"side":2}}]]}`],
  ['among many', `{${Array.from({ length: 5_000 }, (_, index) => `"n${index}":0`).join(',')},"side":1,"n17":0}`],
];
test.each(twice)('refuses a name that one object has twice, %s', async (_, raw) => {
  const { status, body } = await world.call('POST', '/api/v1/orders', { key: borrower.key, raw });
  expect([status, body.error?.code, body.error?.field]).toEqual([400, 'duplicate_key', raw.includes('n17') ? 'n17' : 'side']);
  const openai = await world.call('POST', '/v1/chat/completions', { key: borrower.key, raw });
  expect([openai.status, openai.body.error]).toEqual([400, { message: body.error?.message, type: 'invalid_request_error', param: body.error?.field, code: 'invalid_request_error' }]);
});

test.each(['__proto__', '\\u005f_proto__', 'constructor', 'prototype'])('refuses a field named %s at any depth', async (name) => {
  for (const raw of [`{"${name}":{"x":1}}`, `{"name":"k","scopes":["read"],"spot":{"enabled":false,"${name}":{"x":1}}}`]) {
    const { status, body } = await world.call('POST', '/api/v1/keys', { key: borrower.key, raw });
    expect([status, body.error?.code, body.error?.field]).toEqual([400, 'invalid_request', name.replace('\\u005f', '_')]);
  }
  expect(({} as Record<string, unknown>).x).toBeUndefined();
});

test('lets a request for a model describe any field, and have none that is read as a prototype', async () => {
  const ask = (name: string) => world.call('POST', '/v1/chat/completions', {
    key: borrower.key, raw: `{"model":"nobody/knows","messages":[{"role":"user","content":"\\"model\\":\\"model\\""}],"tools":[{"type":"function","function":{"name":"f"},"${name}":{"x":1}}]}`,
  });
  expect((await ask('constructor')).body.error?.code).toBe('model_not_found');
  expect((await ask('__proto__')).body.error).toMatchObject({ code: 'invalid_request_error', param: '__proto__' });
});

test('answers 405 with what the path takes, and 404 in the shape of the path', async () => {
  const answer = await world.call('PATCH', '/api/v1/balances', { key: borrower.key, body: {} });
  expect([answer.status, answer.body.error?.code, answer.headers.get('allow')]).toEqual([405, 'method_not_allowed', 'GET']);
  const openai = await world.call('GET', '/v1/nothing');
  expect(openai.status).toBe(404);
  expect(openai.body.error).toMatchObject({ code: 'not_found', type: 'invalid_request_error', param: null });
});

test('survives addresses that are none', async () => {
  expect((await world.call('GET', '/api/v1/orders/%E0%A4%A', { key: borrower.key })).status).toBe(400);
  expect((await world.call('GET', `/api/v1/orders/${'x'.repeat(9_000)}`, { key: borrower.key })).status).toBe(414);
});

test('knows nothing by an id that no id can be, whatever the route', async () => {
  const provider = await world.member('provider');
  for (const { method, path } of world.routes.filter((route) => route.path.includes('{'))) {
    for (const { key } of [borrower, provider]) {
      const answer = await world.call(method.toUpperCase(), path.replaceAll(/\{\w+\}/g, '%00'), { key, body: method === 'get' || method === 'delete' ? undefined : {} });
      expect(answer.status, `${method} ${path}: ${JSON.stringify(answer.body)}`).toBeLessThan(500);
    }
  }
  const login = await world.call('POST', '/api/v1/auth/login', { body: { email: 'a\u0000b', password: 'a\u0000b' } });
  expect([login.status, login.body.error?.field]).toEqual([400, 'email']);
});
