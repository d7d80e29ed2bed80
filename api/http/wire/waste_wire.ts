/** What became of hours that were delivered: paid for and used, or paid for alone. */
import { z } from 'zod';
import type { LotUse } from '../../../db/queries/allocations.ts';
import { MICRO, formatMicro } from '../../../engine/numbers/units.ts';
import { formatPercent } from './amounts.ts';

export const wasteSchema = z.object({ used: z.string(), unused: z.string().describe('CR delivered without use'), unused_percent: z.string() });

export function wasteWire({ used, unused }: LotUse): z.infer<typeof wasteSchema> {
  const delivered = used + unused;
  return { used: formatMicro(used), unused: formatMicro(unused), unused_percent: formatPercent(delivered === 0n ? 0 : Number((unused * BigInt(MICRO)) / delivered)) };
}
