import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Command, Envelope } from '../../engine/commands.ts';
import { query } from '../../db/test/databases.ts';
import { TestPostgres } from '../../db/test/test_postgres.ts';
import { TEST_EPOCH } from './in_process.ts';
import { eventOf, Unavailable } from './port.ts';
import type { CommittedBatch, SequencerPort } from './port.ts';
import { startSequencer } from './start.ts';
import type { StartOptions } from './start.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let postgres: TestPostgres;
let url: string;
const running: SequencerPort[] = [];

beforeAll(async () => {
  execFileSync(process.execPath, ['api/cli/build.mjs', 'sequencer_worker'], { cwd: root });
  postgres = await TestPostgres.start();
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  url = await postgres.database();
});
afterEach(async () => {
  for (const port of running.splice(0)) await port.close();
});

const fatal: Error[] = [];
async function start(options: Partial<StartOptions> = {}): Promise<SequencerPort> {
  const port = await startSequencer({ url: () => url, clock: 'manual', manualStart: TEST_EPOCH, onFatal: (error) => fatal.push(error), ...options });
  running.push(port);
  return port;
}
const envelope = (command: Command, idempotencyKey = ''): Envelope => ({ command, idempotencyKey, bodyHash: idempotencyKey });
const register = (name: string): Command => ({ type: 'registerCompany', name, role: 'borrower', group: '' });
const deposit = (reference: string): Command => ({ type: 'deposit', company: 0, amount: 1, reference });
const stateOf = (port: SequencerPort) => port.query('status', {});
const killSessions = () => query(url, 'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()');

/** Deposits with keys of their own until told to stop, retrying what had no answer. */
function load(port: SequencerPort): { acknowledged: Map<string, number>; stop: () => Promise<void> } {
  const acknowledged = new Map<string, number>();
  let stopped = false;
  const client = async (name: number) => {
    for (let count = 0; !stopped; count++) {
      const key = `${name}-${count}`;
      while (!acknowledged.has(key)) {
        try {
          acknowledged.set(key, (await port.submit(envelope(deposit(key), key))).sequence);
        } catch (error) {
          if (!(error instanceof Unavailable)) throw error;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    }
  };
  const clients = Array.from({ length: 20 }, (_, name) => client(name));
  return {
    acknowledged,
    stop: async () => {
      stopped = true;
      await Promise.all(clients);
    },
  };
}

/** A process that makes deposits and prints what is acknowledged, killed after so many. */
async function runUntilKilled(count: number): Promise<{ key: string; sequence: number }[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ccx-crash-'));
  const program = join(folder, 'program.mjs');
  await build({
    stdin: { contents: CRASH_PROGRAM, resolveDir: import.meta.dirname, loader: 'ts' },
    outfile: program, bundle: true, platform: 'node', format: 'esm', external: ['pg-native'], logLevel: 'error',
    banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);` },
  });
  const child = spawn(process.execPath, [program, url, join(root, 'dist/sequencer_worker.js')], { stdio: ['ignore', 'pipe', 'inherit'] });
  const acknowledged: { key: string; sequence: number }[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const [key, sequence] = line.split(' ');
    acknowledged.push({ key, sequence: Number(sequence) });
    if (acknowledged.length === count) child.kill('SIGKILL');
  }
  rmSync(folder, { recursive: true });
  return acknowledged;
}
const CRASH_PROGRAM = `
  import { startSequencer } from './start.ts';
  const [url, workerFile] = process.argv.slice(2);
  const port = await startSequencer({ url: () => url, workerFile, clock: 'manual', manualStart: ${TEST_EPOCH}, onFatal: () => process.exit(1) });
  const command = (command, idempotencyKey) => ({ command, idempotencyKey, bodyHash: idempotencyKey });
  await port.submit(command({ type: 'registerCompany', name: 'a', role: 'borrower', group: '' }, ''));
  for (let client = 0; client < 10; client++) void (async () => {
    for (let count = 0; ; count++) {
      const key = client + '-' + count;
      const ack = await port.submit(command({ type: 'deposit', company: 0, amount: 1, reference: key }, key));
      process.stdout.write(key + ' ' + ack.sequence + '\\n');
    }
  })();`;

/** The first leader's renewals do not arrive any more. */
const SILENT = `
  create function forget() returns trigger language plpgsql as $$ begin if new.epoch = 1 then new.renewed_at := '-infinity'; end if; return new; end $$;
  create trigger forget before update on journal_lease for each row execute function forget();
  update journal_lease set renewed_at = '-infinity'`;

describe('the market', () => {
  test('continues where it stopped, from the snapshot of a clean stop', async () => {
    const first = await start();
    for (const name of ['a', 'b']) await first.submit(envelope(register(name)));
    await first.setClock(TEST_EPOCH + 7_200_000);
    const before = await stateOf(first);
    await first.close();
    const lines: string[] = [];
    const second = await start({ say: (line) => lines.push(line) });
    expect(await stateOf(second)).toEqual(before);
    expect(lines.join()).toContain(`snapshot at ${before.sequence} (`);
    expect((await second.status()).epoch).toBe(2);
  });

  test('loses nothing acknowledged when its process is killed, and answers retries with the original', async () => {
    const acknowledged = await runUntilKilled(500);
    const port = await start();
    const { usd } = await port.query('balances', { company: 0 });
    expect(usd).toBeGreaterThanOrEqual(acknowledged.length);
    for (const { key, sequence } of acknowledged.slice(-20)) {
      expect(await port.submit(envelope(deposit(key), key))).toMatchObject({ sequence, repeated: true, events: [{ kind: 'posted' }, { kind: 'deposited', reference: key }] });
    }
    expect((await port.query('balances', { company: 0 })).usd).toBe(usd);
  });

  test('starts again by itself when the journal fails under load: nothing lost, nothing twice, no gap', async () => {
    const port = await start({ snapshotEvery: 200, snapshotPauseMillis: 0 });
    await port.submit(envelope(register('a')));
    const batches: CommittedBatch[] = [];
    const { committedSequence } = await port.status();
    port.onCommitted((batch) => batches.push(batch));
    const { acknowledged, stop } = load(port);
    for (let round = 0; round < 3; round++) {
      const reached = acknowledged.size + 300;
      await expect.poll(() => acknowledged.size, { timeout: 20_000 }).toBeGreaterThan(reached);
      await killSessions();
      await expect.poll(() => port.status().then(({ epoch }) => epoch, () => 0), { timeout: 20_000 }).toBeGreaterThan(round + 1);
    }
    await stop();
    expect((await port.query('balances', { company: 0 })).usd).toBe(acknowledged.size);
    expect(new Set(acknowledged.values()).size).toBe(acknowledged.size);
    let next = committedSequence + 1;
    for (const batch of batches) {
      expect(batch.firstSequence).toBe(next);
      next = batch.lastSequence + 1;
    }
    expect(next).toBe((await port.status()).committedSequence + 1);
    expect(fatal).toEqual([]);
    const live = await stateOf(port);
    await port.close();
    await query(url, 'delete from snapshots');
    expect(await stateOf(await start())).toEqual(live);
  });

  test('does not start beside another', async () => {
    await start();
    await expect(start({ leadWaitMillis: 200 })).rejects.toThrow('another engine leads');
  });

  test('stops when it is replaced', async () => {
    const port = await start();
    await port.submit(envelope(register('a')));
    await query(url, 'update journal_lease set epoch = epoch + 1');
    await expect(port.submit(envelope(register('b')))).rejects.toBeInstanceOf(Unavailable);
    await expect.poll(() => fatal.splice(0).map(({ message }) => message)).toEqual(['epoch 1 is over: another engine leads']);
    expect(await query(url, 'select max(last_sequence)::int as last from journal')).toEqual([{ last: 2 }]);
  });

  test('stops at once when another took over while it was silent, and leaves the other alone', async () => {
    const first = await start();
    await first.submit(envelope(register('a')));
    await query(url, SILENT);
    const second = await start({ leadWaitMillis: 0 });
    await expect.poll(() => fatal.splice(0).map(({ message }) => message)).toEqual([expect.stringContaining('another engine leads')]);
    await expect(first.submit(envelope(register('b')))).rejects.toBeInstanceOf(Unavailable);
    await second.submit(envelope(register('c')));
    expect((await second.query('directory', {})).companies.map(({ name }) => name)).toEqual(['a', 'c']);
  });

  test('refuses while the database only reads, and goes on when it writes again', async () => {
    const port = await start();
    await port.submit(envelope(register('a')));
    await query(url, 'alter system set default_transaction_read_only = on');
    await query(url, 'select pg_reload_conf()');
    await expect.poll(() => port.submit(envelope(deposit('between'), 'between')).then(() => undefined, (error: unknown) => error), { timeout: 20_000 }).toBeInstanceOf(Unavailable);
    await expect(port.submit(envelope(deposit('late')))).rejects.toBeInstanceOf(Unavailable);
    await query(url, 'alter system reset default_transaction_read_only');
    await query(url, 'select pg_reload_conf()');
    await expect.poll(() => port.submit(envelope(deposit('between'), 'between')).then(({ first }) => first('deposited')?.reference, () => ''), { timeout: 20_000 }).toBe('between');
    expect((await port.query('balances', { company: 0 })).usd).toBe(1);
    expect(fatal).toEqual([]);
  });

  test('goes on when Postgres itself is killed and comes back', async () => {
    const port = await start();
    await port.submit(envelope(register('a')));
    const { acknowledged, stop } = load(port);
    await expect.poll(() => acknowledged.size).toBeGreaterThan(50);
    postgres.kill();
    // Its other processes serve on until they notice; what counts comes after the market has led anew.
    await expect.poll(() => port.status().then(({ epoch }) => epoch, () => 0), { timeout: 40_000 }).toBeGreaterThan(1);
    const reached = acknowledged.size;
    await expect.poll(() => acknowledged.size, { timeout: 20_000 }).toBeGreaterThan(reached + 50);
    await stop();
    expect((await port.query('balances', { company: 0 })).usd).toBe(acknowledged.size);
  });

  test('refuses a damaged journal, and says where', async () => {
    const port = await start();
    for (const name of ['a', 'b', 'c']) await port.submit(envelope(register(name)));
    await port.close();
    await query(url, 'update journal set events = set_byte(events, 3, get_byte(events, 3) # 1) where first_sequence = 3');
    await expect(start()).rejects.toThrow('the journal is damaged at sequence 3');
  });

  test('refuses a database that is older than the market was, until its end is accepted', async () => {
    const markFolder = mkdtempSync(join(tmpdir(), 'ccx-mark-'));
    const port = await start({ markFolder });
    for (const name of ['a', 'b', 'c']) await port.submit(envelope(register(name)));
    await port.close();
    // As a backup of before the last row: its own high-water mark is as old, and so are its snapshots.
    const [{ end }] = await query<{ end: number }>(url, 'delete from journal where first_sequence = (select max(first_sequence) from journal) returning first_sequence::int - 1 as end');
    await query(url, `delete from snapshots; update journal_lease set high_water = ${end}`);
    const lines: string[] = [];
    const say = (line: string): void => void lines.push(line);
    await expect(start({ markFolder, say })).rejects.toThrow(new RegExp(`damaged at sequence ${end + 1}: it ends at ${end}; .* ACCEPT_JOURNAL_END=${end}`));
    expect(lines).toEqual([]);
    const again = await start({ markFolder, acceptedEnd: end, say });
    expect(lines.at(-1)).toContain(`recovered ${end} commands`);
    expect((await again.query('directory', {})).companies.map(({ name }) => name)).toEqual(['a', 'b']);
    rmSync(markFolder, { recursive: true, force: true });
  });

  test('uses an older snapshot when the newest is damaged, which goes when the next is written', async () => {
    const port = await start({ snapshotEvery: 1, snapshotPauseMillis: 0 });
    for (const name of ['a', 'b', 'c']) await port.submit(envelope(register(name)));
    await expect.poll(async () => (await query(url, 'select sequence from snapshots')).length, { timeout: 20_000 }).toBeGreaterThan(0);
    await port.submit(envelope(register('d')));
    const before = await stateOf(port);
    await port.close();
    await query(url, 'update snapshots set state = set_byte(state, 40, get_byte(state, 40) # 1) where sequence = (select max(sequence) from snapshots)');
    const sequences = async (): Promise<number[]> => (await query<{ sequence: string }>(url, 'select sequence from snapshots order by sequence')).map(({ sequence }) => Number(sequence));
    const older = (await sequences()).filter((sequence) => sequence < before.sequence);
    const lines: string[] = [];
    const second = await start({ say: (line) => lines.push(line) });
    expect(await stateOf(second)).toEqual(before);
    expect(lines.join('\n')).toMatch(/the snapshot at \d+ is not used: its state does not match its hash/);
    expect(lines.join('\n')).toMatch(/snapshot at [1-9]\d* \(/);
    const next = await second.submit(envelope(register('e')));
    await second.close();
    expect(await sequences()).toEqual([...older.slice(-2), next.sequence]);
  });

  test('says what is wrong with a command\'s events to nobody but its caller', async () => {
    const port = await start();
    const [first, second] = await Promise.all([port.submit(envelope(register('a'))), port.submit(envelope(register('b')))]);
    expect([first, second].map(({ events }) => eventOf(events, 'companyRegistered')?.name)).toEqual(['a', 'b']);
  });

  test('moves time by itself with the wall clock', async () => {
    const port = await start({ clock: 'wall' });
    const { now } = await port.status();
    expect(Math.abs(now - Date.now())).toBeLessThan(5_000);
    await expect.poll(async () => (await port.status()).now - now).toBeGreaterThan(900);
    await expect(port.setClock(1)).rejects.toThrow('not manual');
  });
});
