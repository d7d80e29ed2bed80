/** Fills that a client missed while it was not connected, or was to another process. */
import type { Knex } from 'knex';
import { listFillsBetween } from '../../db/queries/fills.ts';
import type { ProjectionWaiter } from '../../db/queries/positions.ts';
import type { Directory } from '../directory.ts';
import { pastFillWire } from '../http/wire/order_wire.ts';
import type { FillWire } from '../http/wire/order_wire.ts';

const BEHIND_MILLIS = 5_000;
/** Who missed more reads them from `GET /api/v1/fills`. */
const FILLS_MAX = 1_000;

/** Of a company after one command, up to another. @throws Error when they are not to be had */
export type PastFills = (company: number, after: number, upTo: number) => Promise<FillWire[]>;

export const pastFillsOf = ({ database, projections, directory }: { database: Knex; projections: ProjectionWaiter; directory: Directory }): PastFills => async (company, after, upTo) => {
  if (!(await projections.waitFor(upTo, BEHIND_MILLIS, ['trades']))) throw new Error(`fills up to ${upTo} are not in the projection yet`);
  const fills = await listFillsBetween(database, { company, after, upTo, limit: FILLS_MAX + 1 });
  if (fills.length > FILLS_MAX) throw new Error(`company ${company} missed more than ${FILLS_MAX} fills`);
  return fills.map((fill) => pastFillWire(directory, fill));
};
