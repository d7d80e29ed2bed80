import { describe, expect, test } from 'vitest';
import { ApiClient } from './api_client.ts';
import { ApiError } from './errors.ts';

interface Call {
  url: string;
  init: RequestInit;
}

function clientOf(answer: () => Response | Promise<Response>, csrf = 'token') {
  const calls: Call[] = [];
  const client = new ApiClient({
    base: '',
    csrfToken: () => csrf,
    randomId: () => 'id-1',
    fetch: async (url, init) => {
      calls.push({ url: url as string, init: init ?? {} });
      return await answer();
    },
  });
  return { client, calls };
}
const json = (body: unknown, status = 200, headers: Record<string, string> = {}): Response => new Response(body === undefined ? null : JSON.stringify(body), { status, headers });
const caught = async (work: Promise<unknown>): Promise<ApiError> => {
  const error = await work.catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(ApiError);
  return error as ApiError;
};

describe('a call', () => {
  test('reads without a body, a token or a key of its own', async () => {
    const { client, calls } = clientOf(() => json({ data: [] }));
    await client.get('/orders', { status: 'open', cursor: undefined, limit: 5 });
    expect(calls[0].url).toBe('/api/v1/orders?status=open&limit=5');
    expect(calls[0].init).toMatchObject({ method: 'GET', credentials: 'same-origin', body: null, headers: { accept: 'application/json' } });
  });

  test('that changes something carries the anti-forgery token and an idempotency key', async () => {
    const { client, calls } = clientOf(() => json({ order: {} }, 201));
    await client.post('/orders', { side: 'buy' });
    expect(calls[0].init.headers).toMatchObject({ 'x-csrf-token': 'token', 'idempotency-key': 'id-1', 'content-type': 'application/json' });
    expect(calls[0].init.body).toBe('{"side":"buy"}');
  });

  test('may answer without a body', async () => {
    const { client } = clientOf(() => new Response(null, { status: 204 }));
    await expect(client.delete('/keys/1')).resolves.toBeUndefined();
  });
});

describe('an error', () => {
  test('carries the contract\'s code, field and request', async () => {
    const { client } = clientOf(() => json({ error: { code: 'facility_frozen', message: 'Frozen.', field: 'price', request_id: 'req_1' } }, 422, { 'retry-after': '2' }));
    expect(await caught(client.post('/orders'))).toMatchObject({ status: 422, code: 'facility_frozen', message: 'Frozen.', field: 'price', requestId: 'req_1', retryAfterSeconds: 2 });
  });

  test('of the network has a code of its own', async () => {
    const { client } = clientOf(() => Promise.reject(new TypeError('failed to fetch')));
    expect(await caught(client.get('/me'))).toMatchObject({ status: 0, code: 'network_unreachable' });
  });

  test('in a foreign shape is said to be that', async () => {
    expect(await caught(clientOf(() => new Response('<html>', { status: 502 })).client.get('/me'))).toMatchObject({ status: 502, code: 'malformed_response' });
    expect(await caught(clientOf(() => json({ detail: 'no' }, 500)).client.get('/me'))).toMatchObject({ status: 500, code: 'malformed_response' });
  });
});
