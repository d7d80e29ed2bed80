/** Fields that several paths share, with OpenAI's ranges. */
import { z } from 'zod';

const TOKENS_MAX = 10_000_000;

export const modelName = z.string().min(1).max(200);
export const tokenCount = z.int().min(1).max(TOKENS_MAX).nullish();
export const choiceCount = z.int().min(1).max(128).nullish();

export const sampling = {
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
};
export const penalties = {
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  seed: z.int().nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(4)]).nullish(),
};
export const streaming = {
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
};
export const tokenInput = z.union([
  z.string(),
  z.array(z.string()).min(1),
  z.array(z.int().nonnegative()).min(1),
  z.array(z.array(z.int().nonnegative()).min(1)).min(1),
]);
