/**
 * A demo provider as a process: `node dist/demo_provider.js [--port N] [--host H] [--models a,b]
 * [--seed S] [--first-token-ms N] [--token-ms N] [--api-key K]`; HOST and PORT of the environment stand
 * in for the first two. Says where it listens, and ends when its standard input does, if that is a pipe.
 */
import { fstatSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { PROVIDER_DEFAULTS, createProvider } from './provider.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: process.env.PORT ?? '0' },
    host: { type: 'string', default: process.env.HOST ?? '127.0.0.1' },
    models: { type: 'string', default: '' },
    seed: { type: 'string', default: PROVIDER_DEFAULTS.seed },
    'first-token-ms': { type: 'string', default: String(PROVIDER_DEFAULTS.firstTokenMillis) },
    'token-ms': { type: 'string', default: String(PROVIDER_DEFAULTS.tokenMillis) },
    'api-key': { type: 'string', default: '' },
  },
});

function wholeNumber(name: string, text: string): number {
  if (!/^[0-9]{1,6}$/.test(text)) {
    process.stderr.write(`--${name} must be a whole number\n`);
    process.exit(2);
  }
  return Number(text);
}

const server = createProvider({
  seed: values.seed,
  models: values.models.split(',').filter((name) => name !== ''),
  firstTokenMillis: wholeNumber('first-token-ms', values['first-token-ms']),
  tokenMillis: wholeNumber('token-ms', values['token-ms']),
  apiKey: values['api-key'],
});

server.once('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
server.listen(wholeNumber('port', values.port), values.host, () => {
  const { address, port } = server.address() as AddressInfo;
  process.stdout.write(`listening on http://${address}:${port}\n`);
});

// Whoever started this may have gone.
process.stdout.on('error', () => undefined);

function end(): void {
  server.close();
  server.closeAllConnections();
  process.stdin.destroy();
}
process.once('SIGTERM', end);
process.once('SIGINT', end);
// Whoever started this keeps the pipe open; when it is gone, so are we.
if (fstatSync(0).isFIFO() || fstatSync(0).isSocket()) process.stdin.resume().once('end', end).once('error', end);
