/** The server is killed amid requests of every kind, at providers that fail: what was debited is what was used, once, and nothing stays held. */
import pg from 'pg';
import { readRows } from '../../db/journal_reader.ts';
import { idOf } from '../../api/ids.ts';
import { ACCOUNT, accountOf } from '../../engine/ledger/accounts.ts';
import { decodeEnvelopes } from '../../engine/codec/command_codec.ts';
import { decodeEventBytes } from '../../engine/codec/event_codec.ts';
import { decodeEvent, forEachEvent } from '../../engine/events.ts';
import { formatUnits } from '../../engine/numbers/units.ts';
import { deskFault } from './desk.ts';
import type { Desk } from './desk.ts';
import { failing } from './failing_provider.ts';
import type { Fault, FaultReport } from './fault.ts';
import { InferenceLoad } from './inference_load.ts';
import { CHAT, EMBEDDING } from './inference_market.ts';
import { until } from './server_process.ts';

/** Requests between two deaths. */
const REQUESTS = { short: 100, long: 1_000 };

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

async function run(desk: Desk, times: number): Promise<FaultReport> {
  const { world, endpoint, provider } = desk;
  const { demo } = world.server;
  endpoint.steering = failing(CHAT);
  const each = world.long ? REQUESTS.long : REQUESTS.short;
  const load = new InferenceLoad({ url: () => world.server.url, apiKey: demo.gateway_key, models: { chat: CHAT, embedding: EMBEDDING }, provider, count: each * times });
  const running = load.run();
  for (let time = 0; time < times; time++) {
    await until('requests', () => load.done >= each * time + each / 2, 600_000);
    await world.server.kill();
    const millis = await world.restart();
    world.say(`  after ${load.done} requests the server was killed; ready again after ${(millis / 1000).toFixed(1)} s`);
  }
  await running;
  await desk.beginHour();
  const charged = await chargedIn(world.databaseUrl);
  const findings = findingsOf(charged, load);
  if (charged.requests.size < (each * times) / 2) findings.push(`only ${charged.requests.size} of ${each * times} requests were charged`);
  const ends = [...load.ends].map(([end, number]) => `${number} ${end}`).join(', ');
  return { times, findings, note: `${each * times} requests (${ends}), ${charged.requests.size} charged, ${charged.usage} = ${charged.debits} of 1e-6 CR` };
}

export const inferenceFaults: Fault[] = [deskFault('killed amid requests at failing providers', { short: 2, long: 10 }, run)];
