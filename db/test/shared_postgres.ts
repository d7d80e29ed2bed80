/** One Postgres for all integration tests of a run; each test makes a database of its own in it. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { openPostgres } from '../postgres.ts';
import { dropDatabase, migratedTemplate } from './databases.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    postgresUrl: string;
    migratedTemplate: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = mkdtempSync(join(tmpdir(), 'ccx-test-'));
  chmodSync(dataDir, 0o755);
  const postgres = await openPostgres({ databaseUrl: process.env['TEST_DATABASE_URL'], dataDir });
  const template = await migratedTemplate(postgres.url);
  project.provide('postgresUrl', postgres.url);
  project.provide('migratedTemplate', template);
  return async () => {
    await dropDatabase(postgres.url, template);
    await postgres.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
}
