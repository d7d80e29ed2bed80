/** `npm run cluster -- [--port 8080] [--processes 2] [--redis-port N] [--no-restart]`: an exchange of several processes on this machine, until Ctrl-C. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Cluster } from '../cluster/cluster.ts';
import { ConfigError, readConfig } from '../config.ts';
import { readDemoFile } from '../demo/accounts.ts';
import { introduction } from '../roles/introduction.ts';
import { findRedisServer } from './tools.mjs';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: process.env.PORT ?? '8080' },
    processes: { type: 'string', default: '2' },
    'redis-port': { type: 'string', default: '0' },
    restart: { type: 'boolean', default: true },
  },
  allowNegative: true,
});

function wholeNumber(name: string, text: string, maximum: number): number {
  if (!/^[0-9]{1,5}$/.test(text) || Number(text) > maximum) throw new ConfigError(`--${name}: must be a whole number up to ${maximum}`);
  return Number(text);
}

async function main(): Promise<void> {
  const config = readConfig({ ...process.env, ROLE: undefined, PORT: undefined });
  const redisServer = findRedisServer();
  if (redisServer === '' && config.redisUrl === undefined) throw new ConfigError('redis-server is not installed: install it, or set REDIS_URL');
  const port = wholeNumber('port', values.port, 65_000);
  const cluster = new Cluster({
    dataDir: config.dataDir, serverFile: resolve(fileURLToPath(new URL('server.js', import.meta.url))), redisServer,
    databaseUrl: config.databaseUrl, redisUrl: config.redisUrl, port, redisPort: wholeNumber('redis-port', values['redis-port'], 65_535),
    processes: Math.max(1, wholeNumber('processes', values.processes, 64)), restarts: values.restart, environment: process.env, say: (line) => console.log(line),
  });
  let closing = false;
  const close = async (): Promise<void> => {
    // Who asks twice does not wait; what is left ends at once.
    if (closing) process.exit(130);
    closing = true;
    console.log('closing ...');
    await cluster.close();
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void close());
  try {
    await cluster.start();
  } catch (error) {
    // What ends because all does needs no word.
    if (closing) return;
    throw error;
  }
  for (const { name, pid, url } of cluster.file.processes) console.log(`${name.padEnd(8)} ${url.padEnd(24)} process ${pid}`);
  introduction(cluster.urls[0], config.demo ? await readDemoFile(config.dataDir) : undefined).forEach((line) => console.log(line));
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
