/** One Postgres for all integration tests of a run; each test makes a database of its own in it. */
import type { TestProject } from 'vitest/node';
import { openPostgres } from '../postgres.ts';
import { openTemporaryPostgres } from '../temporary_postgres.ts';
import { dropDatabase, migratedTemplate } from './databases.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    postgresUrl: string;
    migratedTemplate: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { url, end } = await openServer();
  const template = await migratedTemplate(url);
  project.provide('postgresUrl', url);
  project.provide('migratedTemplate', template);
  return async () => {
    await dropDatabase(url, template);
    await end();
  };
}

async function openServer(): Promise<{ url: string; end: () => Promise<void> }> {
  const databaseUrl = process.env['TEST_DATABASE_URL'];
  if (databaseUrl === undefined) {
    const { postgres, end } = await openTemporaryPostgres('ccx-test-');
    return { url: postgres.url, end };
  }
  const { url, stop } = await openPostgres({ databaseUrl, dataDir: '' });
  return { url, end: stop };
}
