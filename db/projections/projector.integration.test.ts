import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { accountRef, ACCOUNT } from '../../engine/ledger/accounts.ts';
import type { Command } from '../../engine/commands.ts';
import { EventBuffer, KIND } from '../../engine/events.ts';
import { Simulation } from '../../engine/simulation/simulation.ts';
import { ProjectionWaiter, projectionPositions } from '../queries/positions.ts';
import { trialBalance } from '../queries/ledger.ts';
import { Auditor } from './auditor.ts';
import { PROJECTIONS, PROJECTION_NAMES } from './index.ts';
import { registry } from './registry.ts';
import { NewerProjection, movePositions, resetProjections } from './positions.ts';
import { Projector } from './projector.ts';
import { openProjectedMarket, openProjector } from './test/projected_market.ts';
import type { ProjectedMarket } from './test/projected_market.ts';

let market: ProjectedMarket;
beforeEach(async () => {
  market = await openProjectedMarket();
});
afterEach(() => market.close());

function lifeOf(seed: number, count: number): Command[] {
  const simulation = new Simulation(seed);
  while (simulation.engine.sequence < count) simulation.step();
  return simulation.take().commands;
}

async function sequences(): Promise<number[]> {
  return (await projectionPositions(market.db)).map(({ sequence }) => sequence);
}

/** Steps until it is so. */
async function follow(what: () => Promise<unknown>, wanted: unknown): Promise<void> {
  const look = async (): Promise<unknown> => {
    await market.projector.step();
    return what();
  };
  await expect.poll(look, { timeout: 20_000, interval: 1 }).toEqual(wanted);
}

async function reset(...names: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: market.url });
  await client.connect();
  await resetProjections(client, PROJECTIONS.filter(({ name }) => names.includes(name)));
  await client.end();
}

describe('the tables', () => {
  test('are the same however the journal is cut, and when they are built again', async () => {
    const life = lifeOf(5, 4_000);
    for (let at = 0; at < life.length; at += 500) {
      await market.journal.runAll(life.slice(at, at + 500));
      await market.projector.catchUp();
    }
    const followed = await market.dump();
    expect(followed.orders.length).toBeGreaterThan(500);
    expect(followed.fills.length).toBeGreaterThan(200);
    expect(followed.usage.length).toBeGreaterThan(20);
    expect(followed.lots.length).toBeGreaterThan(5);

    await reset(...PROJECTION_NAMES);
    expect(await sequences()).toEqual(PROJECTION_NAMES.map(() => 0));
    await follow(sequences, PROJECTION_NAMES.map(() => life.length));
    expect(await market.dump()).toEqual(followed);
  });

  test('hold the balances that an auditor comes to', async () => {
    await market.journal.runAll(lifeOf(6, 3_000));
    await market.projector.catchUp();
    const auditor = new Auditor();
    for (const batch of market.journal.batches) auditor.add(batch);
    expect(auditor.findings).toEqual([]);
    const rows = await market.db('projections.ledger_balances').select<{ account: number; owner: string; balance: string }[]>();
    expect(rows.length).toBeGreaterThan(100);
    expect(auditor.differences(rows.map(({ account, owner, balance }) => [accountRef(account, Number(owner)), Number(balance)]))).toEqual([]);
    expect(await trialBalance(market.db)).toEqual({ USD: 0n, CR: 0n, LIMIT: 0n, CAP: 0n });
    const sums = await market.db.raw<{ rows: unknown[] }>(`
      select account, owner, sum(amount) from projections.ledger_entries group by 1, 2 except select account, owner, balance from projections.ledger_balances`);
    expect(sums.rows).toEqual([]);
  });
});

describe('a position', () => {
  test('moves with its rows or not at all', async () => {
    await market.journal.run({ type: 'tick', now: 1_000 }, { type: 'addRegion', name: 'us-east' });
    await market.projector.catchUp();
    const buffer = new EventBuffer();
    buffer.emit('command', { sequence: 3, type: 'addRegion', company: -1 });
    buffer.emit('regionAdded', { region: 1, name: 'us-west' });
    // The same region twice: the table refuses it.
    buffer.emit('regionAdded', { region: 1, name: 'us-west' });
    await market.journal.append(3, 3, 1_000, buffer.take());
    await expect(market.projector.step()).rejects.toThrow(/duplicate key/);
    expect(await sequences()).toEqual(PROJECTION_NAMES.map(() => 2));
    expect(await market.db('projections.regions').select('name')).toEqual([{ name: 'us-east' }]);
    await expect(market.projector.step()).rejects.toThrow();
  });

  test('is that of the last one when one is built again, which then joins the others', async () => {
    const life = lifeOf(7, 1_200);
    await market.journal.runAll(life);
    await market.projector.catchUp();
    const before = await market.dump();
    await reset('trades', 'ledger');
    await market.journal.run({ type: 'addModel', name: 'newest' });
    await follow(sequences, PROJECTION_NAMES.map(() => life.length + 1));
    expect({ ...(await market.dump()), models: before.models, positions: before.positions }).toEqual(before);
  });

  test('is not moved by who thinks it is elsewhere', async () => {
    const client = new pg.Client({ connectionString: market.url });
    await client.connect();
    const to = { sequence: 9, engineTime: 9 };
    expect(await movePositions(client, PROJECTIONS, 1, to)).toBe(false);
    expect(await movePositions(client, [{ ...registry, version: 2 }], 0, to)).toBe(false);
    expect(await sequences()).toEqual(PROJECTION_NAMES.map(() => 0));
    await client.end();
  });

  test('can be waited for', async () => {
    const waiter = new ProjectionWaiter(market.db);
    const stop = new AbortController();
    const running = market.projector.run(stop.signal);
    await market.journal.run({ type: 'tick', now: 1_000 });
    expect(await waiter.waitFor(1, 20_000)).toBe(true);
    expect(await waiter.waitFor(2, 100)).toBe(false);
    const [seen] = await Promise.all([waiter.waitFor(2, 20_000, ['orders']), market.journal.run({ type: 'tick', now: 2_000 })]);
    expect(seen).toBe(true);
    stop.abort();
    await running;
  });
});

describe('a projector', () => {
  test('leaves the journal to the one that follows already', async () => {
    expect(await Projector.open({ url: market.url })).toBeUndefined();
    await market.projector.close();
    const next = await openProjector(market.url);
    await next.close();
  });

  test('replaces one that stands still with a transaction open, and what that one had not committed is undone', async () => {
    await market.projector.close();
    const still = new pg.Client({ connectionString: market.url });
    still.on('error', () => undefined);
    await still.connect();
    await still.query('select pg_advisory_lock(7301845)');
    await still.query('begin');
    await still.query('update projections.positions set sequence = 99');
    let next: Projector | undefined;
    await expect.poll(async () => (next = await Projector.open({ url: market.url, silentSeconds: 0.2 })), { interval: 50 }).toBeDefined();
    expect(next?.sequence).toBe(0);
    await next?.close();
    await expect(still.query('commit')).rejects.toThrow();
  });

  test('goes on where another stopped', async () => {
    const life = lifeOf(8, 1_500);
    await market.journal.runAll(life.slice(0, 800));
    await market.projector.catchUp();
    await market.projector.close();
    await market.journal.runAll(life.slice(800));
    const next = await openProjector(market.url);
    await next.catchUp();
    const followed = await market.dump();
    await next.close();
    await reset(...PROJECTION_NAMES);
    const last = await openProjector(market.url);
    await last.catchUp();
    expect(await market.dump()).toEqual(followed);
    await last.close();
  });

  test('builds again what an older version made, and leaves alone what a newer one made', async () => {
    await market.journal.run({ type: 'tick', now: 1_000 }, { type: 'addRegion', name: 'us-east' });
    await market.projector.catchUp();
    await market.projector.close();
    const newer = await openProjector(market.url, [{ ...registry, version: 2 }]);
    expect(newer.sequence).toBe(0);
    await newer.catchUp();
    expect(await market.db('projections.regions').select('name')).toEqual([{ name: 'us-east' }]);
    await newer.close();
    await expect(Projector.open({ url: market.url, projections: [registry] })).rejects.toThrow(NewerProjection);
  });

  test('notices a commit soon', async () => {
    const stop = new AbortController();
    const running = market.projector.run(stop.signal);
    const millis: number[] = [];
    for (let now = 1; now <= 5; now++) {
      const committed = performance.now();
      await market.journal.run({ type: 'tick', now });
      while (market.projector.sequence < now) await sleep(1);
      millis.push(performance.now() - committed);
    }
    // The machine may stand still in one or the other of them.
    expect(Math.min(...millis)).toBeLessThan(500);
    stop.abort();
    await running;
  });

  test('names the account whose owner the journal has not told', async () => {
    const buffer = new EventBuffer();
    buffer.emit('command', { sequence: 1, type: 'tick', company: -1 });
    const words = [...buffer.take().words];
    const lot = accountRef(ACCOUNT['lot.available'], 9);
    await market.journal.append(1, 1, 0, { words: Float64Array.from([...words, KIND.posted, 4, lot, -5, accountRef(ACCOUNT['lot.issued'], 9), 5]), texts: [''] });
    await expect(market.projector.step()).rejects.toThrow('command 1 posts to lot.available of lot 9, of which the journal has not told');
  });
});
