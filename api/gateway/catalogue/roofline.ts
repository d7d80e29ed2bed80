/**
 * From published figures to a rating: the GPU time that one token costs, prompt and completion apart,
 * when a replica serves 32 streams at once.
 *
 * A chip does `bf16` operations and reads `bandwidth` bytes a second at best; a well-run server reaches
 * a share of either. A token takes two operations per active parameter.
 * - Prompt tokens are computed in bulk: operations decide. GPU-seconds = 2 x active / (bf16 x COMPUTE).
 * - Completion tokens come one per stream and step. A step reads every weight that any of the 32 tokens
 *   needs, once: in a mixture of experts total x (1 - (1 - active/total)^32) of them. GPU-seconds of a
 *   step = the larger of bytes / (bandwidth x MEMORY) and 32 x 2 x active / (bf16 x COMPUTE), and a
 *   32nd of it falls on each token.
 * A replica has the smallest power of two of GPUs whose memory holds the model. Its GPUs share the work
 * evenly, so their number cancels out, but each doubling keeps only a part of the speed: SCALING, by
 * how the class is connected.
 *
 * References: Williams, Waterman, Patterson, "Roofline" (CACM 2009); the chips' data sheets.
 */
import type { Model } from './catalogue.ts';

export interface Chip {
  class: string;
  /** Dense, without sparsity. */
  bf16Gigaflops: number;
  bandwidthGbPerSecond: number;
  memoryGb: number;
}

export interface Rating {
  /** 1e-6 GPU-seconds a token, whole, at least 1. */
  readonly prompt: number;
  readonly completion: number;
  /** Of one replica. */
  readonly gpus: number;
}

export const STREAMS = 32;
/** Shares of the published figures that a well-run server reaches. */
export const COMPUTE_SHARE = 0.5;
export const MEMORY_SHARE = 0.6;
/** Kept by each doubling of the GPUs of a replica. */
export const SCALING = { SXM: 0.95, PCIe: 0.85 };
export const REPLICA_GPUS_MAX = 16;

const GIGA = 1e9;
const MICRO = 1e6;

/** undefined when no replica of at most 16 GPUs holds the model. */
export function rateByRoofline(model: Model, chip: Chip): Rating | undefined {
  let gpus = 1;
  while (gpus * chip.memoryGb < model.leastMemoryGb) gpus *= 2;
  if (gpus > REPLICA_GPUS_MAX) return undefined;
  const scaling = (chip.class.includes('-SXM-') ? SCALING.SXM : SCALING.PCIe) ** Math.log2(gpus);
  const computeSeconds = (2 * model.activeParamsMillions * MICRO) / (chip.bf16Gigaflops * GIGA * COMPUTE_SHARE * scaling);
  const readSeconds = bytesOfStep(model) / (chip.bandwidthGbPerSecond * GIGA * MEMORY_SHARE * scaling);
  return { prompt: micro(computeSeconds), completion: micro(Math.max(readSeconds / STREAMS, computeSeconds)), gpus };
}

/** Bytes of weights that one step of all streams reads. */
function bytesOfStep(model: Model): number {
  const share = model.activeParamsMillions / model.totalParamsMillions;
  const read = 1 - (1 - share) ** STREAMS;
  return model.totalParamsMillions * 1_000 * model.weightBytesPer1000Params * read;
}

const micro = (seconds: number): number => Math.max(1, Math.ceil(seconds * MICRO));
