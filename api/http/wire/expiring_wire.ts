/** Allocations that are about to end with time unused, as they are sent. */
import { z } from 'zod';
import { MILLIS_PER_HOUR } from '../../../engine/numbers/units.ts';
import type { AllocationView } from '../../../engine/queries.ts';
import type { Directory } from '../../directory.ts';
import { idOf } from '../../ids.ts';
import { formatGpuHours, formatTime } from './amounts.ts';

export const expiringSchema = z.object({ allocation_id: z.string(), instrument: z.string(), unused_gpu_hours: z.string(), ends_at: z.string() });

export const expiringWire = (directory: Directory, { allocation, market, hour, budgetGpu, usedGpu }: AllocationView): z.infer<typeof expiringSchema> => ({
  allocation_id: idOf('allocation', allocation), instrument: directory.instrumentName(market, hour), unused_gpu_hours: formatGpuHours(budgetGpu - usedGpu),
  ends_at: formatTime((hour + 1) * MILLIS_PER_HOUR),
});
