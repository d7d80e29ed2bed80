/** A database of one's own in the run's Postgres, for one test file or one test. */
import { inject } from 'vitest';
import { createDatabase, dropDatabase, nameOf } from './databases.ts';

export interface FreshDatabase {
  url: string;
  /** Ends every connection to it and removes it. */
  drop(): Promise<void>;
}

/** Migrated, and nothing in its tables. */
export const freshDatabase = (): Promise<FreshDatabase> => newDatabase(inject('migratedTemplate'));

export const emptyDatabase = (): Promise<FreshDatabase> => newDatabase(undefined);

async function newDatabase(template: string | undefined): Promise<FreshDatabase> {
  const postgresUrl = inject('postgresUrl');
  const url = await createDatabase(postgresUrl, template);
  return { url, drop: () => dropDatabase(postgresUrl, nameOf(url)) };
}
