/**
 * Whether an endpoint serves what it says: it must list its models, complete something with each, and, where that is asked,
 * write about as fast as the GPUs that its provider has declared.
 */
import { z } from 'zod';
import { MICRO } from '../../../engine/numbers/units.ts';
import { askCanary, ordinaryQuestion } from './canary.ts';
import type { CanaryAsk } from './canary.ts';
import { findModel } from '../catalogue/catalogue.ts';
import type { Model, ModelKind } from '../catalogue/catalogue.ts';
import type { RatingTable } from '../catalogue/ratings.ts';
import { STREAMS } from '../catalogue/roofline.ts';
import { countTokens } from '../metering/token_count.ts';
import { UpstreamError } from '../relay/endpoint_answer.ts';
import type { Target, Upstream } from '../relay/upstream.ts';

export interface EndpointClaim {
  target: Target;
  /** As the endpoint calls them. */
  models: readonly string[];
  /** undefined: how fast it writes is not asked. */
  capacity?: Capacity;
}
export interface Capacity {
  className: string;
  gpus: number;
  ratings: RatingTable;
}
/** What was found of a model: 1e-6 GPU-seconds a completion token. */
export interface Pace {
  model: string;
  completion: number;
}
export type Verdict = { ok: true; pace?: Pace } | { ok: false; reason: string; pace?: Pace };

const ANSWER_LIMIT_BYTES = 4 * 1024 * 1024;
const VERIFICATION_MILLIS = 30_000;
/** Requests at once, and how much is asked of each: first so little that only the way there and back takes time. */
const AT_ONCE = 4;
const TOKENS = { few: 1, many: 32 };
/** Of what the ratings promise for so many streams. */
const SHARE_LEAST = 0.5;

const modelList = z.looseObject({ data: z.array(z.looseObject({ id: z.string() })) });
const challenges: Record<ModelKind, { path: string; body: (model: string, question: string) => object; answer: z.ZodType }> = {
  chat: {
    path: '/chat/completions',
    body: (model, question) => ({ model, messages: [{ role: 'user', content: question }], max_tokens: 16 }),
    answer: z.looseObject({ choices: z.array(z.looseObject({ message: z.looseObject({}) })).min(1) }),
  },
  completion: {
    path: '/completions',
    body: (model, question) => ({ model, prompt: question, max_tokens: 16 }),
    answer: z.looseObject({ choices: z.array(z.looseObject({ text: z.string() })).min(1) }),
  },
  embedding: {
    path: '/embeddings',
    body: (model, question) => ({ model, input: question }),
    answer: z.looseObject({ data: z.array(z.looseObject({ embedding: z.unknown() })).min(1) }),
  },
};

/** Never throws for what the endpoint does. */
export async function verifyEndpoint(upstream: Upstream, claim: EndpointClaim): Promise<Verdict> {
  return judged(async (signal) => {
    const listed = new Set(modelList.parse(await ask(upstream, claim.target, '/models', undefined, signal)).data.map(({ id }) => id));
    for (const name of claim.models) {
      const model = findModel(name);
      if (model === undefined) return { ok: false, reason: `the model "${name}" is not in the catalogue` };
      if (!listed.has(name)) return { ok: false, reason: `the endpoint does not list the model "${name}"` };
      await challenge(upstream, claim.target, name, model, signal);
    }
    return claim.capacity === undefined ? { ok: true } : await paced(upstream, claim, claim.capacity, signal);
  });
}

/** Of one of the demo's providers, its pace alone: it has no GPUs, and is asked to write as fast as its GPUs of the class would. */
export const measurePace = (upstream: Upstream, claim: EndpointClaim, capacity: Capacity): Promise<Verdict> => judged((signal) => paced(upstream, claim, capacity, signal, capacity.className));

async function judged(work: (signal: AbortSignal) => Promise<Verdict>): Promise<Verdict> {
  const signal = AbortSignal.timeout(VERIFICATION_MILLIS);
  try {
    return await work(signal);
  } catch (error) {
    if (error instanceof UpstreamError) return { ok: false, reason: signal.aborted ? 'the endpoint did not answer in time' : error.message };
    if (error instanceof z.ZodError || error instanceof SyntaxError) return { ok: false, reason: "an answer is not of OpenAI's shape" };
    throw error;
  }
}

async function challenge(upstream: Upstream, target: Target, name: string, model: Model, signal: AbortSignal): Promise<void> {
  const { path, body, answer } = challenges[model.kind];
  answer.parse(await ask(upstream, target, path, JSON.stringify(body(name, ordinaryQuestion(Math.random))), signal));
}

/** @throws UpstreamError, SyntaxError */
async function ask(upstream: Upstream, target: Target, path: string, body: string | undefined, signal: AbortSignal): Promise<unknown> {
  const answer = await (body === undefined ? upstream.get(target, path, signal) : upstream.post(target, path, body, signal));
  const text = await answer.text(ANSWER_LIMIT_BYTES);
  if (answer.status !== 200) throw new UpstreamError('broken', `${path} answered ${answer.status}`);
  return JSON.parse(text) as unknown;
}

/** By the pace of its first model that chats; an answer that is too short to tell is believed. */
async function paced(upstream: Upstream, { target, models }: EndpointClaim, { className, gpus, ratings }: Capacity, signal: AbortSignal, paceOf?: string): Promise<Verdict> {
  const name = models.find((served) => findModel(served)?.kind === 'chat');
  const model = name === undefined ? undefined : findModel(name);
  const rated = model === undefined ? undefined : ratings.of(model.id).get(className);
  if (name === undefined || model === undefined || rated === undefined) return { ok: true };
  const prompts = Array.from({ length: AT_ONCE }, () => `${ordinaryQuestion(Math.random)} Answer at length.`);
  const few = await written(upstream, target, { name, prompts, paceOf, tokens: TOKENS.few }, signal);
  const many = await written(upstream, target, { name, prompts, paceOf, tokens: TOKENS.many }, signal);
  if (many.tokens < (AT_ONCE * TOKENS.many) / 2) return { ok: true };
  // So many of its GPUs are kept at work by so few streams.
  const busy = Math.min(gpus, (rated.gpus * AT_ONCE) / STREAMS);
  const wanted = Math.floor((SHARE_LEAST * MICRO * busy) / rated.completion);
  const reached = Math.max(1, Math.floor(((many.tokens - few.tokens) * 1_000) / Math.max(1, many.millis - few.millis)));
  const pace = { model: model.id, completion: Math.max(1, Math.round((MICRO * busy) / reached)) };
  return reached >= wanted ? { ok: true, pace } : { ok: false, pace, reason: `it writes ${reached} tokens a second in ${AT_ONCE} streams; of ${gpus} x ${className} at least ${wanted} are expected` };
}

type Writing = Pick<CanaryAsk, 'paceOf'> & { name: string; prompts: readonly string[]; tokens: number };

async function written(upstream: Upstream, target: Target, { name, prompts, ...asked }: Writing, signal: AbortSignal): Promise<{ tokens: number; millis: number }> {
  const began = performance.now();
  const texts = await Promise.all(prompts.map((prompt) => askCanary(upstream, { target, model: name, prompt, ...asked, signal })));
  return { tokens: texts.reduce((sum, text) => sum + countTokens(text), 0), millis: performance.now() - began };
}
