/** Lines of the bank's that were booked, whenever that was. Reads the projection `bank`. */
import type { Knex } from 'knex';

export interface BookedLine {
  /** Of the command that credited it. */
  sequence: number;
  /** Whether what was due has been paid of it. */
  paid: boolean;
}

/** Those of the lines that were credited. */
export async function bookedLines(db: Knex, lines: readonly string[]): Promise<Map<string, BookedLine>> {
  const rows = (await db('projections.bank_lines').whereIn('line', [...lines]).orderBy('kind').select('line', 'kind', 'sequence')) as { line: string; kind: string; sequence: string }[];
  const found = new Map<string, BookedLine>();
  for (const { line, kind, sequence } of rows) {
    if (kind === 'credited') found.set(line, { sequence: Number(sequence), paid: false });
    else found.set(line, { sequence: found.get(line)?.sequence ?? Number(sequence), paid: true });
  }
  return found;
}
