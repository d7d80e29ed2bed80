/** The exchange as several processes, with a copy of the market, a Redis of its own and clients that use any of its api processes. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findRedisServer } from '../../api/cli/tools.mjs';
import { Cluster } from '../../api/cluster/cluster.ts';
import { REDIS_ARGUMENTS } from '../../api/cluster/topology.ts';
import type { DemoFile } from '../../api/demo/accounts.ts';
import { lastWill } from '../../db/last_will.ts';
import { endsWithThisProcess } from '../../api/kept_process.ts';
import type { FoundedMarket } from './founded_market.ts';
import { MarketUnderLoad } from './market_under_load.ts';
import { pause, until } from './server_process.ts';
import { TcpProxy } from './tcp_proxy.ts';

const WARM_MILLIS_MAX = 60_000;
const LINES_KEPT = 400;
const LINES_TOLD = 40;
const LEADERS = ['engine', 'standby'];
const ENDED = /^\[(.+?)\] ended with (\w+)/;
const END_MILLIS_MAX = 30_000;
/** Of the file that names its processes. */
const END = `sed -n 's/.*"pid": \\([0-9]*\\).*/\\1/p' "$1" | while read -r pid; do kill -CONT "$pid"; kill "$pid"; done`;

export class ClusterWorld extends MarketUnderLoad {
  readonly cluster: Cluster;
  readonly databaseUrl: string;
  /** What the processes last said. */
  readonly lines: readonly string[];
  /** Between each that may lead and Redis, by its name. */
  readonly wires: ReadonlyMap<string, TcpProxy>;
  /** How a process ended last, by its name: a signal, or an exit code. */
  private readonly ends: Map<string, string>;
  private readonly dataDir: string;
  private readonly forget: () => void;
  private redisAgain: ChildProcess | undefined;
  private next = 0;

  private constructor({ cluster, databaseUrl, dataDir, lines, ends, wires, forget }: { cluster: Cluster; databaseUrl: string; dataDir: string; lines: readonly string[]; ends: Map<string, string>; wires: ReadonlyMap<string, TcpProxy>; forget: () => void }) {
    super();
    this.cluster = cluster;
    this.databaseUrl = databaseUrl;
    this.dataDir = dataDir;
    this.lines = lines;
    this.ends = ends;
    this.wires = wires;
    this.forget = forget;
  }

  static async open({ founded, root }: { founded: FoundedMarket; root: string }): Promise<ClusterWorld> {
    const copy = await founded.copy('cluster');
    const { dataDir } = copy;
    const databaseUrl = copy.databaseUrl();
    // Also when this process is killed.
    const forget = lastWill(END, join(dataDir, 'cluster.json'));
    const lines: string[] = [];
    const ends = new Map<string, string>();
    let redisUrl = '';
    const wires = new Map<string, TcpProxy>();
    for (const name of LEADERS) wires.set(name, await TcpProxy.open(() => redisUrl));
    const cluster: Cluster = new Cluster({
      dataDir, serverFile: join(root, 'dist/server.js'), redisServer: findRedisServer(), databaseUrl, redisUrl: undefined, port: 0, redisPort: 0,
      processes: 2, restarts: true,
      redisUrlOf: (member, url) => {
        redisUrl = url;
        return wires.get(member)?.urlOf(url) ?? url;
      },
      say: (line) => {
        lines.push(line);
        lines.splice(0, lines.length - LINES_KEPT);
        const [, name, how] = ENDED.exec(line) ?? [];
        if (name !== undefined) ends.set(name, how);
      },
      environment: { PATH: process.env.PATH, DEMO: '0', LOG_LEVEL: 'error' },
    });
    await cluster.start().catch((error: unknown) => {
      forget();
      throw new Error(`${error instanceof Error ? error.message : String(error)}; the processes last said:\n${lines.join('\n')}`);
    });
    const world = new ClusterWorld({ cluster, databaseUrl, dataDir, lines, ends, wires, forget });
    world.newLoad();
    return world;
  }

  /** One api process after the other. */
  get url(): string {
    const { urls } = this.cluster;
    return urls[this.next++ % urls.length].replace('localhost', '127.0.0.1');
  }
  get urls(): string[] {
    return this.cluster.urls.map((url) => url.replace('localhost', '127.0.0.1'));
  }
  get demo(): DemoFile {
    return JSON.parse(readFileSync(join(this.dataDir, 'demo.json'), 'utf8')) as DemoFile;
  }
  get said(): string {
    return this.lines.slice(-LINES_TOLD).join('\n');
  }
  get redisUrl(): string {
    return this.cluster.file.redis_url;
  }

  /** Process id of who leads, as the lease has it. */
  async leader(): Promise<number> {
    const [{ holder }] = await this.query<{ holder: string }>('select holder from journal_lease');
    return Number(/process (\d+)/.exec(holder)?.[1]);
  }

  /** Between who leads and Redis. */
  async leadersWire(): Promise<TcpProxy> {
    const { leader } = await this.leaders();
    const wire = this.wires.get(leader);
    if (wire === undefined) throw new Error(`${leader} has no wire`);
    return wire;
  }

  /** By name. */
  async leaders(): Promise<{ leader: string; standby: string }> {
    const pid = await this.leader();
    const leader = LEADERS.find((name) => this.processOf(name).pid === pid);
    const standby = LEADERS.find((name) => name !== leader);
    if (leader === undefined || standby === undefined) throw new Error(`process ${pid} leads, which is none of this exchange`);
    return { leader, standby };
  }

  private processOf(name: string): { pid: number | undefined; url: string } {
    const found = this.cluster.file.processes.find((process) => process.name === name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  }

  /** Resolves when one leads and the other stands by, warm. @param ended process that is not waited for */
  async warm(ended?: number): Promise<void> {
    const isReady = ({ url, pid }: { url: string; pid: number | undefined }): Promise<boolean> =>
      pid === ended ? Promise.resolve(false) : fetch(`${url}/readyz`).then(({ ok }) => ok, () => false);
    await until('a warm standby', async () => {
      const answers = await Promise.all(this.cluster.file.processes.filter(({ name }) => LEADERS.includes(name)).map(isReady));
      return answers.every(Boolean);
    }, WARM_MILLIS_MAX);
  }

  /** As its operator would; resolves when it is back. @returns how it ended, and after how long */
  async stop(name: string): Promise<{ how: string | undefined; millis: number }> {
    const { pid } = this.processOf(name);
    this.ends.delete(name);
    if (pid !== undefined) process.kill(pid, 'SIGTERM');
    const millis = await until(`the end of ${name}`, () => this.ends.has(name), END_MILLIS_MAX);
    await until(`${name} again`, () => fetch(`${this.processOf(name).url}/readyz`).then(({ ok }) => ok, () => false), WARM_MILLIS_MAX);
    return { how: this.ends.get(name), millis };
  }

  async killRedis(): Promise<void> {
    const pid = this.redisAgain?.pid ?? this.cluster.file.processes.find(({ name }) => name === 'redis')?.pid;
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
    await pause(1);
  }
  startRedis(): void {
    const { port } = new URL(this.redisUrl);
    const redis = spawn(findRedisServer(), ['--bind', '127.0.0.1', '--port', port, ...REDIS_ARGUMENTS], { stdio: 'ignore' });
    redis.once('exit', endsWithThisProcess(() => redis.kill('SIGKILL')));
    this.redisAgain = redis;
  }

  async close(): Promise<void> {
    await this.load.abandon();
    await this.cluster.close();
    this.forget();
    for (const wire of this.wires.values()) await wire.close();
    this.redisAgain?.kill('SIGKILL');
  }
}
