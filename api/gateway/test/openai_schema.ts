/**
 * What OpenAI's published OpenAPI document (github.com/openai/openai-openapi, MIT) says of the answers of
 * the paths that this gateway has, reduced to required fields, types and words that are fixed.
 */
import { z } from 'zod';

const count = z.int().nonnegative();
const usage = z.looseObject({
  prompt_tokens: count, completion_tokens: count, total_tokens: count,
  prompt_tokens_details: z.looseObject({}).optional(), completion_tokens_details: z.looseObject({}).optional(),
});
const reason = z.enum(['stop', 'length', 'tool_calls', 'content_filter', 'function_call']);
const logprobs = z.looseObject({}).nullable();

export const chatCompletion = z.looseObject({
  id: z.string().min(1), object: z.literal('chat.completion'), created: count, model: z.string(), usage, system_fingerprint: z.string().optional(),
  service_tier: z.string().nullish(),
  choices: z.array(z.looseObject({
    index: count, finish_reason: reason, logprobs,
    message: z.looseObject({
      role: z.literal('assistant'), content: z.string().nullable(), refusal: z.string().nullable(), annotations: z.array(z.looseObject({})).optional(),
      function_call: z.looseObject({ name: z.string(), arguments: z.string() }).optional(),
      tool_calls: z.array(z.looseObject({ id: z.string().min(1), type: z.string(), function: z.looseObject({ name: z.string(), arguments: z.string() }) })).min(1).optional(),
    }),
  })).min(1),
});
export const chatChunk = z.looseObject({
  id: z.string().min(1), object: z.literal('chat.completion.chunk'), created: count, model: z.string(), usage: usage.nullish(), system_fingerprint: z.string().optional(),
  choices: z.array(z.looseObject({
    index: count, finish_reason: reason.nullable(), logprobs: logprobs.optional(),
    delta: z.looseObject({
      role: z.enum(['developer', 'system', 'user', 'assistant', 'tool']).optional(), content: z.string().nullish(), refusal: z.string().nullish(),
      tool_calls: z.array(z.looseObject({
        index: count, id: z.string().optional(), type: z.literal('function').optional(), function: z.looseObject({ name: z.string().optional(), arguments: z.string().optional() }).optional(),
      })).optional(),
    }),
  })),
});
export const textCompletion = z.looseObject({
  id: z.string().min(1), object: z.literal('text_completion'), created: count, model: z.string(), usage: usage.optional(),
  choices: z.array(z.looseObject({ index: count, text: z.string(), logprobs, finish_reason: z.enum(['stop', 'length', 'content_filter']).nullable() })),
});
export const embeddingList = z.looseObject({
  object: z.literal('list'), model: z.string(), usage: z.looseObject({ prompt_tokens: count, total_tokens: count }),
  data: z.array(z.looseObject({ object: z.literal('embedding'), index: count, embedding: z.array(z.number()) })),
});
const responseUsage = z.looseObject({
  input_tokens: count, output_tokens: count, total_tokens: count, input_tokens_details: z.looseObject({ cached_tokens: count }), output_tokens_details: z.looseObject({ reasoning_tokens: count }),
});
const outputItem = z.discriminatedUnion('type', [
  z.looseObject({
    type: z.literal('message'), id: z.string(), role: z.literal('assistant'), status: z.enum(['in_progress', 'completed', 'incomplete']),
    content: z.array(z.looseObject({ type: z.literal('output_text'), text: z.string(), annotations: z.array(z.unknown()) })),
  }),
  z.looseObject({ type: z.literal('function_call'), id: z.string(), call_id: z.string(), name: z.string(), arguments: z.string(), status: z.enum(['in_progress', 'completed', 'incomplete']) }),
  z.looseObject({ type: z.literal('reasoning'), id: z.string(), summary: z.array(z.unknown()) }),
]);
export const responseObject = z.looseObject({
  id: z.string().min(1), object: z.literal('response'), created_at: z.number(), model: z.string(), status: z.enum(['completed', 'failed', 'in_progress', 'incomplete']),
  error: z.null(), incomplete_details: z.looseObject({ reason: z.string() }).nullable(), instructions: z.string().nullable(), metadata: z.record(z.string(), z.string()),
  parallel_tool_calls: z.boolean(), temperature: z.number().nullable(), top_p: z.number().nullable(), tool_choice: z.union([z.string(), z.looseObject({})]), tools: z.array(z.looseObject({})),
  output: z.array(outputItem), usage: responseUsage.optional(),
});
const at = { item_id: z.string(), output_index: count };
const inText = { ...at, content_index: count };
const numbered = { sequence_number: count };
export const responseEvent = z.discriminatedUnion('type', [
  z.looseObject({ type: z.enum(['response.created', 'response.in_progress', 'response.completed', 'response.incomplete']), ...numbered, response: responseObject }),
  z.looseObject({ type: z.enum(['response.output_item.added', 'response.output_item.done']), ...numbered, output_index: count, item: outputItem }),
  z.looseObject({ type: z.enum(['response.content_part.added', 'response.content_part.done']), ...numbered, ...inText, part: z.looseObject({ type: z.string() }) }),
  z.looseObject({ type: z.literal('response.output_text.delta'), ...numbered, ...inText, delta: z.string(), logprobs: z.array(z.unknown()) }),
  z.looseObject({ type: z.literal('response.output_text.done'), ...numbered, ...inText, text: z.string(), logprobs: z.array(z.unknown()) }),
  z.looseObject({ type: z.literal('response.function_call_arguments.delta'), ...numbered, ...at, delta: z.string() }),
  z.looseObject({ type: z.literal('response.function_call_arguments.done'), ...numbered, ...at, name: z.string(), arguments: z.string() }),
  z.looseObject({ type: z.literal('response.reasoning_text.delta'), ...numbered, ...inText, delta: z.string() }),
  z.looseObject({ type: z.literal('response.reasoning_text.done'), ...numbered, ...inText, text: z.string() }),
]);
export const modelObject = z.looseObject({ id: z.string(), object: z.literal('model'), created: count, owned_by: z.string() });
export const modelList = z.looseObject({ object: z.literal('list'), data: z.array(modelObject) });
export const errorBody = z.strictObject({ error: z.strictObject({ message: z.string().min(1), type: z.string(), param: z.string().nullable(), code: z.string().nullable() }) });
