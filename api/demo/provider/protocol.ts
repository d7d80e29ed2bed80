/** OpenAI's protocol as the demo's models speak it: from a request to an answer, whole or as the events of a stream. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { chatPromptTokens, inputTokens, responsePromptTokens } from '../../gateway/dialects/prompt.ts';
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
const CREATED_AT = 1_767_225_600;

const common = { model: z.string().min(1), stream: z.boolean().nullish(), ignore_eos: z.boolean().nullish() };
const streamOptions = z.looseObject({ include_usage: z.boolean().nullish() }).nullish();
const count = z.int().positive().nullish();

export const chatRequest = z.looseObject({
  ...common, messages: z.array(z.looseObject({})).min(1), max_tokens: count, max_completion_tokens: count, n: count, stream_options: streamOptions,
});
export const completionRequest = z.looseObject({
  ...common, prompt: z.union([z.string(), z.array(z.string()), z.array(z.number()), z.array(z.array(z.number()))]), max_tokens: count, n: count, stream_options: streamOptions,
});
export const embeddingRequest = z.looseObject({
  model: z.string().min(1), input: z.union([z.string(), z.array(z.string()), z.array(z.number()), z.array(z.array(z.number()))]), dimensions: count,
  encoding_format: z.enum(['float', 'base64']).nullish(),
});
export const responseRequest = z.looseObject({ ...common, input: z.union([z.string(), z.array(z.looseObject({}))]), max_output_tokens: count });

const idOf = (prefix: string, seed: string, body: object): string =>
  `${prefix}-${createHash('sha256').update(seed).update(JSON.stringify(body)).digest('hex').slice(0, 24)}`;
const usageOf = (prompt: number, completion: number) => ({ prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion });
const done: StreamEvent = { event: '', data: '[DONE]', paced: false };
const plain = (data: object, paced = false): StreamEvent => ({ event: '', data, paced });

interface Choice {
  words: string[];
  reason: 'stop' | 'length';
}

function choicesOf(seed: string, question: string, n: number, most: number | null | undefined, exactly: boolean): Choice[] {
  return Array.from({ length: n }, (_, index) => {
    const words = answerWords(seed, question, index, { most: most ?? DEFAULT_TOKENS, exactly });
    return { words, reason: words.length === most ? 'length' : 'stop' };
  });
}
const tokensIn = (choices: readonly Choice[]): number => choices.reduce((sum, { words }) => sum + words.length, 0);

export function chat(seed: string, body: z.output<typeof chatRequest>): Spoken {
  const choices = choicesOf(seed, JSON.stringify(body.messages), body.n ?? 1, body.max_completion_tokens ?? body.max_tokens, body.ignore_eos === true);
  const usage = usageOf(chatPromptTokens(body), tokensIn(choices));
  const head = { id: idOf('chatcmpl', seed, body), created: CREATED_AT, model: body.model, system_fingerprint: 'fp_demo' };
  const chunk = (index: number, delta: object, reason: string | null, paced = false): StreamEvent =>
    plain({ ...head, object: 'chat.completion.chunk', choices: [{ index, delta, logprobs: null, finish_reason: reason }] }, paced);
  return {
    tokens: usage.completion_tokens,
    whole: () => ({
      ...head, object: 'chat.completion', usage,
      choices: choices.map(({ words, reason }, index) => ({ index, message: { role: 'assistant', content: words.join(''), refusal: null }, logprobs: null, finish_reason: reason })),
    }),
    *events() {
      for (const [index, { words, reason }] of choices.entries()) {
        yield chunk(index, { role: 'assistant', content: '', refusal: null }, null);
        for (const word of words) yield chunk(index, { content: word }, null, true);
        yield chunk(index, {}, reason);
      }
      if (body.stream_options?.include_usage === true) yield plain({ ...head, object: 'chat.completion.chunk', choices: [], usage });
      yield done;
    },
  };
}

export function completion(seed: string, body: z.output<typeof completionRequest>): Spoken {
  const choices = choicesOf(seed, JSON.stringify(body.prompt), body.n ?? 1, body.max_tokens ?? 16, body.ignore_eos === true);
  const usage = usageOf(inputTokens(body.prompt), tokensIn(choices));
  const head = { id: idOf('cmpl', seed, body), object: 'text_completion', created: CREATED_AT, model: body.model };
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

export function response(seed: string, body: z.output<typeof responseRequest>): Spoken {
  const [{ words, reason }] = choicesOf(seed, JSON.stringify(body.input), 1, body.max_output_tokens, body.ignore_eos === true);
  const id = idOf('resp', seed, body);
  const prompt = responsePromptTokens(body);
  const usage = {
    input_tokens: prompt, output_tokens: words.length, total_tokens: prompt + words.length,
    input_tokens_details: { cached_tokens: 0 }, output_tokens_details: { reasoning_tokens: 0 },
  };
  const part = (text: string): object => ({ type: 'output_text', text, annotations: [], logprobs: [] });
  const item = (status: string, content: object[]): object => ({ type: 'message', id: id.replace('resp', 'msg'), status, role: 'assistant', content });
  const finished = reason === 'length' ? 'incomplete' : 'completed';
  const whole = (status: string, output: object[], counted: object | null): object => ({
    id, object: 'response', created_at: CREATED_AT, status, error: null, incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
    instructions: body.instructions ?? null, max_output_tokens: body.max_output_tokens ?? null, model: body.model, output, parallel_tool_calls: true,
    previous_response_id: null, store: false, temperature: 1, text: { format: { type: 'text' } }, tool_choice: 'auto', tools: [], top_p: 1,
    truncation: 'disabled', usage: counted, user: null, metadata: {},
  });
  const text = words.join('');
  const at = { item_id: id.replace('resp', 'msg'), output_index: 0, content_index: 0 };
  return {
    tokens: words.length,
    whole: () => whole(finished, [item(finished, [part(text)])], usage),
    *events() {
      let sequence = 0;
      const event = (type: string, fields: object, paced = false): StreamEvent => ({ event: type, data: { type, sequence_number: sequence++, ...fields }, paced });
      yield event('response.created', { response: whole('in_progress', [], null) });
      yield event('response.in_progress', { response: whole('in_progress', [], null) });
      yield event('response.output_item.added', { output_index: 0, item: item('in_progress', []) });
      yield event('response.content_part.added', { ...at, part: part('') });
      for (const word of words) yield event('response.output_text.delta', { ...at, delta: word, logprobs: [] }, true);
      yield event('response.output_text.done', { ...at, text, logprobs: [] });
      yield event('response.content_part.done', { ...at, part: part(text) });
      yield event('response.output_item.done', { output_index: 0, item: item(finished, [part(text)]) });
      yield event(finished === 'completed' ? 'response.completed' : 'response.incomplete', { response: whole(finished, [item(finished, [part(text)])], usage) });
    },
  };
}
