/**
 * The models that the market knows, as data: what each is called, what it can do and what it needs.
 * Names are those of the model hubs; aliases are other names that clients use for the same model.
 */
import { z } from 'zod';
import modelsFile from './models.json' with { type: 'json' };

export const MODEL_KINDS = ['chat', 'completion', 'embedding'] as const;
export type ModelKind = (typeof MODEL_KINDS)[number];

const modelRow = z.strictObject({
  id: z.string(),
  aliases: z.array(z.string()),
  licence: z.string(),
  kind: z.enum(MODEL_KINDS),
  context_tokens: z.int().positive(),
  output_tokens_default: z.int().nonnegative(),
  modality: z.array(z.enum(['text', 'image'])),
  features: z.array(z.enum(['tools', 'structured_output', 'reasoning', 'fill_in_the_middle'])),
  total_params_millions: z.int().positive(),
  active_params_millions: z.int().positive(),
  weight_bytes_per_1000_params: z.int().positive(),
  least_memory_gb: z.int().positive(),
});

export interface Model {
  /** `meta-llama/Llama-3.3-70B-Instruct` */
  readonly id: string;
  readonly aliases: readonly string[];
  /** Licence family. */
  readonly licence: string;
  readonly kind: ModelKind;
  readonly contextTokens: number;
  /** What a completion may take when the request does not say. */
  readonly outputTokensDefault: number;
  readonly modality: readonly ('text' | 'image')[];
  readonly features: readonly string[];
  readonly totalParamsMillions: number;
  /** Used for one token; less than the total in a mixture of experts. */
  readonly activeParamsMillions: number;
  /** As published: 2000 for bf16, 1000 for fp8. */
  readonly weightBytesPer1000Params: number;
  /** Of all GPUs of a replica together: weights and a fifth for activations and cache. */
  readonly leastMemoryGb: number;
}

export const MODELS: readonly Model[] = z.array(modelRow).parse(modelsFile).map((row) => ({
  id: row.id,
  aliases: row.aliases,
  licence: row.licence,
  kind: row.kind,
  contextTokens: row.context_tokens,
  outputTokensDefault: row.output_tokens_default,
  modality: row.modality,
  features: row.features,
  totalParamsMillions: row.total_params_millions,
  activeParamsMillions: row.active_params_millions,
  weightBytesPer1000Params: row.weight_bytes_per_1000_params,
  leastMemoryGb: row.least_memory_gb,
}));

const byName = new Map(MODELS.flatMap((model) => [model.id, ...model.aliases].map((name) => [name, model] as const)));

/** By its id or an alias; undefined when the catalogue has no such model. */
export const findModel = (name: string): Model | undefined => byName.get(name);
