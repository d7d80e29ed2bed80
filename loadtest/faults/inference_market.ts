/** What a market for inference consists of whose borrower buys at one endpoint. */
import { MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import type { FaultWorld } from './fault_world.ts';
import { until } from './server_process.ts';

export const CHAT = 'meta-llama/Llama-3.1-8B-Instruct';
export const EMBEDDING = 'BAAI/bge-m3';
const PLACE = { class: 'H100-SXM-80', region: 'us-west' };
const WAIT_MILLIS = 60_000;

export type Call = <T>(method: string, path: string, body?: object) => Promise<T>;
export const callerOf = (world: FaultWorld, key: () => string): Call => async <T>(method: string, path: string, body?: object): Promise<T> => {
  const answer = await fetch(`${world.server.url}/api/v1${path}`, {
    method, headers: { authorization: `Bearer ${key()}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text) as T;
};

/** Moves the clock into the next hour. */
export async function beginHour(operator: Call): Promise<void> {
  const { now } = await operator<{ now: string }>('GET', '/status');
  await operator('POST', '/clock', { now: new Date((Math.floor(Date.parse(now) / MILLIS_PER_HOUR) + 1) * MILLIS_PER_HOUR + 1_000).toISOString() });
}

/** The demo's provider registers an endpoint and waits until it is verified. @returns the company's id */
export async function openEndpoint(world: FaultWorld, address: string): Promise<string> {
  const call = callerOf(world, () => world.server.demo.provider.api_key);
  await call('POST', '/deposits', { amount: '1000000', reference: 'bond' });
  await call('POST', '/bond', { amount: '500000' });
  await call('POST', '/capacity', { ...PLACE, gpus: 4_000 });
  const { id } = await call<{ id: string }>('POST', '/endpoints', { url: `http://${address}/v1`, ...PLACE, models: [CHAT, EMBEDDING] });
  await until('the endpoint is verified', async () => (await call<{ data: { id: string; status: string }[] }>('GET', '/endpoints')).data.some((row) => row.id === id && row.status === 'verified'), WAIT_MILLIS);
  // What an endpoint proves is verified by a command of its own.
  await until('the capacity is verified', async () => (await call<{ data: { region: string; status: string }[] }>('GET', '/capacity')).data.some(({ region, status }) => region === PLACE.region && status === 'verified'), WAIT_MILLIS);
  return (await call<{ company_id: string }>('GET', '/me')).company_id;
}

/** It sells of the running hour, cheaper than all others. */
export async function sellHour(world: FaultWorld): Promise<void> {
  const call = callerOf(world, () => world.server.demo.provider.api_key);
  const { now } = await call<{ now: string }>('GET', '/status');
  const hour = new Date(Date.parse(now) - (Date.parse(now) % MILLIS_PER_HOUR)).toISOString().replace(/[-:]/g, '').slice(0, 11);
  const instrument = `${PLACE.class}.${PLACE.region}.${hour}Z`;
  const book = await call<{ asks: [string, string][] }>('GET', `/instruments/${instrument}/book?depth=1`);
  const price = book.asks.length === 0 ? '2.0000' : (Number(book.asks[0][0]) - 0.0001).toFixed(4);
  await call('POST', '/orders', { instrument, side: 'sell', type: 'limit', price, quantity: '20', time_in_force: 'gtc' });
}
