/** OpenAI's protocol as the demo's models speak it: from a request to an answer, whole or as the events of a stream. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { chatPromptTokens, inputTokens, responsePromptTokens } from '../../gateway/dialects/prompt.ts';
import { countTokens } from '../../gateway/metering/token_count.ts';
import { callsFor, jsonFor, piecesOf, questionIn } from './structured.ts';
import type { ToolCall } from './structured.ts';
import { answerWords, embeddingOf } from './text.ts';

/** An event of a stream; the data `[DONE]` is written as it is. */
export interface StreamEvent {
  event: string;
  data: object | string;
  /** Part of the text: what comes at the speed of the model. */
  paced: boolean;
}
export interface Spoken {
  /** Tokens that the answer takes to say. */
  tokens: number;
  whole(): object;
  events(): Iterable<StreamEvent>;
}

const DEFAULT_TOKENS = 256;
const EMBEDDING_DIMENSIONS = 384;

const common = {
  model: z.string().min(1), stream: z.boolean().nullish(), ignore_eos: z.boolean().nullish(),
  /** A GPU class: the answer is to take as long as on GPUs of it. */
  pace_of: z.string().nullish(),
};
const streamOptions = z.looseObject({ include_usage: z.boolean().nullish() }).nullish();
const count = z.int().positive().nullish();

export const chatRequest = z.looseObject({
  ...common, messages: z.array(z.looseObject({})).min(1), max_tokens: count, max_completion_tokens: count, n: count, stream_options: streamOptions,
});
export const completionRequest = z.looseObject({
  ...common, prompt: z.union([z.string(), z.array(z.string()), z.array(z.number()), z.array(z.array(z.number()))]), max_tokens: z.int().nonnegative().nullish(), n: count, echo: z.boolean().nullish(),
  stream_options: streamOptions,
});
export const embeddingRequest = z.looseObject({
  model: z.string().min(1), input: z.union([z.string(), z.array(z.string()), z.array(z.number()), z.array(z.array(z.number()))]), dimensions: count,
  encoding_format: z.enum(['float', 'base64']).nullish(),
});
export const responseRequest = z.looseObject({ ...common, input: z.union([z.string(), z.array(z.looseObject({}))]), max_output_tokens: count });

/** An answer says the same again to the same question; it is another answer nevertheless. */
const idOf = (prefix: string): string => `${prefix}${randomBytes(12).toString('hex')}`;
const createdNow = (): number => Math.floor(Date.now() / 1_000);
const usageOf = (prompt: number, completion: number) => ({ prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion });
const done: StreamEvent = { event: '', data: '[DONE]', paced: false };
const plain = (data: object, paced = false): StreamEvent => ({ event: '', data, paced });

interface Choice {
  words: string[];
  /** Tokens in the words. */
  tokens: number;
  reason: 'stop' | 'length';
}

function choicesOf(seed: string, question: string, n: number, most: number | null | undefined, exactly: boolean): Choice[] {
  return Array.from({ length: n }, (_, index) => {
    const words = answerWords(seed, question, index, { most: most ?? DEFAULT_TOKENS, exactly });
    return { words, tokens: words.length, reason: words.length === most ? 'length' : 'stop' };
  });
}
const tokensIn = (choices: readonly Choice[]): number => choices.reduce((sum, { tokens }) => sum + tokens, 0);

/** JSON that was asked for, cut where the answer may not be longer. */
function jsonChoice(text: string, most: number | null | undefined): Choice {
  const pieces = piecesOf(text);
  while (pieces.length > 0 && countTokens(pieces.join('')) > (most ?? Infinity)) pieces.pop();
  const said = pieces.join('');
  return { words: pieces, tokens: countTokens(said), reason: said === text ? 'stop' : 'length' };
}

/** Of each word: that nothing else came to mind. */
const logprobsOf = (words: readonly string[], asked: unknown, top: unknown): object | null => {
  if (asked !== true) return null;
  const told = (token: string): { token: string; logprob: number; bytes: number[] } => ({ token, logprob: -0.01, bytes: [...Buffer.from(token)] });
  return { content: words.map((word) => ({ ...told(word), top_logprobs: Number(top ?? 0) > 0 ? [told(word)] : [] })), refusal: null };
};

export function chat(seed: string, body: z.output<typeof chatRequest>): Spoken {
  const most = body.max_completion_tokens ?? body.max_tokens;
  const calls = callsFor(body, questionIn(body.messages), seed);
  if (calls.length > 0) return chatCalls(body, calls);
  const json = jsonFor(body, seed + JSON.stringify(body.messages));
  const choices = json === undefined ? choicesOf(seed, JSON.stringify(body.messages), body.n ?? 1, most, body.ignore_eos === true) : Array.from({ length: body.n ?? 1 }, () => jsonChoice(json, most));
  const usage = usageOf(chatPromptTokens(body), tokensIn(choices));
  const head = { id: idOf('chatcmpl-'), created: createdNow(), model: body.model, system_fingerprint: 'fp_demo' };
  const logprobs = (words: readonly string[]): object | null => logprobsOf(words, body.logprobs, body.top_logprobs);
  const chunk = (index: number, delta: object, reason: string | null, word?: string): StreamEvent =>
    plain({ ...head, object: 'chat.completion.chunk', choices: [{ index, delta, logprobs: word === undefined ? null : logprobs([word]), finish_reason: reason }] }, word !== undefined);
  return {
    tokens: usage.completion_tokens,
    whole: () => ({
      ...head, object: 'chat.completion', usage,
      choices: choices.map(({ words, reason }, index) => ({ index, message: { role: 'assistant', content: words.join(''), refusal: null }, logprobs: logprobs(words), finish_reason: reason })),
    }),
    *events() {
      for (const [index, { words, reason }] of choices.entries()) {
        yield chunk(index, { role: 'assistant', content: '', refusal: null }, null);
        for (const word of words) yield chunk(index, { content: word }, null, word);
        yield chunk(index, {}, reason);
      }
      if (body.stream_options?.include_usage === true) yield plain({ ...head, object: 'chat.completion.chunk', choices: [], usage });
      yield done;
    },
  };
}

/** An answer that calls tools. */
function chatCalls(body: z.output<typeof chatRequest>, calls: readonly ToolCall[]): Spoken {
  const id = idOf('chatcmpl-');
  const named = calls.map((call, index) => ({ id: `call_${id.slice(-20)}${index}`, type: 'function', function: call }));
  const usage = usageOf(chatPromptTokens(body), countTokens(calls.map((call) => call.name + call.arguments).join('')));
  const head = { id, created: createdNow(), model: body.model, system_fingerprint: 'fp_demo' };
  const chunk = (delta: object, reason: string | null, paced = false): StreamEvent =>
    plain({ ...head, object: 'chat.completion.chunk', choices: [{ index: 0, delta, logprobs: null, finish_reason: reason }] }, paced);
  return {
    tokens: usage.completion_tokens,
    whole: () => ({
      ...head, object: 'chat.completion', usage,
      choices: [{ index: 0, message: { role: 'assistant', content: null, refusal: null, tool_calls: named }, logprobs: null, finish_reason: 'tool_calls' }],
    }),
    *events() {
      yield chunk({ role: 'assistant', content: null, refusal: null }, null);
      for (const [index, call] of named.entries()) {
        yield chunk({ tool_calls: [{ index, id: call.id, type: 'function', function: { name: call.function.name, arguments: '' } }] }, null);
        for (const piece of piecesOf(call.function.arguments)) yield chunk({ tool_calls: [{ index, function: { arguments: piece } }] }, null, true);
      }
      yield chunk({}, 'tool_calls');
      if (body.stream_options?.include_usage === true) yield plain({ ...head, object: 'chat.completion.chunk', choices: [], usage });
      yield done;
    },
  };
}

/** One text, several, one list of token ids, or several. */
const promptsOf = (prompt: z.output<typeof completionRequest>['prompt']): (string | number[])[] =>
  typeof prompt === 'string' ? [prompt] : typeof prompt[0] === 'number' ? [prompt as number[]] : (prompt as (string | number[])[]);

/** Each prompt has its own answers; what it says itself may stand before them. */
export function completion(seed: string, body: z.output<typeof completionRequest>): Spoken {
  const choices = promptsOf(body.prompt).flatMap((prompt) => {
    const choices = choicesOf(seed, JSON.stringify(prompt), body.n ?? 1, body.max_tokens ?? 16, body.ignore_eos === true);
    if (body.echo !== true || typeof prompt !== 'string') return choices;
    return choices.map(({ words: [first, ...more], ...choice }) => ({ ...choice, words: first === undefined ? [prompt] : [prompt, ` ${first}`, ...more] }));
  });
  const usage = usageOf(inputTokens(body.prompt), tokensIn(choices));
  const head = { id: idOf('cmpl-'), object: 'text_completion', created: createdNow(), model: body.model };
  const chunk = (index: number, text: string, reason: string | null, paced = false): StreamEvent =>
    plain({ ...head, choices: [{ index, text, logprobs: null, finish_reason: reason }] }, paced);
  return {
    tokens: usage.completion_tokens,
    whole: () => ({ ...head, usage, choices: choices.map(({ words, reason }, index) => ({ index, text: words.join(''), logprobs: null, finish_reason: reason })) }),
    *events() {
      for (const [index, { words, reason }] of choices.entries()) {
        for (const word of words) yield chunk(index, word, null, true);
        yield chunk(index, '', reason);
      }
      if (body.stream_options?.include_usage === true) yield plain({ ...head, choices: [], usage });
      yield done;
    },
  };
}

export function embedding(seed: string, body: z.output<typeof embeddingRequest>): Spoken {
  const inputs = typeof body.input === 'string' || typeof body.input[0] === 'number' ? [body.input] : (body.input as (string | number[])[]);
  const prompt = inputTokens(body.input);
  const written = (values: number[]): number[] | string =>
    body.encoding_format === 'base64' ? Buffer.from(new Float32Array(values).buffer).toString('base64') : values;
  const embed = (input: unknown): number[] => embeddingOf(seed, JSON.stringify(input), body.dimensions ?? EMBEDDING_DIMENSIONS);
  return {
    tokens: 0,
    whole: () => ({
      object: 'list', model: body.model, usage: { prompt_tokens: prompt, total_tokens: prompt },
      data: inputs.map((input, index) => ({ object: 'embedding', index, embedding: written(embed(input)) })),
    }),
    *events() {
      yield done;
    },
  };
}

/** Its number within a stream is an event's own. */
type Tell = (type: string, fields: object, paced?: boolean) => StreamEvent;

/** One item of a response's output: as it stands at the end, and how it comes about. */
interface Item {
  whole: object;
  tokens: number;
  events(tell: Tell, index: number): Iterable<StreamEvent>;
}

function messageItem(id: string, { words, tokens, reason }: Choice): Item {
  const text = words.join('');
  const part = (said: string): object => ({ type: 'output_text', text: said, annotations: [], logprobs: [] });
  const item = (status: string, content: object[]): object => ({ type: 'message', id, status, role: 'assistant', content });
  const whole = item(reason === 'length' ? 'incomplete' : 'completed', [part(text)]);
  return {
    whole,
    tokens,
    *events(tell, index) {
      const at = { item_id: id, output_index: index, content_index: 0 };
      yield tell('response.output_item.added', { output_index: index, item: item('in_progress', []) });
      yield tell('response.content_part.added', { ...at, part: part('') });
      for (const word of words) yield tell('response.output_text.delta', { ...at, delta: word, logprobs: [] }, true);
      yield tell('response.output_text.done', { ...at, text, logprobs: [] });
      yield tell('response.content_part.done', { ...at, part: part(text) });
      yield tell('response.output_item.done', { output_index: index, item: whole });
    },
  };
}

function callItem(id: string, call: ToolCall): Item {
  const item = (status: string, args: string): object => ({ type: 'function_call', id, call_id: id.replace('fc', 'call'), name: call.name, arguments: args, status });
  const whole = item('completed', call.arguments);
  return {
    whole,
    tokens: countTokens(call.name + call.arguments),
    *events(tell, index) {
      const at = { item_id: id, output_index: index };
      yield tell('response.output_item.added', { output_index: index, item: item('in_progress', '') });
      for (const piece of piecesOf(call.arguments)) yield tell('response.function_call_arguments.delta', { ...at, delta: piece }, true);
      yield tell('response.function_call_arguments.done', { ...at, name: call.name, arguments: call.arguments });
      yield tell('response.output_item.done', { output_index: index, item: whole });
    },
  };
}

export function response(seed: string, body: z.output<typeof responseRequest>): Spoken {
  const id = idOf('resp_');
  const created = createdNow();
  const json = jsonFor(body, seed + JSON.stringify(body.input));
  const [choice] = json === undefined ? choicesOf(seed, JSON.stringify(body.input), 1, body.max_output_tokens, body.ignore_eos === true) : [jsonChoice(json, body.max_output_tokens)];
  const calls = callsFor(body, questionIn(body.input), seed);
  const items = calls.length > 0 ? calls.map((call, index) => callItem(`${id.replace('resp', 'fc')}${index}`, call)) : [messageItem(id.replace('resp', 'msg'), choice)];
  const tokens = items.reduce((sum, item) => sum + item.tokens, 0);
  const prompt = responsePromptTokens(body);
  const usage = {
    input_tokens: prompt, output_tokens: tokens, total_tokens: prompt + tokens,
    input_tokens_details: { cached_tokens: 0 }, output_tokens_details: { reasoning_tokens: 0 },
  };
  const finished = calls.length === 0 && choice.reason === 'length' ? 'incomplete' : 'completed';
  const { instructions = null, max_output_tokens: most = null, parallel_tool_calls: parallel = true, temperature = 1, text = { format: { type: 'text' } }, tool_choice: choosing = 'auto', tools = [], top_p: top = 1, metadata = {} } = body;
  const whole = (status: string, output: object[], counted?: object): object => ({
    id, object: 'response', created_at: created, status, error: null, incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
    instructions, max_output_tokens: most, model: body.model, output, parallel_tool_calls: parallel, previous_response_id: null, store: false, temperature, text,
    tool_choice: choosing, tools, top_p: top, truncation: 'disabled', metadata, ...(counted === undefined ? {} : { usage: counted }),
  });
  const end = (): object => whole(finished, items.map((item) => item.whole), usage);
  return {
    tokens,
    whole: end,
    *events() {
      let sequence = 0;
      const tell: Tell = (type, fields, paced = false) => ({ event: type, data: { type, sequence_number: sequence++, ...fields }, paced });
      yield tell('response.created', { response: whole('in_progress', []) });
      yield tell('response.in_progress', { response: whole('in_progress', []) });
      for (const [index, item] of items.entries()) yield* item.events(tell, index);
      yield tell(`response.${finished}`, { response: end() });
    },
  };
}
