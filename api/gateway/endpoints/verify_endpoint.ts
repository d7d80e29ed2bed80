/** Whether an endpoint serves what it says: it must list its models and complete something with each. */
import { z } from 'zod';
import { findModel } from '../catalogue/catalogue.ts';
import type { Model, ModelKind } from '../catalogue/catalogue.ts';
import { UpstreamError } from '../relay/upstream.ts';
import type { Target, Upstream } from '../relay/upstream.ts';

export interface EndpointClaim {
  target: Target;
  /** As the endpoint calls them. */
  models: readonly string[];
}
export type Verdict = { ok: true } | { ok: false; reason: string };

const ANSWER_LIMIT_BYTES = 4 * 1024 * 1024;
const VERIFICATION_MILLIS = 30_000;

const modelList = z.looseObject({ data: z.array(z.looseObject({ id: z.string() })) });
const challenges: Record<ModelKind, { path: string; body: (model: string) => object; answer: z.ZodType }> = {
  chat: {
    path: '/chat/completions',
    body: (model) => ({ model, messages: [{ role: 'user', content: 'Count from one to five.' }], max_tokens: 16 }),
    answer: z.looseObject({ choices: z.array(z.looseObject({ message: z.looseObject({}) })).min(1) }),
  },
  completion: {
    path: '/completions',
    body: (model) => ({ model, prompt: 'One, two, three,', max_tokens: 16 }),
    answer: z.looseObject({ choices: z.array(z.looseObject({ text: z.string() })).min(1) }),
  },
  embedding: {
    path: '/embeddings',
    body: (model) => ({ model, input: 'One, two, three.' }),
    answer: z.looseObject({ data: z.array(z.looseObject({ embedding: z.unknown() })).min(1) }),
  },
};

/** Never throws for what the endpoint does. */
export async function verifyEndpoint(upstream: Upstream, claim: EndpointClaim): Promise<Verdict> {
  const signal = AbortSignal.timeout(VERIFICATION_MILLIS);
  try {
    const listed = new Set(modelList.parse(await ask(upstream, claim.target, '/models', undefined, signal)).data.map(({ id }) => id));
    for (const name of claim.models) {
      const model = findModel(name);
      if (model === undefined) return { ok: false, reason: `the model "${name}" is not in the catalogue` };
      if (!listed.has(name)) return { ok: false, reason: `the endpoint does not list the model "${name}"` };
      await challenge(upstream, claim.target, name, model, signal);
    }
    return { ok: true };
  } catch (error) {
    if (error instanceof UpstreamError) return { ok: false, reason: signal.aborted ? 'the endpoint did not answer in time' : error.message };
    if (error instanceof z.ZodError || error instanceof SyntaxError) return { ok: false, reason: "an answer is not of OpenAI's shape" };
    throw error;
  }
}

async function challenge(upstream: Upstream, target: Target, name: string, model: Model, signal: AbortSignal): Promise<void> {
  const { path, body, answer } = challenges[model.kind];
  answer.parse(await ask(upstream, target, path, JSON.stringify(body(name)), signal));
}

/** @throws UpstreamError, SyntaxError */
async function ask(upstream: Upstream, target: Target, path: string, body: string | undefined, signal: AbortSignal): Promise<unknown> {
  const answer = await (body === undefined ? upstream.get(target, path, signal) : upstream.post(target, path, body, signal));
  const text = await answer.text(ANSWER_LIMIT_BYTES);
  if (answer.status !== 200) throw new UpstreamError('broken', `${path} answered ${answer.status}`);
  return JSON.parse(text) as unknown;
}
