/** A request that may be served: who pays, which model, what it may cost at most. */
import { randomUUID } from 'node:crypto';
import { NONE, classOf } from '../../../engine/vocabulary.ts';
import type { MicroGpuSeconds } from '../../../engine/numbers/units.ts';
import { NO_SPOT, isTestKey } from '../../auth/keys.ts';
import type { EndpointNeeds, Project, SpotPolicy } from '../../auth/keys.ts';
import type { Directory } from '../../directory.ts';
import { GatewayError } from '../../errors.ts';
import type { Principal } from '../../auth/principal.ts';
import { parseId } from '../../ids.ts';
import { findModel } from '../catalogue/catalogue.ts';
import type { Model } from '../catalogue/catalogue.ts';
import { gpuTimeOf } from '../catalogue/ratings.ts';
import type { RatingTable } from '../catalogue/ratings.ts';
import type { Rating } from '../catalogue/roofline.ts';
import type { Demand } from '../metering/demand.ts';
import type { Dialect, JsonObject, Shown } from '../dialects/dialect.ts';
import { Trail } from './logbook.ts';
import { chargeablePrompt } from '../metering/meter.ts';

export interface Call {
  /** Unique for this request: its hold and its capture bear this name. */
  readonly id: string;
  readonly company: number;
  /** The key's public id, or `session`. */
  readonly key: string;
  /** The key's, whose limits are counted together. */
  readonly line: string;
  readonly spot: SpotPolicy;
  /** Micro-CR in a month; null: none. */
  readonly monthlyLimit: number | null;
  readonly project: Project | null;
  /** What the key asks of endpoints; null: nothing. */
  readonly needs: EndpointNeeds | null;
  readonly dialect: Dialect;
  readonly model: Model;
  /** The market's number of the model. */
  readonly modelId: number;
  /** As the client called the model. */
  readonly modelName: string;
  readonly body: JsonObject;
  readonly streamed: boolean;
  readonly demand: Demand;
  /** Ratings in force, and worst cases by any rating of what the company has, by class number. */
  readonly ratings: ReadonlyMap<number, Rating>;
  readonly worstGpu: Record<number, MicroGpuSeconds>;
  /** The provider that the client picked; NONE: any. */
  readonly provider: number;
  /** How the answer presents itself. */
  readonly shown: Shown;
  /** What the client says its requests have in common, so that they meet the same prompt cache; '' when nothing. */
  readonly sticky: string;
  readonly strategy: Strategy;
  /** A second endpoint is asked when the first has been silent for so long; null: none is. */
  readonly hedgeMillis: number | null;
  /** Served by the sandbox, at no cost. */
  readonly test: boolean;
  /** Scoped by company and path; '' when the client sent none. */
  readonly idempotencyKey: string;
  readonly bodyHash: string;
  /** What it meets on its way. */
  readonly trail: Trail;
}

/** Of several places that would do: the cheapest, the one that answers soonest, or the one with most room. */
export const STRATEGIES = ['price', 'latency', 'load'] as const;
export type Strategy = (typeof STRATEGIES)[number];

export interface Asked {
  principal: Principal;
  body: JsonObject & { model: string; stream?: boolean | null };
  /** The header `x-ccx-provider`: a company's id or name. */
  provider: string | undefined;
  /** The headers `x-ccx-strategy` and `x-ccx-session`. */
  strategy?: string;
  session?: string;
  /** The header `x-ccx-hedge`. */
  hedge?: string;
  idempotencyKey?: string;
  bodyHash?: string;
}

const HEDGE_MILLIS = { least: 10, most: 60_000 };
const SESSION_LENGTH_MAX = 200;
const MILLIS_PER_SECOND = 1_000;

/**
 * @param tables the ratings in force, then others by which something of the company's is rated
 * @throws GatewayError model_not_found, model_not_allowed, context_length_exceeded, invalid_request_error
 */
export function admit(dialect: Dialect, asked: Asked, directory: Directory, [inForce, ...older]: readonly RatingTable[]): Call {
  const { principal, body } = asked;
  const model = modelOf(body.model, dialect);
  requireAllowed(principal, model, body.model);
  const demand = dialect.demand(body, model);
  if (demand.longestPrompt >= model.contextTokens) throw new GatewayError('context_length_exceeded', { values: { limit: model.contextTokens } });
  const ratings = ratingsByClass(model, directory, inForce);
  const prompt = chargeablePrompt(demand);
  const id = randomUUID();
  return {
    id,
    company: principal.company,
    key: principal.key,
    line: principal.apiKey?.line ?? principal.key,
    spot: principal.apiKey?.spot ?? NO_SPOT,
    monthlyLimit: principal.apiKey?.monthlyLimit ?? null,
    project: principal.apiKey?.project ?? null,
    needs: principal.apiKey?.needs ?? null,
    dialect,
    model,
    modelId: directory.modelId(model.id),
    modelName: body.model,
    body,
    streamed: dialect.streams && body.stream === true,
    demand,
    ratings,
    worstGpu: worstOf([ratings, ...older.map((table) => servedRatings(model, directory, table))], prompt, demand.completionTokens),
    provider: providerOf(asked.provider, directory),
    shown: { id: '', fallbackId: dialect.idPrefix + id.replaceAll('-', ''), created: Math.floor(Date.now() / MILLIS_PER_SECOND), model: body.model, sequence: 0 },
    sticky: stickyOf(asked),
    strategy: strategyOf(asked.strategy),
    hedgeMillis: hedgeOf(asked.hedge),
    test: principal.apiKey !== undefined && isTestKey(principal.apiKey),
    idempotencyKey: asked.idempotencyKey ?? '',
    bodyHash: asked.bodyHash ?? '',
    trail: new Trail(),
  };
}

/** The call, its answer no longer than this. What is held for it stays what the longest would need. */
export function bounded(call: Call, completionTokens: number): Call {
  return completionTokens >= call.demand.completionTokens ? call : { ...call, demand: { ...call.demand, completionTokens } };
}

function stickyOf({ body, session }: Asked): string {
  const named = session ?? body.prompt_cache_key ?? body.user;
  return typeof named === 'string' ? named.slice(0, SESSION_LENGTH_MAX) : '';
}

function strategyOf(asked: string | undefined): Strategy {
  if (asked === undefined || asked === '') return 'price';
  const strategy = STRATEGIES.find((known) => known === asked);
  if (strategy === undefined) throw new GatewayError('invalid_request_error', { field: 'x-ccx-strategy', values: { detail: `x-ccx-strategy must be one of ${STRATEGIES.join(', ')}.` } });
  return strategy;
}

function hedgeOf(asked: string | undefined): number | null {
  if (asked === undefined || asked === '') return null;
  const millis = /^[0-9]{1,6}$/.test(asked) ? Number(asked) : NaN;
  const { least, most } = HEDGE_MILLIS;
  if (!(millis >= least && millis <= most)) throw new GatewayError('invalid_request_error', { field: 'x-ccx-hedge', values: { detail: `x-ccx-hedge must be ${least} to ${most} milliseconds.` } });
  return millis;
}

function modelOf(name: string, dialect: Dialect): Model {
  const model = findModel(name);
  if (model === undefined) throw new GatewayError('model_not_found', { field: 'model', values: { model: name } });
  if (!dialect.kinds.includes(model.kind)) {
    throw new GatewayError('invalid_request_error', { field: 'model', values: { detail: `The model "${name}" is not served at /v1${dialect.path}.` } });
  }
  return model;
}

/** A key may be for some models alone. */
export function isAllowed({ apiKey }: Principal, model: Model): boolean {
  const allowed = apiKey?.allowedModels ?? null;
  return allowed === null || allowed.some((entry) => findModel(entry)?.id === model.id);
}

export function requireAllowed(principal: Principal, model: Model, name: string): void {
  if (!isAllowed(principal, model)) throw new GatewayError('model_not_allowed', { field: 'model', values: { model: name } });
}

/** Where the model is served at present: classes of markets on which some provider has it. Looked for once for each state of the directory. */
const knownRatings = new WeakMap<Directory, { version: number; table: RatingTable; byModel: Map<string, ReadonlyMap<number, Rating>> }>();

function ratingsByClass(model: Model, directory: Directory, table: RatingTable): ReadonlyMap<number, Rating> {
  let known = knownRatings.get(directory);
  if (known?.version !== directory.version || known.table !== table) knownRatings.set(directory, (known = { version: directory.version, table, byModel: new Map() }));
  let ratings = known.byModel.get(model.id);
  if (ratings === undefined) known.byModel.set(model.id, (ratings = servedRatings(model, directory, table)));
  return ratings;
}

function worstOf(ratings: readonly ReadonlyMap<number, Rating>[], promptTokens: number, completionTokens: number): Record<number, MicroGpuSeconds> {
  const worst: Record<number, MicroGpuSeconds> = {};
  for (const byClass of ratings) for (const [id, rated] of byClass) worst[id] = Math.max(worst[id] ?? 0, gpuTimeOf(rated, promptTokens, completionTokens));
  return worst;
}

function servedRatings(model: Model, directory: Directory, table: RatingTable): Map<number, Rating> {
  const modelId = directory.modelId(model.id);
  const served = new Set(directory.capacities().filter(({ models }) => models.includes(modelId)).map(({ market }) => classOf(market)));
  const byClass = new Map<number, Rating>();
  for (const [name, rated] of table.of(model.id)) {
    const id = directory.classId(name);
    if (id !== NONE && served.has(id)) byClass.set(id, rated);
  }
  return byClass;
}

function providerOf(asked: string | undefined, directory: Directory): number {
  if (asked === undefined || asked === '') return NONE;
  const id = parseId('company', asked);
  const name = asked.toLowerCase();
  const found = directory.companies().find((entry) => entry.role === 'provider' && (entry.company === id || entry.name.toLowerCase() === name));
  if (found === undefined) throw new GatewayError('invalid_request_error', { field: 'x-ccx-provider', values: { detail: `There is no provider "${asked}".` } });
  return found.company;
}
