/** `npm run bench -- NAME [--json] [--option value]`: runs one benchmark and prints its numbers. */
import { cpus } from 'node:os';
import '../../api/sequencer/compiler.ts';
import * as api from './api.ts';
import * as apiServer from './api_server.ts';
import * as blocks from './blocks.ts';
import { rounded, type BenchOptions, type BenchResult, type Benchmark } from './benchmark.ts';
import * as durable from './durable.ts';
import * as engine from './engine.ts';
import * as gateway from './gateway.ts';
import { serveBareProxy, serveUpstream } from './gateway_parts.ts';
import * as gatewayServer from './gateway_server.ts';
import * as realtime from './realtime.ts';
import * as realtimeClients from './realtime_clients.ts';
import * as recovery from './recovery.ts';
import * as web from './web.ts';

/** Imported plainly: what is imported on demand loses its constants in the bundle, and the engine a quarter of its speed. */
const BENCHMARKS: Readonly<Record<string, Benchmark>> = { engine, blocks, durable, recovery, api, realtime, gateway, web };
/** What a benchmark starts as a process of its own. */
const PARTS: Readonly<Record<string, () => void>> = {
  'realtime-clients': realtimeClients.serve,
  'api-server': apiServer.serve,
  'api-bare': apiServer.serveBare,
  'recovery-replay': recovery.serveReplay,
  'gateway-upstream': serveUpstream,
  'gateway-bare': serveBareProxy,
  'gateway-server': gatewayServer.serve,
};

async function main(): Promise<number> {
  const [name = '', ...rest] = process.argv.slice(2);
  if (name in PARTS) {
    PARTS[name]();
    return 0;
  }
  const benchmark = BENCHMARKS[name] as Benchmark | undefined;
  if (benchmark === undefined) {
    const isAsked = name === '--help';
    (isAsked ? console.log : console.error)(`usage: npm run bench -- NAME [--json]\nNAME is one of: ${Object.keys(BENCHMARKS).join(', ')}`);
    return isAsked ? 0 : 2;
  }
  const json = rest.includes('--json');
  const options = parseOptions(rest.filter((argument) => argument !== '--json'));
  const result = await benchmark.run(options);
  if (json) console.log(JSON.stringify(Object.fromEntries(Object.entries(result).map(([key, value]) => [key, rounded(value)]))));
  else printTable(name, result);
  return 0;
}

function parseOptions(args: readonly string[]): BenchOptions {
  const given = new Map<string, string>();
  for (let at = 0; at < args.length; at += 2) {
    const [flag, value] = [args[at], args[at + 1]];
    if (!flag.startsWith('--') || value === undefined) throw new Error(`options are --name value; got ${JSON.stringify(flag)}`);
    given.set(flag.slice(2), value);
  }
  return {
    number(name, fallback) {
      const text = given.get(name);
      const value = text === undefined ? fallback : Number(text);
      if (!(value > 0)) throw new Error(`--${name} must be a positive number`);
      return value;
    },
    choice<Choice extends string>(name: string, choices: readonly Choice[], fallback: Choice): Choice {
      const text = given.get(name) ?? fallback;
      const chosen = choices.find((choice) => choice === text);
      if (chosen === undefined) throw new Error(`--${name} must be one of ${choices.join(', ')}`);
      return chosen;
    },
    has: (name) => given.has(name),
    say: (line) => console.error(line),
  };
}

function printTable(name: string, result: BenchResult): void {
  const width = Math.max(...Object.keys(result).map((key) => key.length));
  console.log(`${name}: Node ${process.versions.node}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}`);
  for (const [key, value] of Object.entries(result)) {
    console.log(`  ${key.padEnd(width)}  ${rounded(value).toLocaleString('en-US', { maximumFractionDigits: 4 }).padStart(14)}`);
  }
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  return 1;
});
