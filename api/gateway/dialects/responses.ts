/** POST /v1/responses */
import { z } from 'zod';
import type { Meter } from '../meter.ts';
import { isObject, outputBound, renameModel } from './dialect.ts';
import type { Dialect, EventRole, JsonObject } from './dialect.ts';
import { modelName, sampling, tokenCount } from './fields.ts';
import { responsePromptTokens } from './prompt.ts';

export const responseBody = z.looseObject({
  model: modelName,
  input: z.union([z.string(), z.array(z.looseObject({})).min(1)]),
  instructions: z.string().nullish(),
  max_output_tokens: tokenCount,
  ...sampling,
  stream: z.boolean().nullish(),
  tools: z.array(z.looseObject({ type: z.string() })).max(128).nullish(),
  user: z.string().nullish(),
});
type ResponseBody = z.output<typeof responseBody>;

const TERMINAL = new Set(['response.completed', 'response.incomplete']);
const FAILED = new Set(['response.failed', 'error']);

function addOutput(output: unknown, meter: Meter): boolean {
  if (!Array.isArray(output)) return false;
  for (const item of output) {
    if (!isObject(item)) return false;
    meter.add(0, item.name);
    meter.add(0, item.arguments);
    for (const part of [...listOf(item.content), ...listOf(item.summary)]) {
      meter.add(0, part.text);
      meter.add(0, part.refusal);
    }
  }
  return true;
}
const listOf = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : []);

function report(answer: JsonObject, meter: Meter): void {
  const { usage } = answer;
  if (isObject(usage)) meter.report({ prompt: usage.input_tokens, completion: usage.output_tokens });
}

/** The response object: the answer itself, or what an event carries. */
const responseIn = (answer: JsonObject): JsonObject => (isObject(answer.response) ? answer.response : answer);

export const responses: Dialect = {
  path: '/responses',
  kinds: ['chat'],
  schema: responseBody,
  streams: true,
  endsWithDone: false,

  demand(body, model) {
    const response = body as ResponseBody;
    const promptTokens = responsePromptTokens(response);
    return { promptTokens, completionTokens: outputBound(response.max_output_tokens, promptTokens, model), longestPrompt: promptTokens };
  },

  outgoing(body, name, demand) {
    return { ...body, model: name, max_output_tokens: (body as ResponseBody).max_output_tokens ?? demand.completionTokens };
  },

  readWhole(answer, meter) {
    report(answer, meter);
    return addOutput(answer.output, meter);
  },

  readEvent(event, meter): EventRole {
    const { type, delta } = event;
    if (typeof type !== 'string' || FAILED.has(type)) return 'failure';
    if (type.endsWith('.delta')) meter.add(0, delta);
    if (!TERMINAL.has(type)) return 'content';
    report(responseIn(event), meter);
    return 'terminal';
  },

  ending: () => undefined,
  wantsUsage: () => false,

  correctUsage(answer, { promptTokens, completionTokens }) {
    const response = responseIn(answer);
    const known = isObject(response.usage) ? response.usage : {};
    if (known.input_tokens === promptTokens && known.output_tokens === completionTokens) return;
    response.usage = {
      input_tokens: promptTokens, output_tokens: completionTokens, total_tokens: promptTokens + completionTokens,
      input_tokens_details: { cached_tokens: 0 }, output_tokens_details: { reasoning_tokens: 0 },
    };
  },

  rename: (answer, model) => renameModel(responseIn(answer), model),
};
