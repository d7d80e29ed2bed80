/**
 * The suffix of a file says what its tests need: `*.test.ts` nothing, `*.property.test.ts` time,
 * `*.integration.test.ts` Postgres, `*.browser.test.ts` Chromium and a built web app.
 */
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { configDefaults, defineConfig } from 'vitest/config';
import { findChromium, findRedisServer } from './api/cli/tools.mjs';

const special = ['property', 'integration', 'browser'];
const filesOf = (kind: string) => [`{engine,db,api,web,loadtest,examples}/**/*.${kind}.test.ts`];
const exclude = [...configDefaults.exclude, '**/dist/**', '**/.data/**', '**/peers/**'];

/** Where the optional programs are; empty means that the tests which need them are skipped. */
const env = { CHROMIUM_PATH: findChromium(), REDIS_SERVER_PATH: findRedisServer() };

export default defineConfig({
  test: {
    projects: [
      {
        plugins: [svelte({ configFile: false })],
        test: {
          name: 'unit',
          include: ['{engine,db,api,web,loadtest,examples}/**/*.test.ts'],
          exclude: [...exclude, ...special.map((kind) => `**/*.${kind}.test.ts`)],
          env,
          testTimeout: 10_000,
        },
      },
      { test: { name: 'property', include: filesOf('property'), exclude, env, testTimeout: 120_000 } },
      {
        test: {
          name: 'integration',
          globalSetup: 'db/test/shared_postgres.ts',
          include: filesOf('integration'),
          exclude,
          env,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          // Each file starts servers of its own; one at a time keeps their timing honest on a small machine.
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'browser',
          include: filesOf('browser'),
          exclude,
          env,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
