/** One market that suffers: its server, a wire to Postgres that can fail, and clients that remember every answer. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DemoFile } from '../../api/demo/accounts.ts';
import type { Postgres } from '../../db/postgres.ts';
import { ClusterWorld } from './cluster_world.ts';
import type { FoundedMarket, MarketCopy } from './founded_market.ts';
import { MarketUnderLoad } from './market_under_load.ts';
import { ServerProcess, freePort, until } from './server_process.ts';
import type { ServerOptions } from './server_process.ts';
import { TcpProxy } from './tcp_proxy.ts';

/** What an empty program takes on an idle machine. */
const START_MILLIS = 60;

/** Of every server: what stands ready in it until a fault asks for it by a file. */
const PRELOADS = ['crash_points.mjs', 'clock_shift.mjs', 'live_memory.mjs'];
/** Of one server: its own, the market's, the projections'. */
const THREADS = 3;
const ANSWER_MILLIS_MAX = 30_000;
/** Of what a server has written: an error with where it came from. */
const SAID_TOLD = 4_000;
/** No fault is about this limit, and some send more. */
const RATE_LIMIT = '1000000';

export interface WorldOptions {
  founded: FoundedMarket;
  /** Of its copy. */
  name: string;
  root: string;
  long: boolean;
  say: (line: string) => void;
  /** Of every server. */
  environment: Record<string, string>;
}

export class FaultWorld extends MarketUnderLoad {
  readonly founded: FoundedMarket;
  readonly root: string;
  readonly wire: TcpProxy;
  readonly say: (line: string) => void;
  readonly port: number;
  /** Faults last as long as they may. */
  readonly long: boolean;
  /** Names the moment at which the server is to end. */
  readonly crashFile: string;
  /** By how many milliseconds the server's clock is wrong. */
  readonly clockFile: string;
  private readonly memoryFile: string;
  private questions = 0;
  /** How much longer things take here than on a machine that does nothing else. */
  patience = 1;
  server: ServerProcess;
  private readonly copy: MarketCopy;
  private readonly environment: Record<string, string>;
  private cluster: Promise<ClusterWorld> | undefined;
  /** Others on the same Postgres, which end with it. */
  readonly others: Promise<{ close(): Promise<void> }>[] = [];

  private constructor({ founded, name, root, long, say, environment }: WorldOptions, parts: { copy: MarketCopy; wire: TcpProxy; port: number }) {
    super();
    this.founded = founded;
    this.root = root;
    this.long = long;
    this.say = say;
    this.copy = parts.copy;
    this.wire = parts.wire;
    this.port = parts.port;
    this.crashFile = join(founded.folder, `${name}_crash`);
    this.clockFile = join(founded.folder, `${name}_clock`);
    this.memoryFile = join(founded.folder, `${name}_memory`);
    this.environment = { RATE_LIMIT, CRASH_WHEN: this.crashFile, CLOCK_FILE: this.clockFile, MEMORY_WHEN: this.memoryFile, ...environment };
    this.server = this.spawn();
  }

  static async open(options: WorldOptions): Promise<FaultWorld> {
    const copy = await options.founded.copy(options.name);
    const world = new FaultWorld(options, { copy, wire: await TcpProxy.open(copy.databaseUrl), port: await freePort() });
    try {
      await world.server.ready();
    } catch (error) {
      await world.close();
      throw error;
    }
    world.newLoad();
    world.calibrate();
    return world;
  }

  /** A server on this world's data; it is not waited for. */
  spawn(options: Partial<ServerOptions> = {}): ServerProcess {
    const { root, port, environment, copy } = this;
    return ServerProcess.spawn({ root, port, dataDir: copy.dataDir, databaseUrl: this.wire.urlOf(copy.databaseUrl()), preloads: PRELOADS, environment, ...options });
  }

  /** After the server has ended. @returns milliseconds until it was ready */
  async restart(): Promise<number> {
    this.server = this.spawn();
    return this.server.ready();
  }

  /** By how long a process takes that does nothing. Neighbours come and go, so it is asked before each fault. */
  calibrate(): void {
    const times = Array.from({ length: 3 }, () => {
      const begun = performance.now();
      spawnSync(process.execPath, ['-e', '0']);
      return performance.now() - begun;
    });
    this.patience = Math.max(1, Math.max(...times) / START_MILLIS);
  }

  get url(): string {
    return this.server.url;
  }
  get demo(): DemoFile {
    return this.server.demo;
  }
  get databaseUrl(): string {
    return this.copy.databaseUrl();
  }
  get said(): string {
    return this.server.output.slice(-SAID_TOLD);
  }
  get postgres(): Postgres {
    return this.founded.postgres;
  }

  /** Megabytes that the threads of the server hold when their garbage is collected. */
  async liveMegabytes(): Promise<number> {
    const question = String(++this.questions);
    writeFileSync(this.memoryFile, question);
    const answers = (): number[] => {
      const file = `${this.memoryFile}_${question}`;
      return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').map(Number) : [];
    };
    await until('what its threads hold', () => answers().length === THREADS, ANSWER_MILLIS_MAX);
    return answers().reduce((sum, bytes) => sum + bytes, 0) / 2 ** 20;
  }

  /** The market of several processes, on the same Postgres; started when first asked for. */
  openCluster(): Promise<ClusterWorld> {
    this.cluster ??= ClusterWorld.open(this);
    return this.cluster;
  }

  /** Of the first process of Postgres. */
  async postmaster(): Promise<number> {
    const [{ folder }] = await this.query<{ folder: string }>(`select current_setting('data_directory') as folder`);
    return Number(readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n')[0]);
  }

  async close(): Promise<void> {
    await this.load?.abandon();
    for (const other of [this.cluster, ...this.others]) await other?.then((world) => world.close(), () => undefined);
    await this.server.end();
    await this.wire.close();
  }
}
