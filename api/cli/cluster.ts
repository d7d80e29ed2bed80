/** `npm run cluster`: an exchange of several processes on this machine, until Ctrl-C. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Cluster } from '../cluster/cluster.ts';
import { ConfigError, readConfig } from '../config.ts';
import { readDemoFile } from '../demo/accounts.ts';
import { introduction } from '../roles/introduction.ts';
import { exitCodeOf, readArguments, wholeNumber } from './arguments.ts';
import { findRedisServer } from './tools.mjs';

const USAGE = `usage: npm run cluster -- [--port 8080] [--processes 2] [--redis-port N] [--no-restart]
  --processes   with the roles api and gateway, at the port and those after it; an engine and a standby come besides
  --no-restart  a process that ends stays away`;

async function main(): Promise<number> {
  const { values } = readArguments(USAGE, {
    options: {
      port: { type: 'string', default: process.env.PORT ?? '8080' },
      processes: { type: 'string', default: '2' },
      'redis-port': { type: 'string', default: '0' },
      restart: { type: 'boolean', default: true },
    },
    allowNegative: true,
  });
  const [port, redisPort] = [wholeNumber(USAGE, 'port', values.port, { most: 65_000 }), wholeNumber(USAGE, 'redis-port', values['redis-port'], { most: 65_535 })];
  const processes = wholeNumber(USAGE, 'processes', values.processes, { least: 1, most: 64 });
  const config = readConfig({ ...process.env, ROLE: undefined, PORT: undefined });
  const redisServer = findRedisServer();
  if (redisServer === '' && config.redisUrl === undefined) throw new ConfigError('redis-server is not installed: install it, or set REDIS_URL');
  const cluster = new Cluster({
    dataDir: config.dataDir, serverFile: resolve(fileURLToPath(new URL('server.js', import.meta.url))), redisServer,
    databaseUrl: config.databaseUrl, redisUrl: config.redisUrl, port, redisPort,
    processes, restarts: values.restart, environment: process.env, say: (line) => console.log(line),
  });
  let closing = false;
  const close = async (): Promise<void> => {
    // Who asks twice does not wait; what is left ends at once.
    if (closing) process.exit(130);
    closing = true;
    console.log('closing ...');
    await cluster.close();
    if (cluster.leftBehind) console.error('told to end, and not waited for: postgres');
    process.exit(cluster.leftBehind ? 1 : 0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void close());
  try {
    await cluster.start();
  } catch (error) {
    // What ends because all does needs no word.
    if (closing) return 0;
    throw error;
  }
  for (const { name, pid, url } of cluster.file.processes) console.log(`${name.padEnd(8)} ${url.padEnd(24)} process ${pid}`);
  introduction(cluster.urls[0], config.demo ? await readDemoFile(config.dataDir) : undefined).forEach((line) => console.log(line));
  return 0;
}

process.exitCode = await exitCodeOf(main);
