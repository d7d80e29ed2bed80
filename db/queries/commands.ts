/** Commands as they were given: the journal has them all. */
import type { Knex } from 'knex';
import { decodeEnvelopes } from '../../engine/codec/command_codec.ts';
import type { Command } from '../../engine/commands.ts';

interface Row {
  first_sequence: string;
  commands: Uint8Array;
}

/** undefined when the journal in the database does not reach back so far. */
export async function commandAt(db: Knex, sequence: number): Promise<Command | undefined> {
  const row = await db('journal').where('first_sequence', '<=', sequence).where('last_sequence', '>=', sequence).orderBy('first_sequence', 'desc').first<Row | undefined>('first_sequence', 'commands');
  return row === undefined ? undefined : decodeEnvelopes(row.commands)[sequence - Number(row.first_sequence)].command;
}
