/** POST /v1/completions */
import { z } from 'zod';
import { correctUsage, readUsage } from './completion_usage.ts';
import { endingOf, isFailure, isObject, outputBound, plainChoice } from './dialect.ts';
import type { Dialect, EventRole, JsonObject } from './dialect.ts';
import { TOKENS_MAX, choiceCount, modelName, penalties, sampling, streaming, streamsAsAsked, tokenInput } from './fields.ts';
import { inputTokens, longestInput } from './prompt.ts';
import { shapeChoice, shapeHead } from './shape.ts';
import { completionEvents } from './whole_as_events.ts';

export const completionBody = z.looseObject({
  model: modelName,
  prompt: tokenInput,
  suffix: z.string().nullish(),
  /** None: only what the prompt itself is given. */
  max_tokens: z.int().min(0).max(TOKENS_MAX).nullish(),
  n: choiceCount,
  best_of: z.int().min(1).max(20).nullish(),
  echo: z.boolean().nullish(),
  logprobs: z.int().min(0).max(5).nullish(),
  ...sampling,
  ...penalties,
  ...streaming,
  user: z.string().nullish(),
}).refine((given) => given.best_of == null || given.best_of >= (given.n ?? 1), { path: ['best_of'], message: 'must not be less than n' })
  .refine((given) => given.stream !== true || (given.best_of ?? 1) <= (given.n ?? 1), { path: ['best_of'], message: 'cannot be streamed' })
  .refine(...streamsAsAsked);
type CompletionBody = z.output<typeof completionBody>;

/** OpenAI's own default of this path. */
const DEFAULT_TOKENS = 16;

const promptsIn = ({ prompt }: CompletionBody): number => (Array.isArray(prompt) && typeof prompt[0] !== 'number' ? prompt.length : 1);

/** Of each prompt come `n` choices. */
function echoedBy({ prompt, n }: CompletionBody): (string | number)[] {
  const prompts = Array.isArray(prompt) && typeof prompt[0] !== 'number' ? (prompt as (string | number[])[]) : [prompt as string | number[]];
  return prompts.flatMap((one) => Array.from({ length: n ?? 1 }, () => (typeof one === 'string' ? one : one.length)));
}

export const completions: Dialect = {
  path: '/completions',
  kinds: ['completion', 'chat'],
  schema: completionBody,
  streams: true,
  endsWithDone: true,
  idPrefix: 'cmpl-',

  demand(body, model) {
    const completion = body as CompletionBody;
    const suffix = inputTokens(completion.suffix ?? '');
    const promptTokens = inputTokens(completion.prompt) + suffix;
    const longestPrompt = longestInput(completion.prompt) + suffix;
    const each = outputBound(completion.max_tokens ?? DEFAULT_TOKENS, longestPrompt, model);
    const choices = promptsIn(completion) * Math.max(completion.n ?? 1, completion.best_of ?? 1);
    return { promptTokens, completionTokens: each * choices, longestPrompt, echoed: completion.echo === true ? echoedBy(completion) : undefined };
  },

  outgoing(body, name) {
    const completion = body as CompletionBody;
    const sent: JsonObject = { ...body, model: name, max_tokens: completion.max_tokens ?? DEFAULT_TOKENS };
    if (completion.stream === true) sent.stream_options = { ...completion.stream_options, include_usage: true };
    return sent;
  },

  readWhole(answer, meter) {
    if (!Array.isArray(answer.choices) || answer.choices.length === 0) return false;
    for (const [index, choice] of answer.choices.entries()) {
      if (!isObject(choice) || typeof choice.text !== 'string') return false;
      meter.add(index, choice.text);
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
      meter.add(typeof choice.index === 'number' ? choice.index : 0, choice.text);
      finished ||= typeof choice.finish_reason === 'string';
    }
    if (finished) return 'terminal';
    if (choices.length > 0) return 'content';
    return hasUsage ? 'usage' : 'empty';
  },

  eventsOf: completionEvents,
  eventName: () => '',

  plainText(event) {
    const choice = plainChoice(event);
    return typeof choice?.text === 'string' ? { choice: choice.index, text: choice.text } : undefined;
  },

  ending: (event) => endingOf(event, { text: '' }),

  wantsUsage: (body) => (body as CompletionBody).stream_options?.include_usage === true,
  correctUsage,

  shapeWhole(answer, shown) {
    shapeHead(answer, shown, 'text_completion');
    for (const [position, choice] of (answer.choices as JsonObject[]).entries()) shapeChoice(choice, position, { ended: true });
  },

  shapeEvent(event, shown) {
    let changed = shapeHead(event, shown, 'text_completion');
    const choices = Array.isArray(event.choices) ? event.choices : (event.choices = []);
    for (const [position, choice] of choices.entries()) {
      if (!isObject(choice)) continue;
      if (typeof choice.text !== 'string') {
        choice.text = '';
        changed = true;
      }
      changed = shapeChoice(choice, position, { ended: false }) || changed;
    }
    return changed;
  },
};
