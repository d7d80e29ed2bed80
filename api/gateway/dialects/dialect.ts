/**
 * One path of OpenAI's protocol: what a request must look like, what it may cost, what goes to the
 * endpoint, and how an answer is read. What a dialect does not know passes through.
 */
import type { z } from 'zod';
import type { Model, ModelKind } from '../catalogue/catalogue.ts';
import type { Meter, Metered } from '../meter.ts';

export type JsonObject = Record<string, unknown>;

export const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a request asks for, in tokens. */
export interface Demand {
  /** By our own count. */
  promptTokens: number;
  /** At most, of all choices together. */
  completionTokens: number;
  /** Of the prompts in the request, the one that needs most of the model's context. */
  longestPrompt: number;
}

/**
 * What an event of a stream is: `content` goes on at once; `terminal` ends the answer (or a choice) and
 * waits for the commit; `usage` has only figures; `empty` has nothing that anybody asked for; `failure` is
 * the endpoint's own error.
 */
export type EventRole = 'content' | 'terminal' | 'usage' | 'empty' | 'failure';

export interface Dialect {
  /** Below `/v1`. */
  readonly path: string;
  readonly kinds: readonly ModelKind[];
  readonly schema: z.ZodType<{ model: string; stream?: boolean | null }>;
  /** False: the answer always comes whole. */
  readonly streams: boolean;
  /** Whether a complete stream ends with `[DONE]`. */
  readonly endsWithDone: boolean;
  demand(body: JsonObject, model: Model): Demand;
  /** The body for the endpoint. */
  outgoing(body: JsonObject, name: string, demand: Demand): JsonObject;
  /** Counts a whole answer. @returns false when it is none */
  readWhole(answer: JsonObject, meter: Meter): boolean;
  readEvent(event: JsonObject, meter: Meter): EventRole;
  /** The end of an answer whose endpoint sent none, after its last event; undefined where an answer without its end is broken. */
  ending(event: JsonObject): JsonObject | undefined;
  /** Whether the client asked for an event that has only figures. */
  wantsUsage(body: JsonObject): boolean;
  /** Puts our figures where the endpoint's are missing or not to be believed. */
  correctUsage(answer: JsonObject, metered: Metered): void;
  /** Names the model as the client called it. */
  rename(answer: JsonObject, model: string): void;
}

/** Tokens that a completion may take: what was asked for, else the model's default, within its context. */
export function outputBound(asked: number | null | undefined, promptTokens: number, model: Model): number {
  const room = Math.max(1, model.contextTokens - promptTokens);
  return Math.min(asked ?? model.outputTokensDefault, room);
}

/** An event that ends every choice of another, with nothing more in them. */
export function endingOf(event: JsonObject, nothing: JsonObject): JsonObject {
  const choices = Array.isArray(event.choices) ? event.choices.filter(isObject) : [];
  return { ...event, choices: choices.map(({ index }) => ({ index, ...nothing, finish_reason: 'stop' })) };
}

export const renameModel = (answer: JsonObject, model: string): void => {
  if ('model' in answer) answer.model = model;
};
