/** Who takes part in a simulated life and what they have to act on; those who act for one side of it know no more. */
import type { Command } from '../commands.ts';
import type { Engine } from '../engine.ts';
import type { AllocationId, CompanyId, FacilityId, MarketId } from '../vocabulary.ts';
import type { Hour } from '../numbers/units.ts';
import type { Random } from './random.ts';

export const CLASSES = 2;
export const LIST_PRICE = 30_000;
export const HOURS_AHEAD = 4;

export interface Cast {
  readonly engine: Engine;
  readonly random: Random;
  readonly borrowers: readonly CompanyId[];
  readonly providers: readonly CompanyId[];
  readonly lenders: readonly CompanyId[];
  readonly lender: CompanyId;
  readonly operator: CompanyId;
  readonly facilities: readonly { facility: FacilityId; company: CompanyId }[];
  /** Bought, in hours that have not ended. */
  readonly allocations: readonly { allocation: AllocationId; company: CompanyId; gpu: number; market: MarketId; hour: Hour }[];
  markets(): MarketId[];
  /** Mostly one who may, now and then one who may not. */
  randomTrader(): CompanyId;
  run(command: Command): void;
}
