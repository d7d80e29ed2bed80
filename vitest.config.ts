/**
 * The suffix of a file says what its tests need: `*.test.ts` nothing, `*.property.test.ts` time,
 * `*.integration.test.ts` Postgres, `*.browser.test.ts` Chromium and a built web app.
 */
import { availableParallelism } from 'node:os';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { configDefaults, defineConfig } from 'vitest/config';
import { BaseSequencer } from 'vitest/node';
import type { TestSpecification } from 'vitest/node';
import { findChromium, findRedisServer } from './api/cli/tools.mjs';

const special = ['property', 'integration', 'browser'];
const filesOf = (kind: string) => [`{engine,db,api,web,loadtest,examples}/**/*.${kind}.test.ts`];
const exclude = [...configDefaults.exclude, '**/dist/**', '**/.data/**', '**/peers/**'];

/** Where the optional programs are; empty means that the tests which need them are skipped. */
const env = { CHROMIUM_PATH: findChromium(), REDIS_SERVER_PATH: findRedisServer() };

/** Vitest would leave one core for itself: of two that is half. */
const maxWorkers = availableParallelism();

/** A condition that is waited for comes later while other steps have the machine; one that never comes fails as before. */
const patience = { poll: { timeout: 15_000 } };

/** What takes longest, so that it is not what the others wait for at the end. */
const LONGEST = ['lone_book.property', 'simulate_disk.property', 'simulation.property', 'trading/refusals', 'trading/order_pairs', 'gateway/faults', 'realtime/realtime', 'gateway/gateway', 'bench/bench'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => (LONGEST.findIndex((name) => moduleId.endsWith(`${name}.test.ts`)) + LONGEST.length + 1) % (LONGEST.length + 1);
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        plugins: [svelte({ configFile: false })],
        test: {
          name: 'unit',
          include: ['{engine,db,api,web,loadtest,examples}/**/*.test.ts'],
          exclude: [...exclude, ...special.map((kind) => `**/*.${kind}.test.ts`)],
          env,
          maxWorkers,
          // Most of a small file's time would go into loading and warming up what it shares with the others: a worker loads it once.
          isolate: false,
          expect: patience,
          // Two at once, and other steps beside them: a second of a quiet machine may be several here.
          testTimeout: 30_000,
        },
      },
      // Patient: with what other steps leave of the machine, a test may take several times as long.
      { test: { name: 'property', include: filesOf('property'), exclude, env, maxWorkers, expect: patience, testTimeout: 300_000 } },
      {
        test: {
          name: 'integration',
          globalSetup: 'db/test/shared_postgres.ts',
          include: filesOf('integration'),
          exclude,
          env,
          expect: patience,
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
          expect: patience,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
