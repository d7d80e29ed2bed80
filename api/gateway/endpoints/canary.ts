/**
 * Completions that look like anybody's: a provider cannot tell the market's probes from its buyers'
 * requests. Some have an answer that was recorded for the model and its precision.
 */
import { randomInt } from 'node:crypto';
import { z } from 'zod';
import { findModel } from '../catalogue/catalogue.ts';
import type { ModelKind } from '../catalogue/catalogue.ts';
import { isFailure, isObject } from '../dialects/dialect.ts';
import type { Target, Upstream } from '../relay/upstream.ts';
import { kindOf } from '../relay/answer_kind.ts';
import { EventStreamParser, eventIn } from '../relay/sse.ts';
import { UpstreamError } from '../relay/endpoint_answer.ts';

export type CanaryResult = 'passed' | 'failed' | 'mismatched';

/** A question asked at temperature 0, and what the model said to it when it was recorded. */
export interface Reference {
  prompt: string;
  answer: string;
}

const ANSWER_LIMIT_BYTES = 4 * 1024 * 1024;
/** Fewer would not hold the words that are compared. */
const TOKENS = { least: 32, most: 96 };
/** Two runs of one model at temperature 0 may part late in an answer; not in its first words. */
const WORDS_COMPARED = 12;
const SAME_WORDS_LEAST = 0.75;

const SUBJECTS = ['a travel budget', 'the water cycle', 'a weekly report', 'sorting a list', 'a birthday message', 'unit tests', 'a bread recipe', 'the history of maps', 'a support ticket', 'tidal power', 'a job advert', 'database indexes'];
const ASKS = ['Write two sentences about', 'Summarise in one line:', 'What should I know about', 'Give me a short outline for', 'Explain to a beginner', 'List three facts about'];
const TAILS = ['', ' Keep it short.', ' Plain language, please.', ' No lists.', ' Answer in English.'];

/** Anything that a person might ask. */
export function ordinaryQuestion(random: () => number): string {
  const pick = (list: readonly string[]): string => list[Math.floor(random() * list.length)];
  return `${pick(ASKS)} ${pick(SUBJECTS)}.${pick(TAILS)}`;
}

const message = z.looseObject({ content: z.string().nullish(), reasoning_content: z.string().nullish(), reasoning: z.string().nullish() });
const textOf = ({ content, reasoning_content: thought, reasoning }: z.output<typeof message>): string => content || thought || reasoning || '';
/** How a completion is asked for: no two requests need be alike. */
interface Manner {
  max_tokens: number;
  temperature?: number;
  stream?: true;
  stream_options?: { include_usage: true };
}
const TEMPERATURES = [undefined, undefined, 0, 0, 0.2, 0.7, 1];
/** One in so many is asked for as a stream. */
const STREAMED_EVERY = 2;
const anyManner = (isCompared: boolean, mayStream: boolean): Manner => {
  const temperature = isCompared ? 0 : TEMPERATURES[randomInt(TEMPERATURES.length)];
  const streams = mayStream && randomInt(STREAMED_EVERY) === 0;
  return {
    max_tokens: randomInt(TOKENS.least, TOKENS.most + 1), ...(temperature === undefined ? {} : { temperature }), ...(streams ? { stream: true, stream_options: { include_usage: true } } : {}),
  };
};

interface CanaryDialect {
  path: string;
  body: (model: string, prompt: string, manner: Manner) => object;
  text: (answer: unknown) => string;
  /** What an event of a stream adds. */
  piece?: (event: unknown) => string;
}
const choicesOf = <T extends z.ZodType>(choice: T) => z.looseObject({ choices: z.array(choice).default([]) });
const dialects: Record<ModelKind, CanaryDialect> = {
  chat: {
    path: '/chat/completions',
    body: (model, prompt, manner) => ({ model, messages: [{ role: 'user', content: prompt }], ...manner }),
    text: (answer) => textOf(z.looseObject({ choices: z.array(z.looseObject({ message })).min(1) }).parse(answer).choices[0].message),
    piece: (event) => choicesOf(z.looseObject({ delta: message.default({}) })).parse(event).choices.map(({ delta }) => textOf(delta)).join(''),
  },
  completion: {
    path: '/completions',
    body: (model, prompt, manner) => ({ model, prompt, ...manner }),
    text: (answer) => z.looseObject({ choices: z.array(z.looseObject({ text: z.string() })).min(1) }).parse(answer).choices[0].text,
    piece: (event) => choicesOf(z.looseObject({ text: z.string().default('') })).parse(event).choices.map(({ text }) => text).join(''),
  },
  embedding: {
    path: '/embeddings',
    body: (model, prompt) => ({ model, input: prompt }),
    text: (answer) => JSON.stringify(z.looseObject({ data: z.array(z.looseObject({ embedding: z.union([z.array(z.number()).min(1), z.string().min(1)]) })).min(1) }).parse(answer).data[0].embedding),
  },
};

export interface CanaryAsk {
  target: Target;
  /** As the endpoint calls it. */
  model: string;
  prompt: string;
  reference?: Reference;
  /** Where what is measured depends on it. */
  tokens?: number;
  /** As many of the requests it stands among are. */
  mayStream?: boolean;
  /** Asked of the demo's providers, which have no GPUs: to write as fast as theirs of this class would. */
  paceOf?: string;
  signal: AbortSignal;
}

/** What the endpoint said. @throws UpstreamError, ZodError, SyntaxError when it is no answer */
export async function askCanary(upstream: Upstream, { target, model, prompt, reference, tokens, mayStream, paceOf, signal }: CanaryAsk): Promise<string> {
  const dialect = dialects[findModel(model)?.kind ?? 'chat'];
  const manner = { ...anyManner(reference !== undefined, mayStream === true), ...(tokens === undefined ? {} : { max_tokens: tokens }) };
  const answer = await upstream.post(target, dialect.path, JSON.stringify({ ...dialect.body(model, prompt, manner), ...(paceOf === undefined ? {} : { pace_of: paceOf }) }), signal);
  const text = await answer.text(ANSWER_LIMIT_BYTES);
  if (answer.status !== 200) throw new UpstreamError('broken', `${dialect.path} answered ${answer.status}`);
  if (kindOf(text, answer.contentType) !== 'events' || dialect.piece === undefined) return dialect.text(JSON.parse(text) as unknown);
  return piecesOf(text, dialect.piece);
}

const DONE = '[DONE]';

/** @throws UpstreamError when the stream tells of a failure */
function piecesOf(written: string, piece: (event: unknown) => string): string {
  const parser = new EventStreamParser();
  const said = [...parser.push(Buffer.from(written)), ...parser.end()].flatMap((event) => eventIn(event)?.data ?? []);
  const events = said.filter((data) => data !== DONE).map((data) => JSON.parse(data) as unknown);
  if (events.some((event) => isObject(event) && isFailure(event))) throw new UpstreamError('broken', 'the stream tells of a failure');
  return events.map(piece).join('');
}

/** Never throws for what the endpoint does. */
export async function runCanary(upstream: Upstream, ask: CanaryAsk): Promise<CanaryResult> {
  try {
    const text = await askCanary(upstream, ask);
    if (text === '') return 'failed';
    return ask.reference === undefined || agrees(ask.reference.answer, text) ? 'passed' : 'mismatched';
  } catch (error) {
    if (error instanceof UpstreamError || error instanceof z.ZodError || error instanceof SyntaxError) return 'failed';
    throw error;
  }
}

const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

/** Whether two answers begin alike. */
export function agrees(recorded: string, given: string): boolean {
  const expected = wordsOf(recorded).slice(0, WORDS_COMPARED);
  const found = wordsOf(given).slice(0, expected.length);
  if (expected.length === 0) return recorded.trim() === given.trim();
  const same = expected.filter((word, index) => found[index] === word).length;
  return same >= expected.length * SAME_WORDS_LEAST;
}
