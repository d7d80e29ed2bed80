/** How facilities of one month have been repaid since. Micro-USD. Reads the projection `credit`. */
import type { Knex } from 'knex';

export interface CohortMovement {
  facility: number;
  /** Calendar months since the one in which the facility was accepted. */
  month: number;
  lent: bigint;
  repaid: bigint;
  writtenOff: bigint;
}
interface Raw {
  facility: string;
  month: string;
  lent: string;
  repaid: string;
  written_off: string;
}

/** Kinds of lines by what they do to principal. */
const LENT = ['facilityDrawn'];
const REPAID = ['repaid', 'creditsReturned', 'returnSettled'];
const WRITTEN_OFF = ['facilityWrittenOff'];

const months = (column: string): string => `(extract(year from to_timestamp(${column} / 1000.0) at time zone 'UTC') * 12 + extract(month from to_timestamp(${column} / 1000.0) at time zone 'UTC'))::int`;
const principal = 'coalesce(sum(h.principal) filter (where h.kind = any(?)), 0)';

export async function cohortMovements(db: Knex, facilities: readonly number[]): Promise<CohortMovement[]> {
  if (facilities.length === 0) return [];
  const rows = (await db('projections.facility_history as h').join('projections.facilities as f', 'f.facility', 'h.facility').whereIn('h.facility', facilities).whereNotNull('f.accepted_at')
    .whereIn('h.kind', [...LENT, ...REPAID, ...WRITTEN_OFF]).groupByRaw('1, 2').orderByRaw('1, 2')
    .select('h.facility', db.raw(`${months('h.at')} - ${months('f.accepted_at')} as month`), db.raw(`${principal} as lent`, [LENT]), db.raw(`${principal} as repaid`, [REPAID]),
      db.raw(`${principal} as written_off`, [WRITTEN_OFF]))) as unknown as Raw[];
  return rows.map((row) => ({ facility: Number(row.facility), month: Number(row.month), lent: BigInt(row.lent), repaid: BigInt(row.repaid), writtenOff: BigInt(row.written_off) }));
}
