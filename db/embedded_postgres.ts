/**
 * A real Postgres of our own: made, started, watched and stopped with the server. It runs as a
 * process of its own and survives a `kill -9` of the server; the next start finds and uses it.
 *
 * Its home holds `cluster/` (the data), `password` and `postgres.log`. The home is
 * DATA_DIR/postgres, or, where root's Postgres user cannot reach that, a folder below
 * /var/lib/compute-credit-exchange whose path stands in DATA_DIR/postgres/location.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { canReach, findBinaries, runAs, sharedFolder } from './embedded_binaries.ts';
import type { Binaries, RunAs } from './embedded_binaries.ts';

const DATABASE = 'exchange';
const USER = 'postgres';
const START_SECONDS = 60;
const STOP_SECONDS = 30;
const LOG_BYTES_MAX = 16 << 20;
const WATCH_MILLIS = 500;
/** Another server may be starting the same Postgres, or take the port that was free. */
const ATTEMPTS = 5;

/** Of a Postgres that a market commits to often; docker-compose.yml gives them to its own. */
export const LOG_SETTINGS: Readonly<Record<string, string>> = {
  max_wal_size: '2GB',
  // A commit that begins a new file of the log would wait until 16 MB of zeros are on the disk; what checkpoints leave is used again instead of removed, and `prepareLog` makes the first.
  wal_init_zero: 'off',
  min_wal_size: '512MB',
};
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '128MB',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  ...LOG_SETTINGS,
  log_min_messages: 'warning',
  // After a crash every file is made durable before anything else: on Linux in one call instead of one for each file.
  ...(process.platform === 'linux' ? { recovery_init_sync_method: 'syncfs' } : {}),
};

/** As Postgres takes them. */
export const argumentsOf = (settings: Readonly<Record<string, string>>): string[] => Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);

/** Of the log, which are made before a new market begins, and for at most so long. */
const PREPARED_FILES = 16;
const PREPARE_MILLIS_MAX = 1_500;

export type Say = (line: string) => void;

export class EmbeddedPostgres {
  private readonly home: string;
  private readonly user: RunAs;
  private readonly binaries: Binaries;
  private readonly password: string;
  private readonly say: Say;
  private pid = 0;
  private port = 0;
  /** False when it was running already. */
  started = false;
  private watch: NodeJS.Timeout | undefined;
  /** Being started, again or for the first time. */
  private starting: ChildProcess | undefined;
  private stopped = false;

  private constructor(home: string, user: RunAs, binaries: Binaries, password: string, say: Say) {
    this.home = home;
    this.user = user;
    this.binaries = binaries;
    this.password = password;
    this.say = say;
  }

  /**
   * Starts the Postgres of a data folder, or finds it running.
   * @param preparesLog one that is made here is made ready for a market that commits often
   * @param signal gives up when it is aborted: what is being made or started here is ended
   * @throws Error with the end of Postgres's log when it does not come up
   */
  static async open(dataDir: string, say: Say, preparesLog: boolean, signal?: AbortSignal): Promise<EmbeddedPostgres> {
    const user = runAs();
    const home = homeOf(dataDir, user);
    const binaries = await findBinaries(user);
    const postgres = new EmbeddedPostgres(home, user, binaries, passwordOf(home), say);
    const end = (): void => postgres.endAtOnce();
    process.once('exit', end);
    signal?.addEventListener('abort', end);
    try {
      const isNew = await postgres.initialise();
      await postgres.bringUp();
      await postgres.createDatabase();
      if (isNew && preparesLog) await postgres.prepareLog();
    } finally {
      process.off('exit', end);
      signal?.removeEventListener('abort', end);
    }
    signal?.throwIfAborted();
    postgres.watch = setInterval(() => void postgres.restartIfGone(), WATCH_MILLIS).unref();
    return postgres;
  }

  get url(): string {
    return this.urlOf(DATABASE);
  }
  private urlOf(database: string): string {
    return `postgres://${USER}:${this.password}@127.0.0.1:${this.port}/${database}`;
  }
  private get cluster(): string {
    return join(this.home, 'cluster');
  }
  private get pidFile(): string {
    return join(this.cluster, 'postmaster.pid');
  }

  /** Ends it and waits until it has. With `onlyIfIdle` it goes on when others are connected. */
  async stop({ onlyIfIdle = false } = {}): Promise<void> {
    this.stopped = true;
    clearInterval(this.watch);
    // One that does not come up, because the disk is full for example, is not waited for.
    this.starting?.kill('SIGQUIT');
    if (!isAlive(this.pid) || (onlyIfIdle && (await this.isUsed()))) return;
    process.kill(this.pid, 'SIGINT');
    if (await until(() => !isAlive(this.pid), STOP_SECONDS)) return;
    process.kill(this.pid, 'SIGQUIT');
    await until(() => !isAlive(this.pid), STOP_SECONDS);
  }

  /** One that this process has started or is starting, when there is no time to wait: until it is opened nobody else knows of it. */
  private endAtOnce(): void {
    this.stopped = true;
    this.starting?.kill('SIGQUIT');
    if (this.started && isAlive(this.pid)) process.kill(this.pid, 'SIGQUIT');
  }

  private async isUsed(): Promise<boolean> {
    const rows = await this.ask(DATABASE, `select 1 from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() limit 1`);
    return rows > 0;
  }

  /** Makes the cluster in one step: one that was interrupted is made again. @returns whether there was none */
  private async initialise(): Promise<boolean> {
    if (existsSync(join(this.cluster, 'PG_VERSION'))) return false;
    this.say('making the database ...');
    const partial = join(this.home, `cluster.${process.pid}`);
    const passwordFile = join(this.home, `initial.${process.pid}`);
    this.ownedFolder(partial);
    writeFileSync(passwordFile, `${this.password}\n`, { mode: 0o600 });
    if (this.user !== undefined) chownSync(passwordFile, this.user.uid, this.user.gid);
    try {
      await this.runInitdb(partial, passwordFile);
      if (!existsSync(this.cluster)) renameSync(partial, this.cluster);
    } finally {
      rmSync(passwordFile, { force: true });
      rmSync(partial, { recursive: true, force: true });
    }
    return true;
  }

  /**
   * Files of the log that have been written before take a commit in two thirds of the time that others take, for which the file system must
   * find room at each. An old market has such files of its own; a new one is given some: what a checkpoint finds full and done with, it keeps for later.
   */
  private async prepareLog(): Promise<void> {
    await this.connected('postgres', async (client) => {
      const end = performance.now() + PREPARE_MILLIS_MAX;
      for (let file = 0; file < PREPARED_FILES && performance.now() < end; file++) await client.query(`select pg_switch_wal() from pg_logical_emit_message(false, '', '')`);
      await client.query('checkpoint');
    });
  }

  private ownedFolder(folder: string): void {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (this.user !== undefined) chownSync(folder, this.user.uid, this.user.gid);
  }

  private async runInitdb(folder: string, passwordFile: string): Promise<void> {
    const args = [`--pgdata=${folder}`, `--username=${USER}`, `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C'];
    const child = spawn(this.binaries.initdb, args, { ...this.user, cwd: '/', env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] });
    this.starting = child;
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    this.starting = undefined;
    if (code !== 0) throw new Error(`initdb failed:\n${output.trim()}`);
  }

  private async bringUp(): Promise<void> {
    for (let attempt = 1; !this.stopped; attempt++) {
      if ((await this.findRunning()) || (await this.launch())) return;
      if (attempt === ATTEMPTS) throw new Error(`Postgres did not start; the end of ${this.logFile}:\n${this.logTail()}`);
    }
  }

  /** Uses what a killed server left running. A pid file of a process that is no longer there is removed. */
  private async findRunning(): Promise<boolean> {
    const found = readPidFile(this.pidFile);
    if (found === undefined) return false;
    if (!isAlive(found.pid) || !isPostgresOf(found.pid, this.cluster)) {
      rmSync(this.pidFile, { force: true });
      return false;
    }
    this.pid = found.pid;
    const settled = await until(() => !isAlive(found.pid) || readPidFile(this.pidFile)?.ready === true, START_SECONDS);
    this.port = readPidFile(this.pidFile)?.port ?? 0;
    if (!settled || !isAlive(found.pid) || !(await this.answers())) return false;
    this.started = false;
    return true;
  }

  /** Starts a child on a free port. False: it ended by itself, another attempt may succeed. */
  private async launch(): Promise<boolean> {
    this.port = await freePort(this.port);
    if (this.stopped) return false;
    const child = this.spawnServer();
    this.starting = child;
    let ended = false;
    const failure = new Promise<never>((_, reject) => child.once('error', reject));
    child.once('exit', () => (ended = true));
    const isReady = () => {
      const file = readPidFile(this.pidFile);
      return file?.pid === child.pid && file?.ready === true;
    };
    const settled = await Promise.race([until(() => ended || isReady(), START_SECONDS), failure]);
    this.starting = undefined;
    if (ended) return false;
    if (!settled) throw new Error(`Postgres is not ready after ${START_SECONDS} s; see ${this.logFile}`);
    this.pid = child.pid ?? 0;
    this.started = true;
    return true;
  }

  /** In a session of its own: a Ctrl-C at the terminal is for the server, which stops Postgres last. */
  private spawnServer(): ChildProcess {
    if (existsSync(this.logFile) && statSync(this.logFile).size > LOG_BYTES_MAX) renameSync(this.logFile, `${this.logFile}.old`);
    const log = openSync(this.logFile, 'a', 0o600);
    const settings = argumentsOf({ ...SETTINGS, port: String(this.port) });
    const child = spawn(this.binaries.postgres, ['-D', this.cluster, ...settings], {
      ...this.user, cwd: '/', detached: true, env: cleanEnvironment(), stdio: ['ignore', log, log],
    });
    closeSync(log);
    child.unref();
    return child;
  }

  private async restartIfGone(): Promise<void> {
    if (isAlive(this.pid)) return;
    clearInterval(this.watch);
    this.say('Postgres has ended; starting it again');
    try {
      await this.bringUp();
    } catch (error) {
      this.say(error instanceof Error ? error.message : String(error));
    }
    if (this.stopped) return;
    this.watch = setInterval(() => void this.restartIfGone(), WATCH_MILLIS).unref();
  }

  private async createDatabase(): Promise<void> {
    if ((await this.ask('postgres', `select 1 from pg_database where datname = '${DATABASE}'`)) > 0) return;
    await this.ask('postgres', `create database ${DATABASE}`);
  }

  private async answers(): Promise<boolean> {
    return this.ask('postgres', 'select 1').then(() => true, () => false);
  }

  /** @returns the number of rows */
  private ask(database: string, text: string): Promise<number> {
    return this.connected(database, async (client) => (await client.query(text)).rowCount ?? 0);
  }

  private async connected<T>(database: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client({ connectionString: this.urlOf(database), connectionTimeoutMillis: 10_000 });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }

  private get logFile(): string {
    return join(this.home, 'postgres.log');
  }
  private logTail(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8').split('\n').slice(-12).join('\n') : '';
  }
}

/** Ends the Postgres of a data folder without waiting, for a process that exits: the next start recovers from its log. @returns whether there was one to end */
export function stopAtOnce(dataDir: string): boolean {
  const cluster = join(movedHome(dataDir) ?? join(dataDir, 'postgres'), 'cluster');
  const running = readPidFile(join(cluster, 'postmaster.pid'));
  if (running === undefined || !isAlive(running.pid) || !isPostgresOf(running.pid, cluster)) return false;
  process.kill(running.pid, 'SIGQUIT');
  return true;
}

function movedHome(dataDir: string): string | undefined {
  const location = join(dataDir, 'postgres', 'location');
  return existsSync(location) ? readFileSync(location, 'utf8').trim() : undefined;
}

function homeOf(dataDir: string, user: RunAs): string {
  const moved = movedHome(dataDir);
  if (moved !== undefined) return moved;
  const usual = join(dataDir, 'postgres');
  mkdirSync(usual, { recursive: true });
  if (canReach(join(usual, 'cluster', 'PG_VERSION'), user)) return usual;
  const home = join(sharedFolder(user), randomBytes(6).toString('hex'));
  mkdirSync(home, { mode: 0o711 });
  writeFileSync(join(usual, 'location'), `${home}\n`);
  return home;
}

function passwordOf(home: string): string {
  const file = join(home, 'password');
  if (!existsSync(file)) writeFileSync(file, randomBytes(24).toString('hex'), { mode: 0o600 });
  return readFileSync(file, 'utf8').trim();
}

/** Lines of postmaster.pid: pid, folder, start, port, socket folder, address, shared memory, status. */
function readPidFile(file: string): { pid: number; port: number; ready: boolean } | undefined {
  if (!existsSync(file)) return undefined;
  const lines = readFileSync(file, 'utf8').split('\n').map((line) => line.trim());
  const pid = Number(lines[0]);
  return Number.isSafeInteger(pid) && pid > 1 ? { pid, port: Number(lines[3]), ready: lines[7] === 'ready' } : undefined;
}

function isAlive(pid: number): boolean {
  if (pid <= 1) return false;
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Ended, but not yet collected by the process above it. */
function isZombie(pid: number): boolean {
  const file = `/proc/${pid}/stat`;
  return existsSync(file) && /\) [ZX] /.test(readFileSync(file, 'utf8'));
}

/** A pid is given again after a restart of the machine or the container: the command line tells. */
function isPostgresOf(pid: number, cluster: string): boolean {
  const file = `/proc/${pid}/cmdline`;
  return !existsSync('/proc/self/cmdline') || (existsSync(file) && readFileSync(file, 'utf8').includes(cluster));
}

/** Settings of the caller's shell (PGDATA, PGOPTIONS, LD_PRELOAD ...) are not for this Postgres. */
const cleanEnvironment = (): NodeJS.ProcessEnv => ({ PATH: process.env.PATH ?? '', LC_ALL: 'C', TZ: 'UTC' });

/** The preferred port when it is free, else any. */
async function freePort(preferred: number): Promise<number> {
  const tryPort = (port: number) =>
    new Promise<number>((resolve, reject) => {
      const server = createServer();
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => {
        const { port: bound } = server.address() as AddressInfo;
        server.close(() => resolve(bound));
      });
    });
  return tryPort(preferred).catch(() => tryPort(0));
}

async function until(condition: () => boolean, seconds: number): Promise<boolean> {
  for (const end = performance.now() + seconds * 1000; performance.now() < end; await sleep(20)) if (condition()) return true;
  return condition();
}
