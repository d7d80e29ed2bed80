/** Fields that several paths share, with OpenAI's ranges. */
import { z } from 'zod';

export const TOKENS_MAX = 10_000_000;
const INPUTS_MAX = 2_048;

export const modelName = z.string().min(1).max(200);
export const tokenCount = z.int().min(1).max(TOKENS_MAX).nullish();
export const choiceCount = z.int().min(1).max(128).nullish();
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
const token = z.int().nonnegative();
export const tokenInput = z.union([
  z.string(),
  z.array(z.string()).min(1).max(INPUTS_MAX),
  z.array(token).min(1),
  z.array(z.array(token).min(1)).min(1).max(INPUTS_MAX),
]);
