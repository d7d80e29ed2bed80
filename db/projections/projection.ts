/**
 * A projection turns the journal's events into ordinary tables, which can be dropped and built again
 * at any time. Its position moves in the transaction that writes its rows.
 */
import type { ClientBase } from 'pg';
import type { CommandEvents } from './commands_of.ts';

/** The schema of all that can be dropped: nothing in it is known only there. */
export const SCHEMA = 'projections';

/** A connection with an open transaction. */
export type Transaction = Pick<ClientBase, 'query'>;

export interface Projection {
  readonly name: string;
  /** Raised whenever the tables or what stands in them would come out differently: they are then built again. */
  readonly version: number;
  /** Names of its tables in the schema. */
  readonly tables: readonly string[];
  /** SQL that makes the tables. */
  readonly definition: string;
  open(): ProjectionWriter;
}

/**
 * Collects what commands change, then writes all of it at once. What it remembers between writes
 * must be what its tables say: after a failed transaction it is thrown away.
 */
export interface ProjectionWriter {
  apply(command: CommandEvents): void;
  write(transaction: Transaction): Promise<void>;
}
