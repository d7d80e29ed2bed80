/** POST /v1/chat/completions */
import { z } from 'zod';
import type { Meter } from '../metering/meter.ts';
import { correctUsage, readUsage } from './completion_usage.ts';
import { endingOf, isFailure, isObject, outputBound, plainChoice } from './dialect.ts';
import type { Dialect, EventRole, JsonObject, Shown } from './dialect.ts';
import { choiceCount, isBetween, isModelName, isTokenCount, metadata, modelName, penalties, sampling, streaming, streamsAsAsked, tokenCount } from './fields.ts';
import { chatPromptTokens, templateTokens } from './prompt.ts';
import { asText, contentText, shapeCalls, shapeChoice, shapeContent, shapeHead, shapeLogprobs, withoutNulls } from './shape.ts';
import { chatEvents } from './whole_as_events.ts';

const NO_AUDIO = 'no model here hears or speaks';
/** What we know of a part must be there; other kinds pass through. */
const part = z.looseObject({ type: z.string() })
  .refine((given) => given.type !== 'text' || typeof given.text === 'string', { path: ['text'], message: 'must be a string' })
  .refine((given) => given.type !== 'image_url' || (isObject(given.image_url) && typeof given.image_url.url === 'string'), { path: ['image_url'], message: 'must have a url' })
  .refine((given) => given.type !== 'input_audio', { message: NO_AUDIO });
const content = z.union([z.string(), z.array(part).min(1)]);
const named = z.looseObject({ name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/) });
/** One of these is what an assistant has said. */
const SAID = ['content', 'tool_calls', 'function_call', 'refusal', 'audio', 'reasoning_content', 'reasoning'];
const names = (tools: readonly JsonObject[] | null | undefined, { type, function: chosen }: JsonObject): boolean =>
  type !== 'function' || !isObject(chosen) || (tools ?? []).some((tool) => isObject(tool.function) && tool.function.name === chosen.name);
/** What a role must bring; the rest of a message passes through. */
const message = z.discriminatedUnion('role', [
  z.looseObject({ role: z.enum(['system', 'developer', 'user']), content }),
  z.looseObject({
    role: z.literal('assistant'), content: content.nullish(),
    tool_calls: z.array(z.looseObject({ id: z.string(), function: z.looseObject({ name: z.string(), arguments: z.string() }).optional() })).nullish(),
  }).refine((given) => SAID.some((field) => given[field] != null), { path: ['content'], message: 'must be there, or tool_calls' }),
  z.looseObject({ role: z.literal('tool'), content, tool_call_id: z.string() }),
  z.looseObject({ role: z.literal('function'), content: content.nullish(), name: z.string() }),
]);
const tool = z.looseObject({ type: z.string() }).refine((given) => given.type !== 'function' || named.safeParse(given.function).success, { path: ['function'], message: 'must name the function, in at most 64 letters, digits, _ and -' });
const format = z.looseObject({ type: z.enum(['text', 'json_object', 'json_schema']) })
  .refine((given) => given.type !== 'json_schema' || named.safeParse(given.json_schema).success, { path: ['json_schema'], message: 'must have a name, of at most 64 letters, digits, _ and -, and a schema' });

export const chatBody = z.looseObject({
  model: modelName,
  messages: z.array(message).min(1),
  max_tokens: tokenCount,
  max_completion_tokens: tokenCount,
  n: choiceCount,
  ...sampling,
  ...penalties,
  ...streaming,
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  tools: z.array(tool).max(128).nullish(),
  tool_choice: z.union([z.enum(['none', 'auto', 'required']), z.looseObject({ type: z.string() })]).nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  response_format: format.nullish(),
  modalities: z.array(z.literal('text', NO_AUDIO)).nullish(),
  audio: z.null(NO_AUDIO).optional(),
  user: z.string().nullish(),
  metadata,
}).refine((given) => given.top_logprobs == null || given.logprobs === true, { path: ['top_logprobs'], message: 'needs logprobs to be true' })
  .refine((given) => given.tools != null || given.tool_choice == null || given.tool_choice === 'none' || given.tool_choice === 'auto', { path: ['tool_choice'], message: 'needs tools' })
  .refine((given) => !isObject(given.tool_choice) || names(given.tools, given.tool_choice), { path: ['tool_choice'], message: 'names none of the tools' })
  .refine(...streamsAsAsked);
type ChatBody = z.output<typeof chatBody>;

const PLAIN_ROLES: readonly unknown[] = ['system', 'user', 'assistant'];
/** A role and a text, and nothing else. */
const isPlainMessage = (value: unknown): boolean =>
  isObject(value) && Object.keys(value).length === 2 && PLAIN_ROLES.includes(value.role) && typeof value.content === 'string';

/** The fields that most requests have, each as most have it. */
function isOrdinary(body: unknown): boolean {
  if (!isObject(body) || !isModelName(body.model) || !Array.isArray(body.messages) || body.messages.length === 0) return false;
  for (const name of Object.keys(body)) {
    const value = body[name];
    const isRight = name === 'model' || (name === 'messages' && body.messages.every(isPlainMessage))
      || ((name === 'max_tokens' || name === 'max_completion_tokens') && isTokenCount(value)) || (name === 'stream' && typeof value === 'boolean')
      || (name === 'temperature' && isBetween(value, 0, 2)) || (name === 'top_p' && isBetween(value, 0, 1)) || (name === 'user' && typeof value === 'string');
    if (!isRight) return false;
  }
  return true;
}

/** Everything of a message or a delta that a model has written. */
function addMessage(message: JsonObject, choice: number, meter: Meter): void {
  meter.add(choice, contentText(message.content));
  meter.add(choice, message.reasoning_content ?? message.reasoning);
  meter.add(choice, message.refusal);
  const calls = Array.isArray(message.tool_calls) ? message.tool_calls : [];
  for (const call of [...calls, { function: message.function_call }]) {
    if (!isObject(call) || !isObject(call.function)) continue;
    meter.add(choice, call.function.name);
    meter.add(choice, asText(call.function.arguments));
  }
}

function shapeMessage(message: JsonObject, shown: Shown): void {
  message.role = 'assistant';
  shapeContent(message, true);
  shapeCalls(message, shown, true);
  if (typeof message.refusal !== 'string') message.refusal = null;
  withoutNulls(message, ['function_call', 'annotations']);
}

function shapeDelta(delta: JsonObject, shown: Shown): boolean {
  let changed = shapeContent(delta, false);
  changed = shapeCalls(delta, shown, false) || changed;
  return withoutNulls(delta, ['role', 'function_call']) || changed;
}

/** OpenAI's clients want to know who speaks before they hear anything. */
function shapeBeginning({ index, delta }: JsonObject, shown: Shown): boolean {
  shown.begun ??= new Set();
  if (shown.begun.has(index) || !isObject(delta)) return false;
  shown.begun.add(index);
  if (delta.role === 'assistant') return false;
  delta.role = 'assistant';
  return true;
}

export const chat: Dialect = {
  path: '/chat/completions',
  kinds: ['chat'],
  schema: chatBody,
  isOrdinary,
  streams: true,
  endsWithDone: true,
  idPrefix: 'chatcmpl-',

  demand(body, model) {
    const chat = body as ChatBody;
    const promptTokens = chatPromptTokens(chat);
    const asked = chat.max_completion_tokens ?? chat.max_tokens;
    const choices = chat.n ?? 1;
    return { promptTokens, templateTokens: templateTokens(chat.messages.length), completionTokens: outputBound(asked, promptTokens, model) * choices, openChoices: asked == null ? choices : undefined, longestPrompt: promptTokens };
  },

  outgoing(body, name, demand) {
    const chat = body as ChatBody;
    const each = demand.completionTokens / (chat.n ?? 1);
    // Servers know one of the two names or both; what was held must be the most under either.
    const sent: JsonObject = { ...body, model: name, max_tokens: each };
    if (chat.max_completion_tokens != null) sent.max_completion_tokens = each;
    if (chat.stream === true) sent.stream_options = { ...chat.stream_options, include_usage: true };
    // Nothing is kept here, so nobody is asked to.
    if (body.store != null) sent.store = false;
    return sent;
  },

  readWhole(answer, meter) {
    if (!Array.isArray(answer.choices) || answer.choices.length === 0) return false;
    for (const [index, choice] of answer.choices.entries()) {
      if (!isObject(choice) || !isObject(choice.message)) return false;
      addMessage(choice.message, index, meter);
    }
    readUsage(answer, meter);
    return true;
  },

  readEvent(event, meter): EventRole {
    if (isFailure(event)) return 'failure';
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

  eventsOf: chatEvents,
  eventName: () => '',

  plainText(event) {
    const choice = plainChoice(event);
    if (choice === undefined || !isObject(choice.delta)) return undefined;
    const { content, ...rest } = choice.delta;
    return typeof content === 'string' && Object.keys(rest).length === 0 ? { choice: choice.index, text: content } : undefined;
  },

  ending: (event) => endingOf(event, { delta: {} }),

  wantsUsage: (body) => (body as ChatBody).stream_options?.include_usage === true,
  correctUsage,

  shapeWhole(answer, shown) {
    shapeHead(answer, shown, 'chat.completion');
    for (const [position, choice] of (answer.choices as JsonObject[]).entries()) {
      const message = choice.message as JsonObject;
      shapeMessage(message, shown);
      shapeChoice(choice, position, { ended: true, hasCalls: Array.isArray(message.tool_calls) });
      shapeLogprobs(choice);
    }
  },

  shapeEvent(event, shown) {
    let changed = shapeHead(event, shown, 'chat.completion.chunk');
    const choices = Array.isArray(event.choices) ? event.choices : (event.choices = []);
    for (const [position, choice] of choices.entries()) {
      if (!isObject(choice)) continue;
      if (!isObject(choice.delta)) changed = Boolean((choice.delta = {}));
      changed = shapeDelta(choice.delta as JsonObject, shown) || changed;
      changed = shapeChoice(choice, position, { ended: false, mayLackLogprobs: true }) || changed;
      changed = shapeBeginning(choice, shown) || changed;
      changed = shapeLogprobs(choice) || changed;
    }
    return changed;
  },
};
