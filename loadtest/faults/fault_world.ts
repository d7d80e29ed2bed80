/** One market for the whole suite: a Postgres, a wire that can fail, the server, and clients that remember every answer. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DemoFile } from '../../api/demo/accounts.ts';
import { openPostgres } from '../../db/postgres.ts';
import type { Postgres } from '../../db/postgres.ts';
import { temporaryFolder } from '../../db/temporary_postgres.ts';
import { ClusterWorld } from './cluster_world.ts';
import { MarketUnderLoad } from './market_under_load.ts';
import { ServerProcess, freePort } from './server_process.ts';
import type { ServerOptions } from './server_process.ts';
import { TcpProxy } from './tcp_proxy.ts';

/** What an empty program takes on an idle machine. */
const START_MILLIS = 60;

export interface WorldOptions {
  root: string;
  long: boolean;
  say: (line: string) => void;
  environment?: Record<string, string>;
  afterwards?: Record<string, string>;
}

export class FaultWorld extends MarketUnderLoad {
  readonly folder: string;
  readonly root: string;
  readonly postgres: Postgres;
  readonly wire: TcpProxy;
  readonly say: (line: string) => void;
  readonly port: number;
  /** Faults last as long as they may. */
  readonly long: boolean;
  /** Of every server, beside what each sets itself. */
  private environment: Record<string, string>;
  /** How much longer things take here than on a machine that does nothing else. */
  patience = 1;
  server: ServerProcess;
  /** Started with something of a fault's own. */
  private isAltered = false;
  private cluster: ClusterWorld | undefined;
  private readonly remove: () => void;

  private constructor(parts: { folder: string; root: string; postgres: Postgres; wire: TcpProxy; port: number; long: boolean; environment: Record<string, string>; say: (line: string) => void; remove: () => void }) {
    super();
    this.folder = parts.folder;
    this.root = parts.root;
    this.postgres = parts.postgres;
    this.wire = parts.wire;
    this.port = parts.port;
    this.long = parts.long;
    this.environment = parts.environment;
    this.say = parts.say;
    this.remove = parts.remove;
    this.server = this.spawn();
  }

  /** @param environment of every start. @param afterwards of every start but the first, which makes the market with its accounts and offers */
  static async open({ root, long, say, environment = {}, afterwards = {} }: WorldOptions): Promise<FaultWorld> {
    const { folder, remove } = temporaryFolder('ccx-faults-');
    const postgres = await openPostgres({ databaseUrl: undefined, dataDir: folder, say: () => undefined });
    const world = new FaultWorld({ folder, root, postgres, wire: await TcpProxy.open(() => postgres.url), port: await freePort(), long, environment, say, remove });
    try {
      await world.server.ready();
    } catch (error) {
      await world.end();
      throw error;
    }
    world.environment = { ...environment, ...afterwards };
    world.newLoad();
    world.calibrate();
    return world;
  }

  /** A server on this world's data; it is not waited for. */
  spawn(options: Partial<ServerOptions> = {}): ServerProcess {
    const { root, port } = this;
    return ServerProcess.spawn({ root, port, dataDir: join(this.folder, 'server'), databaseUrl: this.wire.urlOf(this.postgres.url), ...options, environment: { ...this.environment, ...options.environment } });
  }

  /** After the server has ended. @returns milliseconds until it was ready */
  async restart(options: Partial<ServerOptions> = {}): Promise<number> {
    this.server = this.spawn(options);
    this.isAltered = Object.keys(options).length > 0;
    return this.server.ready();
  }

  /** Leaves the server as its users start it. */
  async asUsual(): Promise<void> {
    if (!this.isAltered) return;
    await this.server.stop();
    await this.restart();
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
    return this.postgres.url;
  }

  /** The market of several processes, on the same Postgres; started when first asked for. */
  async openCluster(): Promise<ClusterWorld> {
    this.cluster ??= await ClusterWorld.open({ root: this.root, folder: this.folder, postgresUrl: this.postgres.url });
    return this.cluster;
  }

  /** Of the first process of Postgres. */
  async postmaster(): Promise<number> {
    const [{ folder }] = await this.query<{ folder: string }>(`select current_setting('data_directory') as folder`);
    return Number(readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n')[0]);
  }

  async close(): Promise<void> {
    await this.load.abandon();
    await this.cluster?.close();
    await this.end();
  }

  private async end(): Promise<void> {
    await this.server.end();
    await this.wire.close();
    await this.postgres.stop();
    this.remove();
  }
}
