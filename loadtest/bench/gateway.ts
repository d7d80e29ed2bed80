/**
 * The gateway (auth, authorise, durable capture) against the same upstream asked directly, behind a bare
 * Express 5 proxy, and behind @portkey-ai/gateway. Everything runs in processes of its own and takes
 * turns; a rate is the median of its rounds. Overhead is measured alone: one connection, one request at
 * a time, the gateway's percentile less the upstream's, the median of rounds as well.
 */
import { fork, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { SERVER_ARGUMENTS } from '../../api/cluster/topology.ts';
import { endsWithThis } from '../../db/last_will.ts';
import { median, percentile } from './benchmark.ts';
import type { BenchOptions, BenchResult } from './benchmark.ts';
import { CHUNKS, MESSAGES, MODEL } from './gateway_parts.ts';
import type { GatewayReady, GatewayReport } from './gateway_server.ts';
import { runLoad } from './http_load.ts';
import type { LoadTarget } from './http_load.ts';
import { installPeer } from './peer.ts';

const CONNECTIONS = 32;
const STREAM_CONNECTIONS = 16;
/** Until the compiler is done: what all answers have in common, then what streams have beyond that. */
const WARMUP_MILLIS = { whole: 4_000, streamed: 10_000 };
const PATH = '/v1/chat/completions';
const PEER_MILLIS_MAX = 20_000;
/** Of a peer that is not measured. */
const NO_PORT = 0;

const message = <T>(child: ChildProcess): Promise<T> =>
  new Promise((resolve, reject) => {
    child.once('message', (value) => resolve(value as T));
    child.once('exit', (code) => reject(new Error(`a part of the benchmark ended with ${code}`)));
  });

class Parts {
  private readonly children: ChildProcess[] = [];

  start(name: string, ...args: string[]): ChildProcess {
    // As `npm start` starts the server.
    return this.keep(fork(process.argv[1], [name, ...args], { execArgv: [...SERVER_ARGUMENTS] }));
  }
  keep(child: ChildProcess): ChildProcess {
    this.children.push(child);
    return child;
  }
  end(): void {
    for (const child of this.children) child.kill();
  }
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

async function startPeer(parts: Parts, say: BenchOptions['say']): Promise<number> {
  const folder = installPeer('portkey', say);
  const port = await freePort();
  // The peer refuses upstreams on loopback unless they are named.
  const environment = { ...process.env, NODE_ENV: 'production', TRUSTED_CUSTOM_HOSTS: 'localhost,127.0.0.1,::1' };
  const program = join(folder, 'node_modules', '@portkey-ai', 'gateway', 'build', 'start-server.js');
  const peer = parts.keep(spawn(process.execPath, [program, '--headless', `--port=${port}`], { cwd: folder, stdio: 'ignore', env: environment }));
  if (peer.pid !== undefined) peer.once('exit', endsWithThis(peer.pid));
  const deadline = performance.now() + PEER_MILLIS_MAX;
  for (;;) {
    const up = await fetch(`http://127.0.0.1:${port}/`).then(() => true, () => false);
    if (up) return port;
    if (performance.now() > deadline) throw new Error('the peer does not start');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

type Targets = Record<'direct' | 'bare' | 'gateway' | 'peer', LoadTarget>;
type Rates = Record<keyof Targets, number>;

interface Taken {
  connections: number;
  rounds: number;
  /** Of a round, and of what is taken before the first. */
  millis: number;
  warmup: number;
}

/** Each target in turn, several rounds. */
async function ratesOf(targets: Targets, names: readonly (keyof Targets)[], { connections, rounds, millis, warmup }: Taken, options: BenchOptions): Promise<Rates> {
  const rates: Record<string, number[]> = {};
  for (const name of names) await runLoad(targets[name], connections, warmup);
  for (let round = 1; round <= rounds; round++) {
    for (const name of names) {
      const { perSecond } = await runLoad(targets[name], connections, millis);
      (rates[name] ??= []).push(perSecond);
      options.say(`${name}, ${connections} connections, round ${round} of ${rounds}: ${Math.round(perSecond)} a second`);
    }
  }
  return Object.fromEntries(Object.entries(rates).map(([name, values]) => [name, median(values)])) as Rates;
}

function targetsOf(ports: Record<keyof Targets, number>, key: string, streamed: boolean): Targets {
  const body = JSON.stringify({ model: MODEL, messages: MESSAGES, max_tokens: 64, ...(streamed ? { stream: true } : {}) });
  const of = (port: number, headers: Record<string, string>): LoadTarget => ({ port, path: PATH, headers, body });
  return {
    direct: of(ports.direct, {}),
    bare: of(ports.bare, { authorization: 'Bearer upstream' }),
    gateway: of(ports.gateway, { authorization: `Bearer ${key}` }),
    peer: of(ports.peer, { authorization: 'Bearer upstream', 'x-portkey-provider': 'openai', 'x-portkey-custom-host': `http://127.0.0.1:${ports.direct}/v1` }),
  };
}

/** What `--only` leaves of the benchmark. */
const PARTS = ['whole', 'stream', 'alone'] as const;
type Part = (typeof PARTS)[number];

interface Sizes {
  rounds: number;
  millis: number;
}
interface Field extends Sizes {
  ports: Record<keyof Targets, number>;
  key: string;
  options: BenchOptions;
}

const MEASURES: Readonly<Record<Part, (field: Field) => Promise<BenchResult>>> = {
  async whole({ ports, key, rounds, millis, options }) {
    const names = (['direct', 'bare', 'gateway', 'peer'] as const).filter((name) => ports[name] !== NO_PORT);
    const rates = await ratesOf(targetsOf(ports, key, false), names, { connections: CONNECTIONS, rounds, millis, warmup: WARMUP_MILLIS.whole }, options);
    return {
      requests_per_second: rates.gateway,
      direct_per_second: rates.direct,
      bare_proxy_per_second: rates.bare,
      peer_per_second: rates.peer,
      ratio_to_bare: rates.gateway / rates.bare,
      ratio_to_peer: rates.gateway / rates.peer,
    };
  },

  async stream({ ports, key, rounds, millis, options }) {
    const rates = await ratesOf(targetsOf(ports, key, true), ['bare', 'gateway'], { connections: STREAM_CONNECTIONS, rounds, millis, warmup: WARMUP_MILLIS.streamed }, options);
    return { stream_chunks_per_second: rates.gateway * CHUNKS, stream_ratio_to_bare: rates.gateway / rates.bare };
  },

  async alone({ ports, key, rounds, millis, options }) {
    type Added = (of: 'latencies' | 'firstBytes', fraction: number) => number;
    const added = async (streamed: boolean): Promise<Added> => {
      const { direct, gateway } = targetsOf(ports, key, streamed);
      // The other parts, where they are taken, have come before.
      if (options.has('only')) await runLoad(gateway, CONNECTIONS, streamed ? WARMUP_MILLIS.streamed : WARMUP_MILLIS.whole);
      const taken: Added[] = [];
      // In turns, so that what slows all down for a while is not laid at the door of one.
      for (let round = 0; round < rounds; round++) {
        const [without, through] = [await runLoad(direct, 1, millis / rounds), await runLoad(gateway, 1, millis / rounds)];
        taken.push((of, fraction) => percentile(through[of], fraction) - percentile(without[of], fraction));
      }
      return (of, fraction) => median(taken.map((difference) => difference(of, fraction)));
    };
    const whole = await added(false);
    const streamed = await added(true);
    options.say(`first byte of a stream: ${streamed('firstBytes', 0.5).toFixed(3)} ms added, p99 ${streamed('firstBytes', 0.99).toFixed(3)} ms`);
    return { overhead_p50_ms: whole('latencies', 0.5), overhead_p99_ms: whole('latencies', 0.99) };
  },
};

/** Keys in the order in which they are shown. */
const SHOWN = [
  'requests_per_second', 'overhead_p50_ms', 'overhead_p99_ms', 'commit_p50_ms', 'direct_per_second', 'bare_proxy_per_second', 'peer_per_second',
  'ratio_to_bare', 'ratio_to_peer', 'stream_chunks_per_second', 'stream_ratio_to_bare',
];

async function measure(parts: Parts, options: BenchOptions): Promise<BenchResult> {
  const only = options.choice('only', ['all', ...PARTS], 'all');
  const direct = (await message<{ port: number }>(parts.start('gateway-upstream'))).port;
  const server = parts.start('gateway-server', String(direct));
  const { port: gateway, key } = await message<GatewayReady>(server);
  const bare = (await message<{ port: number }>(parts.start('gateway-bare', String(direct)))).port;
  const peer = only === 'all' ? await startPeer(parts, options.say) : NO_PORT;
  const field = { ports: { direct, bare, gateway, peer }, key, rounds: options.number('rounds', 3), millis: options.number('seconds', 3) * 1_000, options };
  const result: BenchResult = {};
  for (const part of PARTS) if (only === 'all' || only === part) Object.assign(result, await MEASURES[part](field));
  server.send('report');
  const { commitMillis, requests, invariantsOk } = await message<GatewayReport>(server);
  if (!invariantsOk) throw new Error('an invariant of the engine is broken');
  options.say(`${requests} commands committed, invariants hold`);
  server.send('close');
  await new Promise((resolve) => server.once('exit', resolve));
  result.commit_p50_ms = commitMillis;
  return Object.fromEntries(SHOWN.filter((name) => Number.isFinite(result[name])).map((name) => [name, result[name]]));
}

export async function run(options: BenchOptions): Promise<BenchResult> {
  const parts = new Parts();
  try {
    return await measure(parts, options);
  } finally {
    parts.end();
  }
}
