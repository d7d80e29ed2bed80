/** How an exchange of several processes ends: also when its Postgres stands still. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { expect, test } from 'vitest';
import { Cluster } from './cluster.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const REDIS_SERVER = process.env.REDIS_SERVER_PATH ?? '';
/** It is within ten seconds on a machine that does nothing else. */
const END_MILLIS_MAX = 15_000;

/** The server of a database, and all that it has started. */
async function processesOf(url: string): Promise<number[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ folder: string }>(`select current_setting('data_directory') as folder`);
  await client.end();
  const postmaster = Number(readFileSync(join(rows[0].folder, 'postmaster.pid'), 'utf8').split('\n')[0]);
  const isChild = (pid: string): boolean => new RegExp(`\\) \\S ${postmaster} `).test(statOf(pid));
  return [postmaster, ...readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name) && isChild(name)).map(Number)];
}

/** '' when it has ended. */
function statOf(pid: string | number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return '';
  }
}

/** One that has ended meanwhile, as the children do as soon as their server goes on, needs none. */
function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

test.skipIf(REDIS_SERVER === '' || process.platform !== 'linux')('all processes end within seconds when their Postgres hangs, and it is told to end and left behind', { timeout: 120_000 }, async () => {
  execFileSync(process.execPath, ['api/cli/build.mjs', 'server', 'sequencer_worker', 'projector_worker'], { cwd: root });
  const dataDir = mkdtempSync(join(tmpdir(), 'ccx-cluster-end-'));
  chmodSync(dataDir, 0o755);
  const lines: string[] = [];
  const cluster = new Cluster({
    dataDir, serverFile: join(root, 'dist/server.js'), redisServer: REDIS_SERVER, databaseUrl: undefined, redisUrl: undefined, port: 0, redisPort: 0, processes: 2, restarts: true,
    environment: { PATH: process.env.PATH, DEMO: '0', LOG_LEVEL: 'error' }, say: (line) => lines.push(line),
  });
  await cluster.start();
  const { database_url: url, processes } = cluster.file;
  const postgres = await processesOf(url);
  signal(postgres, 'SIGSTOP');
  try {
    const begun = performance.now();
    await cluster.close();
    expect(performance.now() - begun).toBeLessThan(END_MILLIS_MAX);
    expect(cluster.leftBehind).toBe(true);
    expect(processes.filter(({ pid }) => statOf(pid ?? 0) !== '')).toEqual([]);
    expect(lines).toContain('the database does not answer: it is not waited for');
  } finally {
    signal(postgres, 'SIGCONT');
  }
  for (const end = performance.now() + END_MILLIS_MAX; performance.now() < end && statOf(postgres[0]) !== ''; ) await sleep(50);
  expect(statOf(postgres[0])).toBe('');
  rmSync(dataDir, { recursive: true, force: true });
});
