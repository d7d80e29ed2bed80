/** `npm run bench -- NAME [--json] [--option value]`: runs one benchmark and prints its numbers. */
import { cpus } from 'node:os';
import { rounded, type BenchOptions, type BenchResult, type Benchmark } from './benchmark.ts';

const BENCHMARKS: Record<string, () => Promise<Benchmark>> = {
  engine: () => import('./engine.ts'),
  durable: () => import('./durable.ts'),
  recovery: () => import('./recovery.ts'),
  api: () => import('./api.ts'),
  realtime: () => import('./realtime.ts'),
  gateway: () => import('./gateway.ts'),
  web: () => import('./web.ts'),
};
/** What a benchmark starts as a process of its own. */
const PARTS: Record<string, () => Promise<{ serve(): void }>> = {
  'realtime-clients': () => import('./realtime_clients.ts'),
  'api-server': () => import('./api_server.ts'),
  'api-bare': async () => ({ serve: (await import('./api_server.ts')).serveBare }),
  'gateway-upstream': async () => ({ serve: (await import('./gateway_parts.ts')).serveUpstream }),
  'gateway-bare': async () => ({ serve: (await import('./gateway_parts.ts')).serveBareProxy }),
  'gateway-server': () => import('./gateway_server.ts'),
};

async function main(): Promise<number> {
  const [name = '', ...rest] = process.argv.slice(2);
  if (name in PARTS) {
    (await PARTS[name]()).serve();
    return 0;
  }
  const load = BENCHMARKS[name];
  if (load === undefined) {
    console.error(`usage: npm run bench -- NAME [--json]\nNAME is one of: ${Object.keys(BENCHMARKS).join(', ')}`);
    return 2;
  }
  const json = rest.includes('--json');
  const options = parseOptions(rest.filter((argument) => argument !== '--json'));
  const result = await (await load()).run(options);
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
