/** The real server with its demo market, on a database and a port of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const READY_MILLIS = 90_000;
const CLOSE_MILLIS = 15_000;

export interface DemoFile {
  url: string;
  gateway_key: string;
}
export interface ExchangeServer {
  url: string;
  demo: DemoFile;
  close(): Promise<void>;
}

/** @throws Error with the server's output when it does not become ready */
export async function startExchangeServer(): Promise<ExchangeServer> {
  const folder = mkdtempSync(join(tmpdir(), 'exchange-'));
  // Postgres runs as another user when the test runs as root, and must be able to reach its folder.
  chmodSync(folder, 0o755);
  const server = spawn(process.execPath, ['dist/server.js'], {
    cwd: ROOT,
    env: { ...process.env, PORT: '0', DATA_DIR: folder, DEMO: '1', DEMO_LOAD_EVERY: '0', LOG_LEVEL: 'warn', NODE_ENV: 'test', DATABASE_URL: '', REDIS_URL: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const url = await ready(server);
  const demo = JSON.parse(readFileSync(join(folder, 'demo.json'), 'utf8')) as DemoFile;
  return {
    url,
    demo,
    close: async () => {
      await stop(server);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function ready(server: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    const late = setTimeout(() => fail('was not ready in time'), READY_MILLIS);
    const fail = (reason: string): void => {
      clearTimeout(late);
      server.kill('SIGKILL');
      reject(new Error(`the server ${reason}:\n${output}`));
    };
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      const port = /^ready http:\/\/localhost:(\d+)/m.exec(output)?.[1];
      if (port === undefined) return;
      clearTimeout(late);
      resolve(`http://127.0.0.1:${port}`);
    };
    server.stdout?.on('data', read);
    server.stderr?.on('data', read);
    server.once('exit', (code) => fail(`ended with ${code}`));
  });
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return;
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGTERM');
  const late = setTimeout(() => server.kill('SIGKILL'), CLOSE_MILLIS);
  await ended;
  clearTimeout(late);
}
