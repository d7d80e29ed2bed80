/** The server is killed amid requests of every kind, at providers that fail: what was debited is what was used, once, and nothing stays held. */
import pg from 'pg';
import { readRows } from '../../db/journal_reader.ts';
import { idOf } from '../../api/ids.ts';
import { ACCOUNT, accountOf } from '../../engine/ledger/accounts.ts';
import { decodeEnvelopes } from '../../engine/codec/command_codec.ts';
import { decodeEventBytes } from '../../engine/codec/event_codec.ts';
import { decodeEvent, forEachEvent } from '../../engine/events.ts';
import { MILLIS_PER_HOUR, formatUnits } from '../../engine/numbers/units.ts';
import type { Fault, FaultReport } from './fault.ts';
import { FaultWorld } from './fault_world.ts';
import { InferenceLoad } from './inference_load.ts';
import { InferenceProvider } from './inference_provider.ts';
import { until } from './server_process.ts';

const CHAT = 'meta-llama/Llama-3.1-8B-Instruct';
const EMBEDDING = 'BAAI/bge-m3';
const PLACE = { class: 'H100-SXM-80', region: 'us-west' };
/** Requests between two deaths. */
const REQUESTS = { short: 100, long: 1_000 };
const WAIT_MILLIS = 60_000;

type Call = <T>(method: string, path: string, body?: object) => Promise<T>;
const callerOf = (world: FaultWorld, key: () => string): Call => async <T>(method: string, path: string, body?: object): Promise<T> => {
  const answer = await fetch(`${world.server.url}/api/v1${path}`, {
    method, headers: { authorization: `Bearer ${key()}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text) as T;
};

/** Moves the clock into the next hour. */
async function beginHour(operator: Call): Promise<void> {
  const { now } = await operator<{ now: string }>('GET', '/status');
  await operator('POST', '/clock', { now: new Date((Math.floor(Date.parse(now) / MILLIS_PER_HOUR) + 1) * MILLIS_PER_HOUR + 1_000).toISOString() });
}

/** The demo's provider sells hours of the failing endpoint, cheaper than all others. */
async function sell(world: FaultWorld, provider: InferenceProvider): Promise<string> {
  const call = callerOf(world, () => world.server.demo.provider.api_key);
  await call('POST', '/deposits', { amount: '1000000', reference: 'bond' });
  await call('POST', '/bond', { amount: '500000' });
  await call('POST', '/capacity', { ...PLACE, gpus: 4_000 });
  const { id } = await call<{ id: string }>('POST', '/endpoints', { url: `http://${provider.address}/v1`, ...PLACE, models: [CHAT, EMBEDDING] });
  await until('the endpoint is verified', async () => (await call<{ data: { id: string; status: string }[] }>('GET', '/endpoints')).data.some((row) => row.id === id && row.status === 'verified'), WAIT_MILLIS);
  // What an endpoint proves is verified by a command of its own.
  await until('the capacity is verified', async () => (await call<{ data: { region: string; status: string }[] }>('GET', '/capacity')).data.some(({ region, status }) => region === PLACE.region && status === 'verified'), WAIT_MILLIS);
  const { now } = await call<{ now: string }>('GET', '/status');
  const hour = new Date(Date.parse(now) - (Date.parse(now) % MILLIS_PER_HOUR)).toISOString().replace(/[-:]/g, '').slice(0, 11);
  const instrument = `${PLACE.class}.${PLACE.region}.${hour}Z`;
  const book = await call<{ asks: [string, string][] }>('GET', `/instruments/${instrument}/book?depth=1`);
  const price = book.asks.length === 0 ? '2.0000' : (Number(book.asks[0][0]) - 0.0001).toFixed(4);
  await call('POST', '/orders', { instrument, side: 'sell', type: 'limit', price, quantity: '20', time_in_force: 'gtc' });
  return (await call<{ company_id: string }>('GET', '/me')).company_id;
}

/** What the journal says of requests, and of what it cost. */
interface Charged {
  /** By the request's own id. */
  requests: Map<string, number>;
  keys: Map<string, number>;
  /** Credits of all usage, and what the ledger retired for it. */
  usage: number;
  debits: number;
  /** How often a receipt of so much on an allocation was due. */
  receipts: Map<string, number>;
  /** GPU time that was still held when its hour ended. */
  leftHeld: number;
}

async function chargedIn(databaseUrl: string): Promise<Charged> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const charged: Charged = { requests: new Map(), keys: new Map(), usage: 0, debits: 0, receipts: new Map(), leftHeld: 0 };
  try {
    for await (const row of readRows(client, 1)) {
      const envelopes = decodeEnvelopes(row.commands);
      let envelope = -1;
      const batch = decodeEventBytes(row.events);
      forEachEvent(batch, (_kind, at) => {
        const event = decodeEvent(batch, at);
        if (event.kind === 'command') envelope++;
        const isCapture = envelopes[envelope]?.command.type === 'capture';
        if (event.kind === 'posted' && isCapture) for (let pair = 0; pair < event.entries.length; pair += 2) if (accountOf(event.entries[pair]) === ACCOUNT['lot.issued']) charged.debits -= event.entries[pair + 1];
        if (event.kind === 'allocationSettled') charged.leftHeld += event.pendingGpu;
        if (event.kind !== 'usageCaptured') return;
        charged.usage += event.credits;
        count(charged.requests, event.request);
        const key = envelopes[envelope].idempotencyKey;
        if (key !== '') count(charged.keys, key);
        count(charged.receipts, receiptKey(idOf('allocation', event.allocation), formatUnits(event.gpu, 6)));
      });
    }
  } finally {
    await client.end();
  }
  return charged;
}
const count = (counts: Map<string, number>, name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1);
const receiptKey = (allocation: string, gpu: string): string => `${allocation} ${gpu}`;

function findingsOf(charged: Charged, load: InferenceLoad): string[] {
  const found: string[] = [];
  const twice = (counts: ReadonlyMap<string, number>): number => [...counts.values()].filter((times) => times > 1).length;
  if (charged.usage !== charged.debits) found.push(`debits sum to ${charged.debits}, usage to ${charged.usage}`);
  if (twice(charged.requests) > 0) found.push(`${twice(charged.requests)} requests were charged twice`);
  if (twice(charged.keys) > 0) found.push(`${twice(charged.keys)} idempotency keys were charged twice`);
  if (charged.leftHeld > 0) found.push(`${charged.leftHeld} of 1e-6 GPU-seconds were still held when the hour ended`);
  const free = [...load.answered].filter((key) => ![...charged.keys.keys()].some((known) => known.endsWith(key)));
  if (free.length > 0) found.push(`${free.length} answered keys were never charged, ${free[0]} is one`);
  const due = new Map(charged.receipts);
  const unknown = load.told.filter(({ allocation, gpu }) => {
    const key = receiptKey(allocation, gpu);
    due.set(key, (due.get(key) ?? 0) - 1);
    return (due.get(key) ?? 0) < 0;
  });
  if (unknown.length > 0) found.push(`${unknown.length} receipts are not in the journal: ${JSON.stringify(unknown[0])}`);
  return found;
}

async function run({ root, long, say }: FaultWorld, times: number): Promise<FaultReport> {
  const provider = await InferenceProvider.open([CHAT, EMBEDDING]);
  // A clock that stands: the hour ends when all has been said, so that what is held then is found.
  const world = await FaultWorld.open({ root, long, say, environment: { CLOCK: 'manual', ENDPOINT_ALLOW: provider.address, RATE_LIMIT: '1000000' } });
  try {
    await world.load.stop();
    const operator = callerOf(world, () => world.server.demo.operator.api_key);
    // An hour that has just begun, whenever the fault is injected: late in one, little can be sold.
    await beginHour(operator);
    const id = await sell(world, provider);
    provider.fails = true;
    const each = long ? REQUESTS.long : REQUESTS.short;
    const load = new InferenceLoad({ url: () => world.server.url, apiKey: world.server.demo.gateway_key, models: { chat: CHAT, embedding: EMBEDDING }, provider: id, count: each * times });
    const running = load.run();
    for (let time = 0; time < times; time++) {
      await until('requests', () => load.done >= each * time + each / 2, 600_000);
      await world.server.kill();
      const millis = await world.restart();
      say(`  after ${load.done} requests the server was killed; ready again after ${(millis / 1000).toFixed(1)} s`);
    }
    await running;
    await beginHour(operator);
    const charged = await chargedIn(world.postgres.url);
    const findings = [...findingsOf(charged, load), ...(await world.verdict())];
    if (charged.requests.size < (each * times) / 2) findings.push(`only ${charged.requests.size} of ${each * times} requests were charged`);
    const ends = [...load.ends].map(([end, number]) => `${number} ${end}`).join(', ');
    return { times, findings, note: `${each * times} requests (${ends}), ${charged.requests.size} charged, ${charged.usage} = ${charged.debits} of 1e-6 CR` };
  } finally {
    await world.close();
    provider.close();
  }
}

export const inferenceFaults: Fault[] = [{ name: 'killed amid requests at failing providers', times: { short: 2, long: 10 }, run }];
