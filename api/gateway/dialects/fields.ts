/** Fields that several paths share, with OpenAI's ranges. */
import { z } from 'zod';

export const TOKENS_MAX = 10_000_000;
const INPUTS_MAX = 2_048;

const MODEL_NAME_MAX = 200;
export const modelName = z.string().min(1).max(MODEL_NAME_MAX);
export const tokenCount = z.int().min(1).max(TOKENS_MAX).nullish();
export const choiceCount = z.int().min(1).max(128).nullish();
const METADATA_MAX = 16;
export const metadata = z.record(z.string().max(64), z.string().max(512)).refine((given) => Object.keys(given).length <= METADATA_MAX, `has at most ${METADATA_MAX} entries`).nullish();
const stopText = z.string().max(10_000);

export const sampling = {
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
};
export const penalties = {
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  logit_bias: z.record(z.string(), z.number().min(-100).max(100)).nullish(),
  seed: z.number().refine(Number.isInteger, 'must be a whole number').nullish(),
  stop: z.union([stopText, z.array(stopText).max(4)]).nullish(),
};
export const streaming = {
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
};
/** What `modelName`, `tokenCount` and `sampling` say, without them. */
export const isModelName = (value: unknown): boolean => typeof value === 'string' && value.length > 0 && value.length <= MODEL_NAME_MAX;
export const isTokenCount = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= TOKENS_MAX;
export const isBetween = (value: unknown, least: number, most: number): boolean => typeof value === 'number' && value >= least && value <= most;

/** What `streaming` says must agree. */
export const streamsAsAsked: [(given: { stream?: boolean | null; stream_options?: object | null }) => boolean, { path: string[]; message: string }] =
  [(given) => given.stream_options == null || given.stream === true, { path: ['stream_options'], message: 'needs stream to be true' }];
const token = z.int().nonnegative();
export const tokenInput = z.union([
  z.string(),
  z.array(z.string()).min(1).max(INPUTS_MAX),
  z.array(token).min(1),
  z.array(z.array(token).min(1)).min(1).max(INPUTS_MAX),
]);
