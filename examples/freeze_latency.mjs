/**
 * How long a freeze takes until its last effect: the first bid that is refused, the first request of the gateway that is refused,
 * and the message on the socket, all under way all the time. `node examples/freeze_latency.mjs [ROUNDS] [--orders PER_SECOND]`:
 * another company places and cancels so many orders a second meanwhile, beside the demo's own bots and inference.
 */
import { parseArgs } from 'node:util';
import { io } from 'socket.io-client';
import { call, demo, instrument } from './demo.mjs';

const { values: options, positionals } = parseArgs({ options: { orders: { type: 'string', default: '0' } }, allowPositionals: true });
const [rounds, orders] = [positionals[0] ?? '20', options.orders].map(Number);
if (!(Number.isInteger(rounds) && rounds > 0 && Number.isInteger(orders) && orders >= 0)) throw new Error('usage: node examples/freeze_latency.mjs [ROUNDS] [--orders PER_SECOND]');
const ROUND_MILLIS_MAX = 5_000;
const [facility] = (await call(demo.borrower.api_key, 'GET', '/api/v1/facilities')).data;
const bid = { instrument: instrument('H100-SXM-80', 'us-east', 5), side: 'buy', type: 'limit', price: '0.1000', quantity: '0.01', time_in_force: 'ioc' };
const chat = { model: 'meta-llama/Llama-3.1-8B-Instruct', max_tokens: 1, messages: [{ role: 'user', content: 'hi' }] };

const socket = io(`${demo.url}/account`, { auth: { token: demo.borrower.api_key }, transports: ['websocket'] });
await new Promise((resolve, reject) => socket.once('connect', resolve).once('connect_error', reject));
await socket.emitWithAck('subscribe', { channel: 'facility' });
/** Called with whether it is frozen, at each message. */
let heard = () => {};
socket.on('message', ({ channel, data }) => channel === 'facility' && heard(JSON.stringify(data).includes('"frozen_fraction":"1')));
const hear = (frozen) => new Promise((resolve) => {
  heard = (is) => is === frozen && resolve(performance.now());
  setTimeout(() => resolve(Infinity), ROUND_MILLIS_MAX).unref();
});

/** Asks again and again; @returns when the first answer came that said no */
async function refusedAt(ask, isOver) {
  while (!isOver()) if (await ask()) return performance.now();
  return Infinity;
}
const bidRefused = () => call(demo.borrower.api_key, 'POST', '/api/v1/orders', bid).then(() => false, (error) => error.message.includes('facility_frozen'));
const chatRefused = async () => {
  const answer = await fetch(`${demo.url}/v1/chat/completions`, {
    method: 'POST', headers: { authorization: `Bearer ${demo.gateway_key}`, 'content-type': 'application/json' }, body: JSON.stringify(chat),
  });
  await answer.arrayBuffer();
  return answer.status === 402;
};

/** A company of its own that trades; @returns its key */
async function registered() {
  const person = { email: `load-${Date.now()}@demo.example`, password: crypto.randomUUID() };
  const post = (path, body, headers = {}) => fetch(`${demo.url}/api/v1${path}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
  await post('/auth/register', { ...person, company: 'load', role: 'borrower' });
  const session = await post('/auth/login', person);
  const headers = { cookie: session.headers.get('set-cookie').split(';')[0], 'x-csrf-token': (await session.json()).csrf_token };
  const { secret } = await (await post('/keys', { name: 'load', scopes: ['trade', 'account', 'read'] }, headers)).json();
  await call(secret, 'POST', '/api/v1/deposits', { amount: '10000', reference: 'load' });
  await call(secret, 'POST', '/api/v1/prepayments', { amount: '10000' });
  return secret;
}

const TURNS_PER_SECOND = 20;
/** Bids far below the market that rest for a turn; @returns a function that ends them and says how many orders were executed a second */
async function load(perSecond) {
  const key = await registered();
  const places = Array.from({ length: Math.ceil(perSecond / TURNS_PER_SECOND / 2) }, () => ({
    op: 'place', instrument: instrument('H100-SXM-80', 'us-east', 6), side: 'buy', type: 'limit', price: '0.0100', quantity: '0.01', time_in_force: 'gtc',
  }));
  const began = performance.now();
  let [executed, resting, over] = [0, [], false];
  const turns = (async () => {
    for (let turn = 1; !over; turn++) {
      const { results } = await call(key, 'POST', '/api/v1/orders/batch', { operations: [...resting.map((id) => ({ op: 'cancel', id })), ...places] });
      executed += results.filter(({ status }) => status < 300).length;
      resting = results.flatMap(({ status, order }) => (status === 201 ? [order.id] : []));
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, began + (turn * 1_000) / TURNS_PER_SECOND - performance.now())));
    }
  })();
  return async () => {
    over = true;
    await turns;
    return Math.round(executed / ((performance.now() - began) / 1_000));
  };
}

const end = orders > 0 ? await load(orders) : undefined;
const taken = { bid: [], gateway: [], socket: [], last: [] };
for (let round = 0; round < rounds; round++) {
  let over = false;
  const timer = setTimeout(() => (over = true), ROUND_MILLIS_MAX);
  const told = hear(true);
  const effects = [refusedAt(bidRefused, () => over), refusedAt(chatRefused, () => over)];
  await new Promise((resolve) => setTimeout(resolve, 100));
  const began = performance.now();
  await call(demo.lender.api_key, 'POST', `/api/v1/facilities/${facility.id}/freeze`, { fraction: '1', reason: 'drill' });
  const [onBid, onGateway, onSocket] = await Promise.all([...effects, told]);
  clearTimeout(timer);
  taken.bid.push(onBid - began);
  taken.gateway.push(onGateway - began);
  taken.socket.push(onSocket - began);
  taken.last.push(Math.max(onBid, onGateway, onSocket) - began);
  // A socket that has not heard of the end would not hear of the next beginning.
  const lifted = hear(false);
  await call(demo.lender.api_key, 'POST', `/api/v1/facilities/${facility.id}/unfreeze`, {});
  await lifted;
}
socket.close();
if (end !== undefined) console.log(`${await end()} orders a second beside it`);
for (const [effect, millis] of Object.entries(taken)) {
  millis.sort((a, b) => a - b);
  const rank = (share) => millis[Math.min(millis.length - 1, Math.ceil(millis.length * share) - 1)].toFixed(1);
  console.log(`${effect}: p50 ${rank(0.5)} ms, p99 ${rank(0.99)} ms`);
}
