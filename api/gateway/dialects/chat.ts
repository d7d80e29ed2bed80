/** POST /v1/chat/completions */
import { z } from 'zod';
import type { Meter } from '../meter.ts';
import { correctUsage, readUsage } from './completion_usage.ts';
import { endingOf, isObject, outputBound, renameModel } from './dialect.ts';
import type { Dialect, EventRole, JsonObject } from './dialect.ts';
import { choiceCount, modelName, penalties, sampling, streaming, tokenCount } from './fields.ts';
import { chatPromptTokens } from './prompt.ts';

const content = z.union([z.string(), z.array(z.looseObject({ type: z.string() }))]).nullish();

export const chatBody = z.looseObject({
  model: modelName,
  messages: z.array(z.looseObject({ role: z.string().min(1), content })).min(1),
  max_tokens: tokenCount,
  max_completion_tokens: tokenCount,
  n: choiceCount,
  ...sampling,
  ...penalties,
  ...streaming,
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  tools: z.array(z.looseObject({ type: z.string() })).max(128).nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  response_format: z.looseObject({ type: z.string() }).nullish(),
  user: z.string().nullish(),
});
type ChatBody = z.output<typeof chatBody>;

/** Everything of a message or a delta that a model has written. */
function addMessage(message: JsonObject, choice: number, meter: Meter): void {
  meter.add(choice, message.content);
  meter.add(choice, message.reasoning_content ?? message.reasoning);
  meter.add(choice, message.refusal);
  const calls = Array.isArray(message.tool_calls) ? message.tool_calls : [];
  for (const call of [...calls, { function: message.function_call }]) {
    if (!isObject(call) || !isObject(call.function)) continue;
    meter.add(choice, call.function.name);
    meter.add(choice, call.function.arguments);
  }
}

export const chat: Dialect = {
  path: '/chat/completions',
  kinds: ['chat'],
  schema: chatBody,
  streams: true,
  endsWithDone: true,

  demand(body, model) {
    const chat = body as ChatBody;
    const promptTokens = chatPromptTokens(chat);
    const each = outputBound(chat.max_completion_tokens ?? chat.max_tokens, promptTokens, model);
    return { promptTokens, completionTokens: each * (chat.n ?? 1), longestPrompt: promptTokens };
  },

  outgoing(body, name, demand) {
    const chat = body as ChatBody;
    const sent: JsonObject = { ...body, model: name };
    if (chat.max_completion_tokens == null && chat.max_tokens == null) sent.max_tokens = demand.completionTokens / (chat.n ?? 1);
    if (chat.stream === true) sent.stream_options = { ...chat.stream_options, include_usage: true };
    return sent;
  },

  readWhole(answer, meter) {
    if (!Array.isArray(answer.choices)) return false;
    for (const [index, choice] of answer.choices.entries()) {
      if (!isObject(choice) || !isObject(choice.message)) return false;
      addMessage(choice.message, index, meter);
    }
    readUsage(answer, meter);
    return true;
  },

  readEvent(event, meter): EventRole {
    if ('error' in event) return 'failure';
    const hasUsage = readUsage(event, meter);
    const choices = Array.isArray(event.choices) ? event.choices : [];
    let finished = false;
    for (const choice of choices) {
      if (!isObject(choice)) continue;
      if (isObject(choice.delta)) addMessage(choice.delta, typeof choice.index === 'number' ? choice.index : 0, meter);
      finished ||= typeof choice.finish_reason === 'string';
    }
    if (finished) return 'terminal';
    if (choices.length > 0) return 'content';
    return hasUsage ? 'usage' : 'empty';
  },

  ending: (event) => endingOf(event, { delta: {} }),

  wantsUsage: (body) => (body as ChatBody).stream_options?.include_usage === true,
  correctUsage,
  rename: renameModel,
};
