/**
 * One path of OpenAI's protocol: what a request must look like, what it may cost, what goes to the
 * endpoint, and how an answer is read. What a dialect does not know passes through.
 */
import type { z } from 'zod';
import type { Model, ModelKind } from '../catalogue/catalogue.ts';
import type { Demand } from '../metering/demand.ts';
import type { Meter, Metered } from '../metering/meter.ts';

export type JsonObject = Record<string, unknown>;

export const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** How an answer presents itself to the client; one for all events of a stream. */
export interface Shown {
  /** The endpoint's, once it has named one. */
  id: string;
  /** Where the endpoint names none. */
  readonly fallbackId: string;
  /** Seconds. */
  created: number;
  /** As the client called it. */
  readonly model: string;
  /** Choices of which something has been told. */
  begun?: Set<unknown>;
  /** Number of the next event, where events have numbers. */
  sequence: number;
}

/**
 * What an event of a stream is: `content` goes on at once; `terminal` ends the answer (or a choice) and
 * waits for the commit; `usage` has only figures; `empty` has nothing that anybody asked for; `failure` is
 * the endpoint's own error.
 */
export type EventRole = 'content' | 'terminal' | 'usage' | 'empty' | 'failure';

/** How the events of a stream that another path answered become those of this one. */
export interface EventTranslator {
  next(event: JsonObject): { event: string; data: JsonObject }[];
  /** After the endpoint's last event. */
  end(): { event: string; data: JsonObject }[];
}

/** Another path of the protocol on which an endpoint can serve a request that it does not know itself. */
export interface Detour {
  readonly path: string;
  /** What of the request cannot be said there: the endpoint is not asked without it. */
  untold(body: JsonObject): { field: string; detail: string } | undefined;
  outgoing(body: JsonObject, name: string, demand: Demand): JsonObject;
  /** undefined when the answer is none. */
  whole(answer: JsonObject, fallbackId: string): JsonObject | undefined;
  events(fallbackId: string): EventTranslator;
  /** Of its own path, as a dialect has it. */
  eventsOf: Dialect['eventsOf'];
}

export interface Dialect {
  /** Below `/v1`. */
  readonly path: string;
  readonly kinds: readonly ModelKind[];
  readonly schema: z.ZodType<{ model: string; stream?: boolean | null }>;
  /** Whether the schema takes the body as it is, found sooner; where it says no, the schema decides. */
  isOrdinary?(body: unknown): boolean;
  /** False: the answer always comes whole. */
  readonly streams: boolean;
  /** Whether a complete stream ends with `[DONE]`. */
  readonly endsWithDone: boolean;
  /** For endpoints that do not know the path. */
  readonly detour?: Detour;
  /** What an answer's id begins with. */
  readonly idPrefix: string;
  demand(body: JsonObject, model: Model): Demand;
  /** The body for the endpoint. */
  outgoing(body: JsonObject, name: string, demand: Demand): JsonObject;
  /** Counts a whole answer. @returns false when it is none */
  readWhole(answer: JsonObject, meter: Meter, body: JsonObject): boolean;
  readEvent(event: JsonObject, meter: Meter): EventRole;
  /** The events of a stream that would have said what a whole answer says; undefined when it is none. */
  eventsOf(answer: JsonObject, shown: Shown, body: JsonObject): JsonObject[] | undefined;
  /** What an event of a stream is called; '' where events have no names. */
  eventName(event: JsonObject): string;
  /** All that an event says, where that is a piece of one choice's text and nothing else. */
  plainText?(event: JsonObject): { choice: number; text: string } | undefined;
  /** The end of an answer whose endpoint sent none, after its last event; undefined where an answer without its end is broken. */
  ending(event: JsonObject): JsonObject | undefined;
  /** Whether the client asked for an event that has only figures. */
  wantsUsage(body: JsonObject): boolean;
  /** Puts our figures where the endpoint's are missing or not to be believed. */
  correctUsage(answer: JsonObject, metered: Metered): void;
  /** How a stream tells of its failure, where that is an event of its own kind. */
  failure?(error: { code: string; message: string; param: string | null }, shown: Shown): { event: string; data: JsonObject };
  /** Gives an answer the shape of OpenAI's schema. */
  shapeWhole(answer: JsonObject, shown: Shown, body: JsonObject): void;
  /** The same for an event of a stream. @returns whether anything was changed */
  shapeEvent(event: JsonObject, shown: Shown, body: JsonObject): boolean;
}

/** Tokens that a completion may take: what was asked for, else the model's default, within its context. */
export function outputBound(asked: number | null | undefined, promptTokens: number, model: Model): number {
  const room = Math.max(1, model.contextTokens - promptTokens);
  return Math.min(asked ?? model.outputTokensDefault, room);
}

/** An endpoint's own error within a stream, as OpenAI writes it or as older servers do. */
export const isFailure = ({ error, object }: JsonObject): boolean => (error !== undefined && error !== null) || object === 'error';

/** An event that ends every choice of another, with nothing more in them. */
export function endingOf(event: JsonObject, nothing: JsonObject): JsonObject {
  const choices = Array.isArray(event.choices) ? event.choices.filter(isObject) : [];
  return { ...event, choices: choices.map(({ index }) => ({ index, ...nothing, logprobs: null, finish_reason: 'stop' })) };
}

/** The one choice of an event that goes on; undefined when there are several, or it says more than text. */
export function plainChoice(event: JsonObject): (JsonObject & { index: number }) | undefined {
  const { choices } = event;
  if (!Array.isArray(choices) || choices.length !== 1) return undefined;
  const choice: unknown = choices[0];
  if (!isObject(choice) || typeof choice.index !== 'number' || choice.finish_reason !== null || isObject(choice.logprobs)) return undefined;
  return { ...choice, index: choice.index };
}
