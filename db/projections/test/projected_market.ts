/** A database of its own with a journal, a projector and a way to ask: what most tests of projections need. */
import type { Knex } from 'knex';
import { openDatabase } from '../../database.ts';
import { freshDatabase } from '../../test/fresh_database.ts';
import { Projector } from '../projector.ts';
import type { Projection } from '../projection.ts';
import { JournalWriter } from './journal_writer.ts';

export interface ProjectedMarket {
  url: string;
  db: Knex;
  journal: JournalWriter;
  projector: Projector;
  /** Everything in the tables, in order, as text. */
  dump(): Promise<Record<string, string[]>>;
  close(): Promise<void>;
}

export async function openProjector(url: string, projections?: readonly Projection[]): Promise<Projector> {
  const projector = await Projector.open({ url, projections });
  if (projector === undefined) throw new Error('another projector follows this database');
  return projector;
}

export async function openProjectedMarket(): Promise<ProjectedMarket> {
  const { url, drop } = await freshDatabase();
  const db = openDatabase(url, 4);
  const journal = await JournalWriter.open(url);
  const projector = await openProjector(url);
  return {
    url, db, journal, projector, dump: () => dump(db),
    close: async () => {
      await journal.close();
      await projector.close();
      await db.destroy();
      await drop();
    },
  };
}

/** Rows in an order of their own: that of their text. */
async function dump(db: Knex): Promise<Record<string, string[]>> {
  const { rows: tables } = await db.raw<{ rows: { name: string }[] }>(`select tablename as name from pg_tables where schemaname = 'projections' order by 1`);
  const found: Record<string, string[]> = {};
  for (const { name } of tables) {
    const { rows } = await db.raw<{ rows: { line: string }[] }>('select t::text as line from ?? as t order by 1', [`projections.${name}`]);
    found[name] = rows.map(({ line }) => line);
  }
  return found;
}
