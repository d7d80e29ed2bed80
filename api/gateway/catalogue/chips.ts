/** Published figures of the chips behind the GPU classes: dense bf16 throughput, memory bandwidth, memory. */
import { z } from 'zod';
import chipsFile from './chips.json' with { type: 'json' };
import type { Chip } from './roofline.ts';

const chipRow = z.strictObject({
  class: z.string(),
  bf16_gigaflops: z.int().positive(),
  bandwidth_gb_per_second: z.int().positive(),
  memory_gb: z.int().positive(),
});

export const CHIPS: readonly Chip[] = z.array(chipRow).parse(chipsFile).map((row) => ({
  class: row.class,
  bf16Gigaflops: row.bf16_gigaflops,
  bandwidthGbPerSecond: row.bandwidth_gb_per_second,
  memoryGb: row.memory_gb,
}));
