/** Webhooks as a receiver sees them: signed, in order, again after a failure, and never to an address that is not public. */
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openApiWorld } from '../http/test/api_world.ts';
import type { ApiWorld, Member } from '../http/test/api_world.ts';
import { WebhookSender } from './webhook_sender.ts';

interface Received {
  headers: Record<string, string>;
  body: string;
}
const received: Received[] = [];
let status = 204;
const receiver = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString()));
  request.on('end', () => {
    received.push({ headers: request.headers as Record<string, string>, body });
    response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end();
  });
});
await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
const port = (receiver.address() as AddressInfo).port;
const url = `http://127.0.0.1:${port}/hook`;

let world: ApiWorld;
let borrower: Member;
let sender: WebhookSender;
beforeAll(async () => {
  world = await openApiWorld({ ENDPOINT_ALLOW: `127.0.0.1:${port}` });
  borrower = await world.member('borrower');
  const { database, vault, directory } = world.services;
  sender = new WebhookSender({ database, vault, directory, log: pino({ level: 'silent' }), allow: [`127.0.0.1:${port}`] });
}, 60_000);
afterAll(async () => {
  await sender.close();
  await world.close();
  receiver.close();
});

const call = (method: string, path: string, body?: unknown, member = borrower) => world.call(method, `/api/v1${path}`, { key: member.key, body });
const deposit = (reference: string) => call('POST', '/deposits', { amount: '10', reference });
/** Rounds until so many messages have come; the projection follows a moment after the answer. */
async function until(count: number): Promise<Received[]> {
  await expect.poll(async () => {
    await sender.run();
    return received.length;
  }).toBe(count);
  return received.splice(0);
}

/** By the scheme's text, not by our code. */
function isSigned({ headers, body }: Received, secret: string): boolean {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const expected = createHmac('sha256', key).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`).digest('base64');
  return headers['webhook-signature'].split(' ').includes(`v1,${expected}`);
}

test('what happens is sent once, signed, and again under the same id when it failed or is replayed', async () => {
  await deposit('before there is a webhook');
  const made = await call('POST', '/webhooks', { url, events: ['deposit.credited'] });
  expect(made.body).toMatchObject({ status: 'active', events: ['deposit.credited'], secret: expect.stringMatching(/^whsec_/) });
  const id = String(made.body.id);
  const secret = String(made.body.secret);
  expect(((await call('GET', '/webhooks')).body.data as object[])[0]).not.toHaveProperty('secret');
  await call('POST', '/prepayments', { amount: '1' });
  await deposit('first');
  const [first] = await until(1);
  expect(isSigned(first, secret)).toBe(true);
  expect(JSON.parse(first.body)).toMatchObject({ type: 'deposit.credited', data: { company_id: `cmp_${borrower.user.company}`, amount: '10.00', reference: 'first' } });
  expect(Math.abs(Number(first.headers['webhook-timestamp']) * 1_000 - Date.now())).toBeLessThan(60_000);

  // By when it happened on the market's clock, which stands at another time than the one by which it was sent.
  const { timestamp } = JSON.parse(first.body) as { timestamp: string };
  const since = async (time: string): Promise<unknown> => (await call('POST', `/webhooks/${id}/replay`, { since: time })).body.deliveries;
  expect([await since(new Date(Date.parse(timestamp) + 1).toISOString()), await since(timestamp)]).toEqual([0, 1]);
  expect((await until(1))[0].body).toBe(first.body);

  status = 302;
  await deposit('second');
  const [failed] = await until(1);
  const [delivery] = (await call('GET', `/webhooks/${id}/deliveries?status=pending`)).body.data as Record<string, unknown>[];
  expect(delivery).toMatchObject({ attempts: 1, last_status: 302, type: 'deposit.credited' });
  status = 204;
  expect((await call('POST', `/webhooks/${id}/replay`, { delivery_id: delivery.id })).body).toEqual({ deliveries: 1 });
  const [again] = await until(1);
  expect([again.headers['webhook-id'], again.body]).toEqual([failed.headers['webhook-id'], failed.body]);

  const rotated = await call('POST', `/webhooks/${id}/rotate`);
  await call('POST', `/webhooks/${id}/test`);
  const [tested] = await until(1);
  expect([isSigned(tested, secret), isSigned(tested, String(rotated.body.secret))]).toEqual([true, true]);
  expect(JSON.parse(tested.body)).toMatchObject({ type: 'webhook.test' });

  status = 410;
  await deposit('third');
  await until(1);
  await expect.poll(async () => ((await call('GET', '/webhooks')).body.data as { status: string }[])[0].status).toBe('disabled');
  const stranger = await world.member('borrower');
  expect((await call('GET', `/webhooks/${id}/deliveries`, undefined, stranger)).status).toBe(404);
  expect((await call('DELETE', `/webhooks/${id}`)).body).toEqual({ id });
});

test('an address that is not public is refused when it is named and when it is used', async () => {
  for (const address of ['http://127.0.0.1:1/', 'http://169.254.169.254/latest', 'http://[::1]/']) {
    expect((await call('POST', '/webhooks', { url: address })).body.error?.code).toBe('endpoint_not_allowed');
  }
  // A name is not looked up before it is used.
  const made = await call('POST', '/webhooks', { url: 'http://localhost:1/' });
  const id = String(made.body.id);
  await call('POST', `/webhooks/${id}/test`);
  await expect.poll(async () => {
    await sender.run();
    return ((await call('GET', `/webhooks/${id}/deliveries`)).body.data as { last_error: string }[])[0].last_error;
  }).toMatch(/no public address/);
});

test('the list of events is one\'s own, newest first', async () => {
  const { data } = (await call('GET', '/events?type=deposit.credited')).body as { data: { type: string; data: { reference: string } }[] };
  expect(data.map((event) => event.data.reference)).toEqual(['third', 'second', 'first', 'before there is a webhook']);
  const stranger = await world.member('borrower');
  expect((await call('GET', '/events', undefined, stranger)).body.data).toEqual([]);
});
