import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const folder = fileURLToPath(new URL('.', import.meta.url));
const empty = mkdtempSync(join(tmpdir(), 'loadtest-'));
afterAll(() => rmSync(empty, { recursive: true }));

const run = (args: string[], environment: Record<string, string>) =>
  spawnSync(process.execPath, [join(folder, 'run.mjs'), ...args], { encoding: 'utf8', env: { HOME: empty, DATA_DIR: empty, ...environment } });

test('names the scenarios there are', () => {
  const { status, stderr } = run([], {});
  const scenarios = readdirSync(folder).filter((name) => (name.endsWith('.js') && name !== 'target.js') || name === 'trace.mjs').map((name) => name.split('.')[0]);
  expect(status).toBe(2);
  expect(stderr.trim().split('scenarios: ')[1].split(', ').sort()).toEqual(scenarios.sort());
  expect(run(['--help'], {})).toMatchObject({ status: 0, stdout: stderr });
});

test('says how to get k6 when there is none', () => {
  const { status, stderr } = run(['orders'], { PATH: empty });
  expect(status).toBe(127);
  expect(stderr).toContain('go install go.k6.io/k6@latest');
});

test('says what is missing when no server has written its logins', () => {
  const { status, stderr } = run(['orders'], { PATH: empty, K6_PATH: '/bin/true' });
  expect(status).toBe(1);
  expect(stderr).toContain(`${empty}/demo.json is missing`);
  expect(stderr).toContain('npm start');
});
