/** The whole demo but its processes: seeded on a real database, opened twice. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../../db/database.ts';
import { freshDatabase } from '../../db/test/fresh_database.ts';
import type { FreshDatabase } from '../../db/test/fresh_database.ts';
import { Auth } from '../auth/auth.ts';
import { readConfig } from '../config.ts';
import { Directory } from '../directory.ts';
import { MarketView } from '../market/market_view.ts';
import { createInProcessSequencer } from '../sequencer/in_process.ts';
import { openDemoMarket } from './market.ts';
import type { DemoServices } from './market.ts';
import type { DemoProviders } from './provider_processes.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'demo-market-'));
let fresh: FreshDatabase;
let services: DemoServices;
const changed: string[] = [];

/** Takes every endpoint at its word. */
async function believe(id: string): Promise<void> {
  const { database, directory, sequencer } = services;
  const row = (await database('endpoints').where({ id }).first('company', 'market', 'models', 'status')) as { company: number; market: number; models: string[]; status: string };
  if (row.status === 'removed') return;
  changed.push(id);
  const declared = directory.capacities(row.company).find((entry) => entry.market === row.market)?.declared ?? 0;
  const models = row.models.map((name) => directory.modelId(name));
  for (const command of [
    { type: 'verifyCapacity', company: row.company, market: row.market, gpus: declared },
    { type: 'setEligibility', company: row.company, market: row.market, models },
  ] as const) await sequencer.submit({ command, idempotencyKey: '', bodyHash: '' });
  await database('endpoints').where({ id }).update({ status: 'verified' });
}

const providersAt = (port: number): DemoProviders & { closed: boolean } => ({
  addresses: [`127.0.0.1:${port}`],
  closed: false,
  endpointUrl: (provider) => `http://127.0.0.1:${port}/${provider}/v1`,
  close() {
    this.closed = true;
    return Promise.resolve();
  },
});

beforeAll(async () => {
  fresh = await freshDatabase();
  const database = openDatabase(fresh.url, 4);
  const log = pino({ level: 'silent' });
  const auth = new Auth(database, log, Date.now);
  await auth.start();
  const sequencer = createInProcessSequencer();
  const { directory } = await Directory.load(sequencer);
  const market = await MarketView.start(sequencer, directory);
  services = {
    auth, database, directory, log, market, sequencer, clockFollowers: new Set(),
    config: readConfig({ DATA_DIR: dataDir, CLOCK: 'manual' }),
    endpoints: { refusal: () => Promise.resolve(undefined), changed: (id) => void believe(id) },
  };
});
afterAll(async () => {
  await services.sequencer.close();
  await services.auth.close();
  await services.database.destroy();
  await fresh.drop();
  rmSync(dataDir, { recursive: true });
});

describe('the demo market', () => {
  test('opens quoted, with an endpoint for every class of every provider', async () => {
    const providers = providersAt(4001);
    const market = await openDemoMarket(services, providers);
    const file = await market.listening('http://localhost:8080');
    expect(changed).toHaveLength(125);
    expect(file.url).toBe('http://localhost:8080');
    const { orders } = await services.sequencer.query('market', {});
    expect(orders.length).toBeGreaterThan(2_000);
    await market.close();
    expect(providers.closed).toBe(true);
  });

  test('opens again without seeding again', async () => {
    const before = { file: readFileSync(join(dataDir, 'demo.json'), 'utf8'), directory: await services.sequencer.query('directory', {}) };
    const market = await openDemoMarket(services, providersAt(4001));
    await market.listening('http://localhost:8080');
    await market.close();
    expect(changed).toHaveLength(125);
    expect(await services.sequencer.query('directory', {})).toEqual(before.directory);
    expect(readFileSync(join(dataDir, 'demo.json'), 'utf8')).toBe(before.file);
  });

  test('follows its providers to other ports', async () => {
    const market = await openDemoMarket(services, providersAt(4002));
    await market.close();
    expect(changed).toHaveLength(250);
    const urls = (await services.database('endpoints').where({ status: 'verified' }).distinct('url')) as { url: string }[];
    expect(urls.every(({ url }) => url.includes(':4002/'))).toBe(true);
  });
});
