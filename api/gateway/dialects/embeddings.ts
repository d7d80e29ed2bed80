/** POST /v1/embeddings */
import { z } from 'zod';
import { isObject, renameModel } from './dialect.ts';
import type { Dialect } from './dialect.ts';
import { modelName, tokenInput } from './fields.ts';
import { inputTokens, longestInput } from './prompt.ts';

export const embeddingBody = z.looseObject({
  model: modelName,
  input: tokenInput,
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: z.int().min(1).nullish(),
  user: z.string().nullish(),
});
type EmbeddingBody = z.output<typeof embeddingBody>;

export const embeddings: Dialect = {
  path: '/embeddings',
  kinds: ['embedding'],
  schema: embeddingBody,
  streams: false,
  endsWithDone: false,

  demand(body) {
    const { input } = body as EmbeddingBody;
    return { promptTokens: inputTokens(input), completionTokens: 0, longestPrompt: longestInput(input) };
  },
  outgoing: (body, name) => ({ ...body, model: name }),

  readWhole(answer, meter) {
    const { usage } = answer;
    if (isObject(usage)) meter.report({ prompt: usage.prompt_tokens, completion: 0 });
    return Array.isArray(answer.data) && answer.data.every((row) => isObject(row) && 'embedding' in row);
  },

  readEvent: () => 'failure',
  ending: () => undefined,
  wantsUsage: () => false,
  correctUsage(answer, { promptTokens }) {
    if (isObject(answer.usage) && answer.usage.prompt_tokens === promptTokens) return;
    answer.usage = { prompt_tokens: promptTokens, total_tokens: promptTokens };
  },
  rename: renameModel,
};
