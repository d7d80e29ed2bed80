/** One market for the whole suite: a Postgres, a wire that can fail, the server, and clients that remember every answer. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { openPostgres } from '../../db/postgres.ts';
import type { Postgres } from '../../db/postgres.ts';
import { check, liveState } from './checker.ts';
import { OrderLoad } from './order_load.ts';
import type { Acknowledged } from './order_load.ts';
import { ServerProcess, freePort, until } from './server_process.ts';
import type { ServerOptions } from './server_process.ts';
import { TcpProxy } from './tcp_proxy.ts';

/** Repeats of old keys that are compared with their first answers. */
const REPEATED = 20;
/** What an empty program takes on an idle machine. */
const START_MILLIS = 60;

export class FaultWorld {
  readonly folder: string;
  readonly root: string;
  readonly postgres: Postgres;
  readonly wire: TcpProxy;
  readonly say: (line: string) => void;
  readonly port: number;
  /** Faults last as long as they may. */
  readonly long: boolean;
  /** How much longer things take here than on a machine that does nothing else. */
  patience = 1;
  server: ServerProcess;
  load: OrderLoad;
  /** Of every load there was. */
  readonly acknowledged: Acknowledged[] = [];
  private loads = 0;

  private constructor(parts: { folder: string; root: string; postgres: Postgres; wire: TcpProxy; port: number; long: boolean; say: (line: string) => void }) {
    this.folder = parts.folder;
    this.root = parts.root;
    this.postgres = parts.postgres;
    this.wire = parts.wire;
    this.port = parts.port;
    this.long = parts.long;
    this.say = parts.say;
    this.server = this.spawn();
    this.load = undefined as never;
  }

  static async open({ root, long, say }: { root: string; long: boolean; say: (line: string) => void }): Promise<FaultWorld> {
    const folder = mkdtempSync(join(tmpdir(), 'ccx-faults-'));
    chmodSync(folder, 0o755);
    const postgres = await openPostgres({ databaseUrl: undefined, dataDir: folder, say: () => undefined });
    const world = new FaultWorld({ folder, root, postgres, wire: await TcpProxy.open(() => postgres.url), port: await freePort(), long, say });
    await world.server.ready();
    world.newLoad();
    world.calibrate();
    return world;
  }

  /** A server on this world's data; it is not waited for. */
  spawn(options: Partial<ServerOptions> = {}): ServerProcess {
    const { root, port } = this;
    return ServerProcess.spawn({ root, port, dataDir: join(this.folder, 'server'), databaseUrl: this.wire.urlOf(this.postgres.url), ...options });
  }

  /** After the server has ended. @returns milliseconds until it was ready */
  async restart(options: Partial<ServerOptions> = {}): Promise<number> {
    this.server = this.spawn(options);
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

  /** Ends the load and begins another; what was acknowledged stays known. */
  newLoad(): void {
    this.load = new OrderLoad(() => this.server.url, this.server.demo.borrower.api_key, `load${this.loads++}`);
  }

  /** Resolves when so many more orders are acknowledged. @returns how long that took */
  progress(orders: number, millis = 60_000): Promise<number> {
    const reached = this.load.acknowledged.length + orders;
    return until(`${orders} more orders`, () => this.load.acknowledged.length >= reached, millis);
  }

  /** The ten conditions, and that old keys give their first answers. The load goes on afterwards. */
  async verdict(): Promise<string[]> {
    await this.load.stop();
    this.acknowledged.push(...this.load.acknowledged);
    const findings = [...new Set(this.load.surprises)].map((surprise) => `an answer nobody expects: ${surprise}`);
    const live = await liveState(this.server.url, this.server.demo.operator.api_key);
    findings.push(...(await check(this.postgres.url, live, this.acknowledged)), ...(await this.compareRepeats()));
    this.newLoad();
    return findings;
  }

  private async compareRepeats(): Promise<string[]> {
    const findings: string[] = [];
    for (const { key, body } of this.load.acknowledged.slice(-REPEATED)) {
      const { status, text } = await this.load.repeat(this.load.bodyOf(key), key);
      if (status !== 201 || text !== body) findings.push(`the repeat of ${key} answers ${status} ${text.slice(0, 200)}, not ${body.slice(0, 200)}`);
      const other = await this.load.repeat({ ...this.load.bodyOf(key), quantity: '0.02' }, key);
      if (other.status !== 409) findings.push(`another body under ${key} answers ${other.status}`);
    }
    return findings.slice(0, 3);
  }

  async query<R extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<R[]> {
    const client = new pg.Client({ connectionString: this.postgres.url });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<R>(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  /** Of the first process of Postgres. */
  async postmaster(): Promise<number> {
    const [{ folder }] = await this.query<{ folder: string }>(`select current_setting('data_directory') as folder`);
    return Number(readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n')[0]);
  }

  async close(): Promise<void> {
    await this.load.stop();
    await this.server.stop();
    await this.wire.close();
    await this.postgres.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
