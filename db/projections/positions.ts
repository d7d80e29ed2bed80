/** How far each projection has come, and making or dropping its tables. */
import { SCHEMA } from './projection.ts';
import type { Projection, Transaction } from './projection.ts';

const POSITIONS = `${SCHEMA}.positions`;
/** Told to the projector when projections have been emptied. */
export const RESET_CHANNEL = 'projections_reset';
/** Two processes never make or drop tables at once. */
const LOCK = 7_301_844;

export interface Position {
  name: string;
  version: number;
  /** Last sequence included. */
  sequence: number;
  /** Engine time of it. */
  engineTime: number;
}

/** The tables are of a newer version of the program, which alone may write them. */
export class NewerProjection extends Error {
  constructor(name: string) {
    super(`the projection ${name} was built by a newer version of this program`);
    this.name = 'NewerProjection';
  }
}

export async function readPositions(connection: Transaction): Promise<Position[]> {
  const { rows } = await connection.query<{ name: string; version: number; sequence: string; engine_time: string }>(
    `select name, version, sequence, engine_time from ${POSITIONS} order by name`,
  );
  return rows.map(({ name, version, sequence, engine_time: engineTime }) => ({ name, version, sequence: Number(sequence), engineTime: Number(engineTime) }));
}

/**
 * Makes the tables of projections that have none, or of an older version; those begin at the
 * journal's beginning. Needs the migrations.
 * @throws NewerProjection
 */
export async function prepareProjections(connection: Transaction, projections: readonly Projection[]): Promise<void> {
  await exclusively(connection, async () => {
    const positions = new Map((await readPositions(connection)).map((position) => [position.name, position]));
    for (const projection of projections) {
      const known = positions.get(projection.name);
      if (known !== undefined && known.version > projection.version) throw new NewerProjection(projection.name);
      if (known?.version !== projection.version) await recreate(connection, projection);
    }
  });
}

/** Empties projections: whoever follows the journal builds them again from its beginning. */
export async function resetProjections(connection: Transaction, projections: readonly Projection[]): Promise<void> {
  await exclusively(connection, async () => {
    for (const projection of projections) await recreate(connection, projection);
  });
}

async function exclusively(connection: Transaction, work: () => Promise<void>): Promise<void> {
  await connection.query('begin');
  try {
    await connection.query('select pg_advisory_xact_lock($1)', [LOCK]);
    await work();
    await connection.query('commit');
  } catch (error) {
    await connection.query('rollback');
    throw error;
  }
}

async function recreate(connection: Transaction, { name, version, tables, definition }: Projection): Promise<void> {
  // First the position: a follower that is writing has then ended, and the next finds that it was moved.
  await connection.query(
    `insert into ${POSITIONS} (name, version, sequence, engine_time) values ($1, $2, 0, 0)
     on conflict (name) do update set version = excluded.version, sequence = 0, engine_time = 0`,
    [name, version],
  );
  await connection.query(`drop table if exists ${tables.map((table) => `${SCHEMA}.${table}`).join(', ')}`);
  await connection.query(definition);
  await connection.query(`notify ${RESET_CHANNEL}`);
}

/**
 * Moves projections from one position to the next, inside the transaction that writes their rows.
 * @returns false when one of them is not where it was thought to be: nothing may be written then
 */
export async function movePositions(transaction: Transaction, projections: readonly Projection[], from: number, to: { sequence: number; engineTime: number }): Promise<boolean> {
  const { rowCount } = await transaction.query({
    name: 'projections_move',
    text: `update ${POSITIONS} as p set sequence = $1, engine_time = $2 from unnest($3::text[], $4::int[]) as moved (name, version)
           where p.name = moved.name and p.version = moved.version and p.sequence = $5`,
    values: [to.sequence, to.engineTime, projections.map(({ name }) => name), projections.map(({ version }) => version), from],
  });
  return rowCount === projections.length;
}
