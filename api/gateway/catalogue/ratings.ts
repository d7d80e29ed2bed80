/**
 * The first version of the ratings. They are stored, not computed: what was sold under a version stays priced by
 * it whatever becomes of the formula. Later versions are published by operators; see `rating_book.ts`.
 */
import { z } from 'zod';
import { mulDiv } from '../../../engine/numbers/muldiv.ts';
import type { MicroGpuSeconds, Micro, Ticks } from '../../../engine/numbers/units.ts';
import { findModel } from './catalogue.ts';
import type { Rating } from './roofline.ts';
import ratingsFile from './ratings_v1.json' with { type: 'json' };

export const ratingsSchema = z.strictObject({
  version: z.int().positive(),
  /** By model, then class: micro GPU-seconds a prompt token, a completion token, and GPUs of a replica. */
  ratings: z.record(z.string(), z.record(z.string(), z.tuple([z.int().positive(), z.int().positive(), z.int().positive()]))),
});

const file = ratingsSchema.parse(ratingsFile);
export const RATINGS_VERSION = file.version;

const table = new Map(
  Object.entries(file.ratings).map(([model, classes]) => [
    model,
    new Map(Object.entries(classes).map(([name, [prompt, completion, gpus]]): [string, Rating] => [name, { prompt, completion, gpus }])),
  ]),
);
const NO_CLASSES: ReadonlyMap<string, Rating> = new Map();

/** Ratings of a model by the name of the class; empty when the model is not known. */
export const ratingsOf = (model: string): ReadonlyMap<string, Rating> => table.get(findModel(model)?.id ?? model) ?? NO_CLASSES;

/** What a token of the model costs on a class; undefined when the class cannot hold the model. */
export const rating = (model: string, className: string): Rating | undefined => ratingsOf(model).get(className);

/** One version of the ratings, whole. */
export interface RatingTable {
  readonly version: number;
  /** Of a model by the name of the class. */
  of(model: string): ReadonlyMap<string, Rating>;
}
export const FIRST_RATINGS: RatingTable = { version: RATINGS_VERSION, of: ratingsOf };

/** GPU time of a request, exact. */
export const gpuTimeOf = (rated: Rating, promptTokens: number, completionTokens: number): MicroGpuSeconds =>
  promptTokens * rated.prompt + completionTokens * rated.completion;

const MICRO_PER_TICK = 100;
const SECONDS_PER_HOUR = 3_600;
/** Micro-CR for a million tokens at `perToken` micro GPU-seconds each and a price per GPU-hour. */
export const perMillionTokens = (perToken: MicroGpuSeconds, price: Ticks): Micro => mulDiv(perToken, price * MICRO_PER_TICK, SECONDS_PER_HOUR);
