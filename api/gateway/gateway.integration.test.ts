/** What needs a real database: endpoints and keys as they are stored, the journal, usage and limits read from projections. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import OpenAI from 'openai';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Knex } from 'knex';
import { openDatabase } from '../../db/database.ts';
import { PostgresJournal } from '../../db/journal.ts';
import { Projector } from '../../db/projections/projector.ts';
import { ProjectionWaiter } from '../../db/queries/positions.ts';
import { freshDatabase } from '../../db/test/fresh_database.ts';
import type { FreshDatabase } from '../../db/test/fresh_database.ts';
import type { Command } from '../../engine/commands.ts';
import { CANCEL_NEWEST, GTC, LIMIT, NONE, SELL } from '../../engine/vocabulary.ts';
import { MICRO, MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../../engine/numbers/units.ts';
import { createApp } from '../app.ts';
import { Auth } from '../auth/auth.ts';
import type { NewKey } from '../auth/auth.ts';
import { Committed } from '../committed.ts';
import { readConfig } from '../config.ts';
import { createProvider } from '../demo/provider/provider.ts';
import { Directory } from '../directory.ts';
import { MarketView } from '../market/market_view.ts';
import { AllocationAuthoriser } from '../sequencer/authoriser.ts';
import { ManualClock } from '../sequencer/clock.ts';
import { createInProcessSequencer } from '../sequencer/in_process.ts';
import { eventOf } from '../sequencer/port.ts';
import type { SequencerPort } from '../sequencer/port.ts';
import type { Services } from '../services.ts';
import { WarningWatch } from '../warnings/warning_watch.ts';
import { Warnings } from '../warnings/warnings.ts';
import { openGateway } from './gateway.ts';
import type { Gateway } from './gateway.ts';
import { ANY_SPOT, CHAT, HOUR, MARKET, START, listen, micro, receiptOf } from './test/gateway_world.ts';
import { Vault } from './endpoints/vault.ts';

const BORROWER = 0;
const PROVIDER = 1;
const messages = [{ role: 'user' as const, content: 'hello' }];

let fresh: FreshDatabase;
let database: Knex;
let sequencer: SequencerPort;
let auth: Auth;
let base: Omit<Services, 'endpoints'>;
let gateway: Gateway;
let provider: Server;
let http: Server;
let url: string;
const closing: (() => Promise<void> | void)[] = [];

const run = async (command: Command): Promise<void> => {
  const ack = await sequencer.submit({ command, idempotencyKey: '', bodyHash: '' });
  const rejected = eventOf(ack.events, 'rejected');
  if (rejected !== undefined) throw new Error(`${command.type}: ${rejected.code}`);
};
async function keyFor(overrides: Partial<NewKey> = {}): Promise<string> {
  const key: NewKey = { name: 'test', scopes: ['inference'], allowedModels: null, allowedIps: null, expiresAt: null, monthlyLimit: null, spot: ANY_SPOT, ...overrides };
  const { text } = await database.transaction((transaction) => auth.createKey(transaction, { user: 'usr_1', company: BORROWER }, key));
  await auth.look();
  return text;
}
const ask = (key: string) => new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 }).chat.completions.create({ model: CHAT, messages, max_tokens: 20 });

async function seed(): Promise<void> {
  const commands: Command[] = [
    { type: 'registerCompany', name: 'Borrower', role: 'borrower', group: '' },
    { type: 'registerCompany', name: 'Provider', role: 'provider', group: '' },
    { type: 'addRegion', name: 'us-east' },
    { type: 'addClass', name: 'H100-SXM-80', chip: 'H100', memoryGb: 80, formFactor: 'SXM', listPrice: 40_000, listInputs: [] },
    { type: 'deposit', company: BORROWER, amount: 1_000 * MICRO, reference: '' },
    { type: 'prepay', company: BORROWER, amount: 1_000 * MICRO },
    { type: 'deposit', company: PROVIDER, amount: 1_000 * MICRO, reference: '' },
    { type: 'postBond', company: PROVIDER, amount: 1_000 * MICRO },
    { type: 'declareCapacity', company: PROVIDER, market: MARKET, gpus: 8 },
  ];
  for (const command of commands) await run(command);
  await database('users').insert({ id: 'usr_1', email: 'a@b.example', email_key: 'a@b.example', password_hash: '', company: BORROWER, role: 'borrower' });
}

async function follow(databaseUrl: string): Promise<void> {
  const projector = await Projector.open({ url: databaseUrl });
  if (projector === undefined) throw new Error('another projector follows this database');
  const stopping = new AbortController();
  const running = projector.run(stopping.signal);
  closing.push(async () => {
    stopping.abort();
    await running;
    await projector.close();
  });
}

beforeAll(async () => {
  fresh = await freshDatabase();
  database = openDatabase(fresh.url, 6);
  sequencer = createInProcessSequencer({
    journal: await PostgresJournal.lead({ url: fresh.url, holder: 'test' }), clock: new ManualClock(START), authoriser: new AllocationAuthoriser(),
  });
  await follow(fresh.url);
  const committed = await Committed.follow(sequencer);
  const { directory, stop } = await Directory.load(sequencer);
  closing.push(stop, () => committed.stop());
  await seed();
  const market = await MarketView.start(sequencer, directory);
  const log = pino({ level: 'silent' });
  auth = new Auth(database, log, () => committed.now);
  await auth.start();
  base = {
    config: readConfig({ LOG_LEVEL: 'silent' }), log, sequencer, committed, auth, database, projections: new ProjectionWaiter(database), directory, market,
    vault: new Vault(Buffer.alloc(32, 7)), clockFollowers: new Set<() => Promise<void>>(),
  };
  gateway = await openGateway(base, ['127.0.0.0/8']);
  http = createServer(createApp({ services: { ...base, endpoints: gateway.endpoints }, routes: gateway.routes }));
  url = await listen(http);
  provider = createProvider({ firstTokenMillis: 0, tokenMillis: 0, apiKey: 'sk-endpoint' });
  closing.push(() => market.close());
});
afterAll(async () => {
  for (const server of [http, provider]) {
    server.close();
    server.closeAllConnections();
  }
  await gateway.close();
  await auth.close();
  await sequencer.close();
  for (const close of closing) await close();
  await database.destroy();
  await fresh.drop();
});

/** As a process of its own has them. */
async function watch(): Promise<{ watch: WarningWatch; warnings: Warnings }> {
  const warnings = new Warnings(database, base.log);
  const watch = new WarningWatch(base, warnings);
  closing.push(() => watch.close());
  return Promise.resolve({ watch, warnings });
}
const look = (watches: readonly { watch: WarningWatch }[]): Promise<unknown> => Promise.all(watches.map(({ watch: one }) => one.run()));
const warned = async (type: string): Promise<{ id: string; data: Record<string, unknown> }[]> =>
  (await database('warnings').where({ type }).orderBy('number').select('id', 'data')) as { id: string; data: Record<string, unknown> }[];

describe('an endpoint', () => {
  const row = () => database('endpoints').where({ id: 'end_1' }).first<{ status: string; status_reason: string; verified_at: Date | null; credential: Buffer }>();

  test('that does not answer fails with its reason, and serves once it answers', async () => {
    await database('endpoints').insert({ id: 'end_1', company: PROVIDER, market: MARKET, url: 'http://127.0.0.1:1', models: JSON.stringify([CHAT]), credential: base.vault.seal('sk-endpoint', 'end_1') });
    gateway.endpoints.changed('end_1');
    await expect.poll(async () => (await row()).status).toBe('failed');
    expect((await row()).status_reason).toContain('ECONNREFUSED');
    expect((await row()).credential.toString('latin1')).not.toContain('sk-endpoint');
    expect(base.directory.capacities(PROVIDER)[0]).toMatchObject({ verified: 0, models: [] });
    await database('endpoints').where({ id: 'end_1' }).update({ url: await listen(provider), status: 'pending' });
    gateway.endpoints.changed('end_1');
    await expect.poll(async () => (await row()).status).toBe('verified');
    expect((await row()).verified_at).not.toBeNull();
    await expect.poll(() => base.directory.capacities(PROVIDER)[0].models.length).toBe(1);
    expect(base.directory.capacities(PROVIDER)[0].verified).toBe(8);
  });

  test('may not be at an address that is not public', async () => {
    const strict = await openGateway(base, []);
    expect(await strict.endpoints.refusal('http://127.0.0.1:8000/v1')).toContain('not a public address');
    expect(await strict.endpoints.refusal('http://169.254.169.254/latest')).toContain('not a public address');
    expect(await strict.endpoints.refusal('https://gpu.example.com/v1')).toBeUndefined();
    await strict.close();
  });
});

describe('use', () => {
  test('is found in the usage, with what it cost', async () => {
    await run({
      type: 'place', company: PROVIDER, market: MARKET, hour: HOUR, side: SELL, orderType: LIMIT, price: 24_000, quantity: 100, timeInForce: GTC, postOnly: false, displayQuantity: 0,
      minimumQuantity: 0, stopPrice: 0, expiresAt: 0, model: NONE, resaleOf: 0, selfTradePrevention: CANCEL_NEWEST, cancelOnDisconnect: false, clientOrderId: '',
    });
    const key = await keyFor();
    const receipts = [receiptOf(await ask(key)), receiptOf(await ask(key))];
    const usage = async (groupBy: string) => {
      const answer = await fetch(`${url}/v1/account/usage?group_by=${groupBy}&start_date=2026-12-01&end_date=2026-12-01`, { headers: { authorization: `Bearer ${key}` } });
      return ((await answer.json()) as { data: { group: string; requests: number; completion_tokens: number; credits_used: string }[] }).data;
    };
    const [byModel] = await usage('model');
    expect(byModel).toMatchObject({ group: CHAT, requests: 2, completion_tokens: 40 });
    expect(micro(byModel.credits_used)).toBe(receipts.reduce((sum, receipt) => sum + micro(receipt.credits_used), 0));
    expect((await usage('provider'))[0].group).toBe('Provider');
    expect((await usage('day'))[0].group).toBe('2026-12-01');
    expect((await usage('key'))[0].group).toMatch(/^key_/);
  });

  test('counts against limits, also what other processes have committed', async () => {
    const key = await keyFor({ monthlyLimit: 60 });
    await ask(key);
    // A process that has just begun knows what was spent from the projections.
    const other = await openGateway(base, ['127.0.0.0/8']);
    const app = createServer(createApp({ services: { ...base, endpoints: other.endpoints }, routes: other.routes }));
    const client = new OpenAI({ baseURL: `${await listen(app)}/v1`, apiKey: key, maxRetries: 0 });
    const used = [];
    for (;;) {
      const answer = await client.chat.completions.create({ model: CHAT, messages, max_tokens: 20 }).catch((error: unknown) => error as { status: number; code: string });
      if ('code' in answer) {
        expect(answer).toMatchObject({ status: 402, code: 'budget_exceeded' });
        break;
      }
      used.push(micro(receiptOf(answer).credits_used));
      expect(used.length).toBeLessThan(30);
    }
    expect(used.reduce((sum, amount) => sum + amount, 0)).toBeLessThanOrEqual(60);
    expect(used.length).toBeGreaterThan(5);
    await other.close();
    app.close();
    app.closeAllConnections();
  });

  test('of a budget is told at 80, 95 and 100 %, once, however many processes look and begin again', async () => {
    await database('webhooks').insert({ id: 'whk_1', company: BORROWER, url: 'http://127.0.0.1:1', events: JSON.stringify([]), secret: Buffer.from('x'), sequence: 0, place: 0 });
    await database('webhooks').insert({ id: 'whk_2', company: BORROWER, url: 'http://127.0.0.1:1', events: JSON.stringify(['deposit.credited']), secret: Buffer.from('x'), sequence: 0, place: 0 });
    const key = await keyFor({ monthlyLimit: 61 });
    const watches = await Promise.all([watch(), watch()]);
    const told: string[] = [];
    watches[0].warnings.follow((company) => void told.push(String(company)));
    await look(watches);
    await watches[0].warnings.run();
    told.length = 0;
    for (;;) {
      const answer = await ask(key).catch(() => undefined);
      if (answer === undefined) break;
      await look(watches);
    }
    // A refusal tells of it too, beside the answer: of an earlier test's key perhaps before there was a webhook.
    const ofThisKey = async () => (await warned('budget.reached')).filter(({ data }) => data.limit === '0.000061');
    const percents = async (): Promise<unknown[]> => (await ofThisKey()).map(({ data }) => data.percent);
    // What is left of it holds no request: it is reached, though not to the last unit.
    const reached = [80, 95, 100];
    await expect.poll(percents).toEqual(reached);
    expect((await ofThisKey()).at(-1)?.data).toMatchObject({ name: 'test', month: '2026-12', percent: 100 });
    // Who begins again looks at everything again.
    await look([await watch()]);
    expect(await percents()).toEqual(reached);
    await watches[0].warnings.run();
    expect(told).toEqual([String(BORROWER)]);
    const toldOf = (await ofThisKey()).map(({ id }) => id);
    expect(await database('webhook_deliveries').whereIn('message', toldOf).pluck('webhook')).toEqual(toldOf.map(() => 'whk_1'));
  });

  test('of a revoked key ends', async () => {
    const key = await keyFor();
    await ask(key);
    const answer = await auth.resolveKey(key);
    if (!answer.ok) throw new Error('the key is not known');
    await auth.revokeKey(BORROWER, answer.key.id);
    await expect(ask(key)).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' });
  });

  test('ends where an endpoint is removed', async () => {
    const key = await keyFor();
    await database('endpoints').where({ id: 'end_1' }).update({ status: 'removed', credential: null });
    gateway.endpoints.changed('end_1');
    await expect.poll(() => base.directory.capacities(PROVIDER)[0].models).toEqual([]);
    await expect(ask(key)).rejects.toMatchObject({ status: 429, code: 'capacity_exhausted' });
  });

  test('that is not made of an hour is told a quarter of an hour before its end, once', async () => {
    const watches = await Promise.all([watch(), watch()]);
    await sequencer.setClock(HOUR * MILLIS_PER_HOUR + 44 * MILLIS_PER_MINUTE);
    await look(watches);
    expect(await warned('allocation.expiring')).toEqual([]);
    for (const minute of [45, 46]) {
      await sequencer.setClock(HOUR * MILLIS_PER_HOUR + minute * MILLIS_PER_MINUTE);
      await look([...watches, await watch()]);
    }
    const owned = (await sequencer.query('allocations', { company: BORROWER })).filter(({ hour, status }) => hour === HOUR && status === 'delivering');
    expect(owned.length).toBeGreaterThan(0);
    const warnings = await warned('allocation.expiring');
    expect(warnings.map(({ data }) => data.allocation_id).sort()).toEqual(owned.map(({ allocation }) => `alc_${allocation}`).sort());
    expect(await database('webhook_deliveries').where({ type: 'allocation.expiring' }).pluck('webhook')).toEqual(warnings.map(() => 'whk_1'));
  });

  test('leaves every invariant whole', async () => {
    const { checks } = await sequencer.query('invariants', {});
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
  });
});
