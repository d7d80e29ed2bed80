/**
 * `npm run provider-agent`: runs beside vLLM, SGLang or any OpenAI-compatible server in a data centre.
 * Registers its endpoint, says every ten seconds that it lives and which GPUs it sees, and on SIGTERM
 * drains: the exchange sends nothing new, and the agent ends when what was under way has had its time.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Exchange, Refused } from '../agent/exchange.ts';
import { parseGpus } from '../agent/nvidia_smi.ts';
import type { Gpu } from '../agent/nvidia_smi.ts';
import { UsageError, exitCodeOf, readArguments, wholeNumber } from './arguments.ts';

const HEARTBEAT_MILLIS = 10_000;
const COMMAND_LIMIT_MILLIS = 5_000;
const AGAIN_MILLIS = 1_000;
const COUNT_MAX = 999_999;

const USAGE = `usage: npm run provider-agent -- --exchange URL --endpoint URL --class CLASS --region REGION [--model NAME ...]
  [--precision bf16] [--country DE] [--prompt-retention none] [--gpus N] [--drain-seconds 60] [--once]
environment: CCX_API_KEY, a provider's key; ENDPOINT_API_KEY, what the endpoint asks of its callers`;

interface Options {
  exchange: string;
  endpoint: string;
  class: string;
  region: string;
  models: string[];
  precision?: string;
  country?: string;
  promptRetention?: string;
  gpus?: number;
  drainMillis: number;
  once: boolean;
  apiKey: string;
  endpointKey?: string;
}

function readOptions(): Options {
  const { values } = readArguments(USAGE, {
    options: {
      exchange: { type: 'string' }, endpoint: { type: 'string' }, class: { type: 'string' }, region: { type: 'string' }, model: { type: 'string', multiple: true },
      precision: { type: 'string' }, country: { type: 'string' }, 'prompt-retention': { type: 'string' }, gpus: { type: 'string' },
      'drain-seconds': { type: 'string', default: '60' }, once: { type: 'boolean', default: false },
    },
  });
  const { exchange, endpoint, region, model, precision, country } = values;
  const apiKey = process.env.CCX_API_KEY;
  if (exchange === undefined || endpoint === undefined || values.class === undefined || region === undefined) throw new UsageError(USAGE, '--exchange, --endpoint, --class and --region are needed');
  if (apiKey === undefined || apiKey === '') throw new UsageError(USAGE, "CCX_API_KEY must hold a provider's key");
  if (!URL.canParse(exchange) || !URL.canParse(endpoint)) throw new UsageError(USAGE, '--exchange and --endpoint must be URLs');
  return {
    exchange: exchange.replace(/\/+$/, ''), endpoint: endpoint.replace(/\/+$/, ''), class: values.class, region, models: model ?? [], precision, country,
    promptRetention: values['prompt-retention'], gpus: values.gpus === undefined ? undefined : wholeNumber(USAGE, 'gpus', values.gpus, { most: COUNT_MAX }), drainMillis: wholeNumber(USAGE, 'drain-seconds', values['drain-seconds'], { most: COUNT_MAX }) * 1_000,
    once: values.once, apiKey, endpointKey: process.env.ENDPOINT_API_KEY,
  };
}

const say = (line: string): void => console.log(`${new Date().toISOString()} ${line}`);

/** What nvidia-smi sees; undefined where there is none. */
async function gpusHere(): Promise<Gpu[] | undefined> {
  try {
    const { stdout } = await promisify(execFile)('nvidia-smi', ['--query-gpu=name,uuid,memory.total,utilization.gpu', '--format=csv,noheader,nounits'], { timeout: COMMAND_LIMIT_MILLIS });
    return parseGpus(stdout);
  } catch {
    return undefined;
  }
}

/** The models that were named, else of those that the server lists the ones that the exchange knows: adapters of one's own are listed beside them. */
async function modelsOf(exchange: Exchange, options: Options): Promise<string[]> {
  if (options.models.length > 0) return options.models;
  const listed = await modelsListed(options);
  const known = await exchange.known(listed);
  const unknown = listed.filter((name) => !known.includes(name));
  if (known.length === 0) throw new Error(`the exchange knows none of the models that the server lists: ${unknown.join(', ')}`);
  if (unknown.length > 0) say(`left out, for the exchange does not know them: ${unknown.join(', ')}`);
  return known;
}

async function modelsListed({ endpoint, endpointKey }: Options): Promise<string[]> {
  const headers: Record<string, string> = endpointKey === undefined ? {} : { authorization: `Bearer ${endpointKey}` };
  const base = new URL(endpoint).pathname === '/' ? `${endpoint}/v1` : endpoint;
  const response = await fetch(`${base}/models`, { headers, redirect: 'error', signal: AbortSignal.timeout(COMMAND_LIMIT_MILLIS) });
  if (!response.ok) throw new Error(`${base}/models answered ${response.status}`);
  const body = (await response.json()) as { data: { id: string }[] };
  return body.data.map(({ id }) => id);
}

async function register(exchange: Exchange, options: Options, gpus: Gpu[] | undefined): Promise<string> {
  const { class: name, region } = options;
  const count = options.gpus ?? gpus?.length;
  if (count !== undefined && count > 0) {
    const capacity = await exchange.declareCapacity({ class: name, region, gpus: count });
    say(`capacity: ${count} x ${name} in ${region}, ${capacity.status}`);
  }
  const known = await exchange.findEndpoint(options.endpoint, name, region);
  if (known !== undefined) {
    if (known.status === 'draining') await exchange.resume(known.id);
    say(`endpoint ${known.id} is registered, ${known.status}`);
    return known.id;
  }
  const models = await modelsOf(exchange, options);
  const made = await exchange.createEndpoint({
    url: options.endpoint, class: name, region, models, ...(options.endpointKey === undefined ? {} : { api_key: options.endpointKey }),
    ...(options.precision === undefined ? {} : { precision: options.precision }), ...(options.country === undefined ? {} : { country: options.country }),
    ...(options.promptRetention === undefined ? {} : { prompt_retention: options.promptRetention }),
  });
  say(`endpoint ${made.id} registered with ${models.length} models`);
  return made.id;
}

/** Heartbeats until a signal comes. An exchange that does not answer is asked again. */
async function beat(exchange: Exchange, id: string, stopped: AbortSignal, once: boolean): Promise<void> {
  let last = '';
  while (!stopped.aborted) {
    try {
      const { status, status_reason: reason } = await exchange.heartbeat(id, await gpusHere());
      const line = reason === '' ? status : `${status}: ${reason}`;
      if (line !== last) say(`endpoint ${id} is ${line}`);
      last = line;
    } catch (error) {
      // The exchange has an answer, and it is no: asking again changes nothing.
      if (error instanceof Refused && error.status < 500 && error.status !== 429) throw error;
      say(`the exchange does not answer: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (once) return;
    await pause(HEARTBEAT_MILLIS, stopped);
  }
}

const pause = (millis: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, millis);
    signal?.addEventListener('abort', end, { once: true });
  });

async function main(): Promise<number> {
  const options = readOptions();
  const exchange = new Exchange(options.exchange, options.apiKey);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => (stop.signal.aborted ? process.exit(130) : stop.abort()));
  const id = await register(exchange, options, await gpusHere());
  await beat(exchange, id, stop.signal, options.once);
  if (options.once) return 0;
  await drain(exchange, id, options.drainMillis);
  return 0;
}

/** What is under way has its time whether the exchange hears of it or not; until it does, it is told again. */
async function drain(exchange: Exchange, id: string, millis: number): Promise<void> {
  const until = Date.now() + millis;
  for (let told = false; !told; ) {
    try {
      await exchange.drain(id);
      told = true;
      say(`draining: no new requests, ${millis / 1_000} s for those under way; stop the server after that`);
    } catch (error) {
      if (error instanceof Refused && error.status < 500 && error.status !== 429) throw error;
      say(`the exchange does not answer: ${error instanceof Error ? error.message : String(error)}`);
      if (Date.now() >= until) return;
      await pause(AGAIN_MILLIS);
    }
  }
  await pause(until - Date.now());
  say('drained');
}

process.exitCode = await exitCodeOf(main);
