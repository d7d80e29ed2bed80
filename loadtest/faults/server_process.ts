/** The server as its users run it: a process of its own that can be killed, paused and asked over HTTP. */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SERVER_ARGUMENTS } from '../../api/cluster/topology.ts';
import type { DemoFile } from '../../api/demo/accounts.ts';
import { endsWithThisProcess } from '../../api/kept_process.ts';
import { endsWithThis } from '../../db/last_will.ts';

const READY_MILLIS_MAX = 90_000;
const END_MILLIS_MAX = 15_000;
const OUTPUT_KEPT = 20_000;

/** What the server consists of, where it is stale. */
export function buildServer(root: string): void {
  const parts = ['server', 'sequencer_worker', 'projector_worker', 'demo_provider'];
  execFileSync(process.execPath, ['api/cli/build.mjs', ...parts], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
}

export interface ServerOptions {
  root: string;
  dataDir: string;
  databaseUrl: string;
  port: number;
  /** Modules that are loaded into every thread before the server. */
  preloads?: readonly string[];
  environment?: Record<string, string>;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export class ServerProcess {
  readonly url: string;
  readonly exited: Promise<Exit>;
  private readonly child: ChildProcess;
  private readonly dataDir: string;
  private text = '';

  private constructor({ root, dataDir, databaseUrl, port, preloads = [], environment }: ServerOptions) {
    this.url = `http://127.0.0.1:${port}`;
    this.dataDir = dataDir;
    const imports = preloads.flatMap((name) => ['--import', pathToFileURL(join(root, 'loadtest/faults/preload', name)).href]);
    this.child = spawn(process.execPath, [...SERVER_ARGUMENTS, ...imports, join(root, 'dist/server.js')], {
      cwd: root, stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], PORT: String(port), DATABASE_URL: databaseUrl, DATA_DIR: dataDir, DEMO: '1', DEMO_LOAD_EVERY: '0', LOG_LEVEL: 'error', ...environment },
    });
    this.child.once('exit', endsWithThisProcess(() => this.child.kill('SIGKILL')));
    // Also when this one is killed itself.
    if (this.child.pid !== undefined) this.child.once('exit', endsWithThis(this.child.pid));
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (bytes: Buffer) => (this.text = (this.text + bytes.toString()).slice(-OUTPUT_KEPT)));
    }
    this.exited = new Promise((resolve) => this.child.once('exit', (code, signal) => resolve({ code, signal })));
  }

  /** Resolves at once; `ready` says when it serves. */
  static spawn(options: ServerOptions): ServerProcess {
    return new ServerProcess(options);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }
  get output(): string {
    return this.text;
  }
  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }
  get demo(): DemoFile {
    return JSON.parse(readFileSync(join(this.dataDir, 'demo.json'), 'utf8')) as DemoFile;
  }

  /** Milliseconds until it said that it is ready. @throws Error with what it said when it ends instead */
  async ready(): Promise<number> {
    const begun = performance.now();
    for (;;) {
      if (/^ready /m.test(this.text)) return performance.now() - begun;
      if (this.ended) throw new Error(`the server ended before it was ready:\n${this.text}`);
      if (performance.now() - begun > READY_MILLIS_MAX) throw new Error(`the server is not ready:\n${this.text}`);
      await pause(20);
    }
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited;
  }

  /** As its operator would. @returns how long it took, and how it ended */
  async stop(): Promise<Exit & { millis: number }> {
    const begun = performance.now();
    this.signal('SIGTERM');
    const exit = await this.exited;
    return { ...exit, millis: performance.now() - begun };
  }

  /** Also when it stands still, or never became ready. */
  async end(): Promise<void> {
    this.signal('SIGCONT');
    const late = setTimeout(() => this.signal('SIGKILL'), END_MILLIS_MAX);
    await this.stop();
    clearTimeout(late);
  }
}

/** Bytes. */
export async function memoryOf({ url }: { url: string }): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\S+)/m.exec(text)?.[1]);
}

export const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis));

/** Polls until true. @throws Error naming what did not come */
export async function until(what: string, condition: () => boolean | Promise<boolean>, millis: number): Promise<number> {
  const begun = performance.now();
  while (!(await condition())) {
    if (performance.now() - begun > millis) throw new Error(`${what}: not within ${millis} ms`);
    await pause(20);
  }
  return performance.now() - begun;
}

export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
