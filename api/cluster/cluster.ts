/**
 * The processes of TOPOLOGY on this machine, with a Redis and a Postgres of their own, for tests and for
 * a look at how they do. `DATA_DIR/cluster.json` tells who they are.
 */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { stopAtOnce } from '../../db/embedded_postgres.ts';
import { openPostgres } from '../../db/postgres.ts';
import type { Postgres } from '../../db/postgres.ts';
import { KeptProcess, endsWithThisProcess } from '../kept_process.ts';
import type { KeptProcessOptions } from '../kept_process.ts';
import { lookWhenClosing } from '../roles/last_looks.ts';
import { REDIS_ARGUMENTS, TOPOLOGY, SERVER_ARGUMENTS } from './topology.ts';
import type { Member } from './topology.ts';

export interface ClusterOptions {
  dataDir: string;
  /** The built server. */
  serverFile: string;
  redisServer: string;
  /** undefined: one is started. */
  databaseUrl: string | undefined;
  redisUrl: string | undefined;
  /** Where a member finds Redis, when not at its own address. */
  redisUrlOf?: (member: string, redisUrl: string) => string;
  /** Of the first api process, the others follow; the engine's is ten higher. 0: any. */
  port: number;
  redisPort: number;
  /** How many api processes. */
  processes: number;
  /** Server processes that end are started again. */
  restarts: boolean;
  /** Given to every process beside what it is told here. */
  environment: NodeJS.ProcessEnv;
  say: (line: string) => void;
}

/** What `cluster.json` holds. */
export interface ClusterFile {
  database_url: string;
  redis_url: string;
  processes: { name: string; pid: number | undefined; url: string }[];
}

const ENGINE_PORT_OFFSET = 10;
const SERVER_READY = /^ready (http:\/\/\S+)/;
const REDIS_READY = /Ready to accept connections/;
const STOP_MILLIS_MAX = 12_000;

export class Cluster {
  private readonly options: ClusterOptions;
  /** To be called in reverse. */
  private readonly closers: ((isAway: AbortSignal) => Promise<unknown> | void)[] = [];
  private readonly members: { process: KeptProcess; url: string }[] = [];
  private closing = false;
  /** The database did not answer when all was closed; its own Postgres was told to end, and not waited for. */
  leftBehind = false;
  private databaseUrl = '';
  private redisUrl = '';

  constructor(options: ClusterOptions) {
    this.options = options;
  }

  /** Resolves when all are ready. @throws Error when one does not start; all are ended then */
  async start(): Promise<void> {
    try {
      await this.startAll();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  get file(): ClusterFile {
    const processes = this.members.map(({ process: { name, pid, place }, url }) => ({ name, pid, url: place === '' ? url : place }));
    return { database_url: this.databaseUrl, redis_url: this.redisUrl, processes };
  }

  /** Addresses of the api processes. */
  get urls(): string[] {
    return this.file.processes.filter(({ name }) => name.startsWith('api')).map(({ url }) => url);
  }

  /** Also while it starts: then nothing more is started. Where the database hangs, all are told to end at once, and it is not waited for. */
  async close(): Promise<void> {
    this.closing = true;
    const isAway = new AbortController();
    const endLooks = this.databaseUrl === '' ? undefined : lookWhenClosing(AbortSignal.abort(), () => this.databaseUrl, () => {
      this.options.say('the database does not answer: it is not waited for');
      for (const { process } of this.members) void process.stop();
      isAway.abort();
    });
    for (let close = this.closers.pop(); close !== undefined; close = this.closers.pop()) await close(isAway.signal);
    await endLooks?.();
  }

  private async stopPostgres(postgres: Postgres, isAway: AbortSignal): Promise<void> {
    const away = new Promise<void>((resolve) => isAway.addEventListener('abort', () => resolve(), { once: true }));
    if (!isAway.aborted) await Promise.race([postgres.stop(), away]);
    if (isAway.aborted) this.leftBehind = postgres.embedded && stopAtOnce(this.options.dataDir);
  }

  private async startAll(): Promise<void> {
    const { dataDir, say } = this.options;
    mkdirSync(dataDir, { recursive: true });
    if (this.options.databaseUrl === undefined) this.closers.push(endsWithThisProcess(() => stopAtOnce(dataDir)));
    const postgres = await openPostgres({ databaseUrl: this.options.databaseUrl, dataDir, say, preparesLog: true });
    this.databaseUrl = postgres.url;
    this.closers.push((isAway) => this.stopPostgres(postgres, isAway));
    if (this.closing) return this.close();
    this.redisUrl = this.options.redisUrl ?? (await this.startRedis());
    // The engine first: whoever comes after it finds the tables made and the door open.
    for (const member of TOPOLOGY) {
      const count = member.name === 'api' ? this.options.processes : member.count;
      await Promise.all(Array.from({ length: count }, (_, index) => this.startMember(member, index)));
    }
  }

  private async startRedis(): Promise<string> {
    const { redisServer, redisPort, dataDir, environment } = this.options;
    const port = redisPort === 0 ? await freePort() : redisPort;
    const args = ['--bind', '127.0.0.1', '--port', String(port), '--dir', dataDir, ...REDIS_ARGUMENTS];
    // What is in it may be lost at any time, and so may it: who ends it starts it again.
    await this.run({ name: 'redis', command: redisServer, args, environment: () => environment, readyLine: REDIS_READY, restarts: false, url: `redis://127.0.0.1:${port}` });
    return `redis://127.0.0.1:${port}`;
  }

  private startMember({ name, role, count }: Member, index: number): Promise<void> {
    const { serverFile, port, environment, restarts, redisUrlOf = (_member: string, url: string) => url } = this.options;
    const isApi = name === 'api';
    const offset = (isApi ? 0 : ENGINE_PORT_OFFSET + (name === 'standby' ? 1 : 0)) + index;
    const own = port === 0 ? 0 : port + offset;
    return this.run({
      name: count > 1 ? `${name} ${index + 1}` : name,
      command: process.execPath,
      args: [...SERVER_ARGUMENTS, serverFile],
      environment: () => ({
        ...environment, ROLE: role, PORT: String(own), DATABASE_URL: this.databaseUrl, REDIS_URL: redisUrlOf(name, this.redisUrl), DATA_DIR: this.options.dataDir,
        ...(port === 0 ? {} : { PUBLIC_URL: environment.PUBLIC_URL ?? `http://localhost:${port}` }),
      }),
      readyLine: SERVER_READY, restarts, url: '',
    });
  }

  /** @param url where the program does not tell it */
  private async run({ url, ...options }: Omit<KeptProcessOptions, 'say' | 'changed' | 'stopMillisMax'> & { url: string }): Promise<void> {
    if (this.closing) throw new Error('it was told to end');
    const member = new KeptProcess({ ...options, stopMillisMax: STOP_MILLIS_MAX, say: (line) => this.options.say(`[${options.name}] ${line}`), changed: () => this.write() });
    this.members.push({ process: member, url });
    this.closers.push(() => member.stop());
    await member.start();
    this.write();
  }

  /** In one step: who reads it meanwhile finds the one before. */
  private write(): void {
    const file = join(this.options.dataDir, 'cluster.json');
    writeFileSync(`${file}.new`, `${JSON.stringify(this.file, null, 2)}\n`, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
