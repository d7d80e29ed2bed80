/** Registers the demo's provider processes as endpoints, and waits until each has proven its capacity. */
import { CLASSES, REGIONS } from '../../db/seed/offers.ts';
import { NONE } from '../../engine/vocabulary.ts';
import type { MarketId } from '../../engine/vocabulary.ts';
import { newId } from '../auth/keys.ts';
import { rating } from '../gateway/catalogue/ratings.ts';
import type { Services } from '../services.ts';
import { offeredMarkets } from './plan.ts';
import type { DemoProviders } from './provider_processes.ts';
import type { SeededMarket } from './seed.ts';
import type { EndpointRow } from '../gateway/endpoints/endpoint_rows.ts';

export type EndpointServices = Pick<Services, 'database' | 'directory' | 'endpoints'>;

/** What the demo's providers serve; each where a replica fits on a few GPUs of the class. */
export const CHAT_MODELS = [
  'meta-llama/Llama-3.1-8B-Instruct', 'meta-llama/Llama-3.3-70B-Instruct', 'Qwen/Qwen2.5-7B-Instruct', 'Qwen/Qwen3-32B',
  'mistralai/Mistral-7B-Instruct-v0.3', 'openai/gpt-oss-20b',
] as const;
const OTHER_MODELS = ['bigcode/starcoder2-15b', 'BAAI/bge-m3'] as const;
const REPLICA_GPUS_MAX = 4;
const WITHIN_MILLIS = 180_000;
const POLL_MILLIS = 50;

export const modelsServed = (className: string): string[] =>
  [...CHAT_MODELS, ...OTHER_MODELS].filter((model) => (rating(model, className)?.gpus ?? Infinity) <= REPLICA_GPUS_MAX);

interface Wanted {
  company: number;
  market: MarketId;
  url: string;
  models: string[];
}
type KnownEndpoint = Pick<EndpointRow, 'id' | 'company' | 'market' | 'url' | 'models' | 'status'>;

/** @throws Error when capacity is not verified within a minute */
export async function registerEndpoints(services: EndpointServices, market: SeededMarket, providers: DemoProviders): Promise<void> {
  const { directory } = services;
  await until(() => CLASSES.every(({ name }) => REGIONS.every((region) => directory.marketId(name, region) !== NONE)));
  const wanted = offeredMarkets((name) => directory.classId(name), (name) => directory.regionId(name)).map(({ provider, class: name, market: id }): Wanted => {
    const company = market.providers.get(provider);
    if (company === undefined) throw new Error(`provider ${provider} is not in the market`);
    return { company, market: id, url: providers.endpointUrl(provider), models: modelsServed(name) };
  });
  await writeRows(services, wanted);
  await verified(services, wanted);
}

/** Adds what is missing and replaces what has moved; an endpoint that stands as it should is not touched. */
async function writeRows({ database, endpoints }: EndpointServices, wanted: readonly Wanted[]): Promise<void> {
  const rows = (await database('endpoints').whereNot('status', 'removed').select('id', 'company', 'market', 'url', 'models', 'status')) as KnownEndpoint[];
  const known = new Map(rows.map((row) => [`${row.company}:${row.market}`, row]));
  const changed: string[] = [];
  await database.transaction(async (transaction) => {
    for (const { company, market, url, models } of wanted) {
      const row = known.get(`${company}:${market}`);
      if (row?.status === 'verified' && row.url === url && JSON.stringify(row.models) === JSON.stringify(models)) continue;
      if (row !== undefined) {
        await transaction('endpoints').where({ id: row.id }).update({ status: 'removed' });
        changed.push(row.id);
      }
      const id = newId('end');
      await transaction('endpoints').insert({ id, company, market, url, models: JSON.stringify(models) });
      changed.push(id);
    }
  });
  for (const id of changed) endpoints.changed(id);
}

/** Each endpoint has answered, at the address it now has, and its capacity may be sold. */
async function verified({ database, directory }: EndpointServices, wanted: readonly Wanted[]): Promise<void> {
  const keyOf = ({ company, market }: { company: number; market: number }): string => `${company}:${market}`;
  const missing = async (): Promise<Wanted[]> => {
    const rows = (await database('endpoints').where({ status: 'verified' }).select('company', 'market')) as { company: number; market: number }[];
    const answered = new Set(rows.map(keyOf));
    const proven = new Set(directory.capacities().filter((entry) => entry.verified > 0 && entry.models.length > 0).map(keyOf));
    return wanted.filter((entry) => !answered.has(keyOf(entry)) || !proven.has(keyOf(entry)));
  };
  if (await until(async () => (await missing()).length === 0)) return;
  const left = await missing();
  if (left.length > 0) throw new Error(`${left.length} demo endpoints did not answer a completion, the first of them ${left[0].url} for ${directory.marketName(left[0].market)}`);
}

/** @returns whether it came true in time */
async function until(condition: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + WITHIN_MILLIS;
  while (!(await condition())) {
    if (performance.now() > deadline) return false;
    await new Promise((resume) => setTimeout(resume, POLL_MILLIS));
  }
  return true;
}
