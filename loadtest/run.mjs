/**
 * `npm run loadtest -- SCENARIO [k6 option...]`: runs a k6 scenario of this folder against a running
 * server: that of CCX_URL with CCX_TRADE_KEY and CCX_GATEWAY_KEY, else the demo market of DATA_DIR.
 * `trace` needs no k6; CCX_TRADE_KEY must be one that may make keys for it.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { findProgram } from '../api/cli/tools.mjs';
import { replayTrace } from './trace.mjs';

const folder = fileURLToPath(new URL('.', import.meta.url));
export const SCENARIOS = ['orders', 'chat', 'trace'];
const ADVICE = 'k6 is not installed. With Go: go install go.k6.io/k6@latest. Otherwise see https://grafana.com/docs/k6/latest/set-up/install-k6/';

/** k6 from K6_PATH, the PATH or the folder into which Go installs; '' when there is none. */
export function findK6(environment = process.env) {
  if (environment.K6_PATH) return environment.K6_PATH;
  const onPath = findProgram(['k6']);
  if (onPath !== '') return onPath;
  const goPath = environment.GOPATH || goPathOfGo() || join(homedir(), 'go');
  const installed = join(goPath, 'bin', 'k6');
  return existsSync(installed) ? installed : '';
}

function goPathOfGo() {
  const go = findProgram(['go']);
  return go === '' ? '' : spawnSync(go, ['env', 'GOPATH'], { encoding: 'utf8' }).stdout.trim();
}

/**
 * What a k6 process is told, beside its own environment; keys go by environment, never by argument.
 * @returns {{ variables?: Record<string, string>, problem?: string }}
 */
export function targetOf(environment = process.env) {
  if (environment.CCX_URL) return { variables: {} };
  const file = resolve(environment.DEMO_JSON ?? join(environment.DATA_DIR ?? '.data', 'demo.json'));
  if (!existsSync(file)) return { problem: `${file} is missing: start the server with \`npm start\`, or set CCX_URL, CCX_TRADE_KEY and CCX_GATEWAY_KEY` };
  return { variables: { DEMO_JSON: file } };
}

async function main([scenario, ...options]) {
  if (!SCENARIOS.includes(scenario)) {
    const isAsked = scenario === '--help';
    (isAsked ? console.log : console.error)(`usage: npm run loadtest -- SCENARIO [k6 option...]; scenarios: ${SCENARIOS.join(', ')}`);
    return isAsked ? 0 : 2;
  }
  const k6 = scenario === 'trace' ? undefined : findK6();
  if (k6 === '') {
    console.error(ADVICE);
    return 127;
  }
  const { variables, problem } = targetOf();
  if (variables === undefined) {
    console.error(problem);
    return 1;
  }
  if (k6 === undefined) return replayTrace(options, { demoFile: variables.DEMO_JSON });
  const child = spawn(k6, ['run', ...options, join(folder, `${scenario}.js`)], {
    stdio: 'inherit',
    env: { K6_NO_USAGE_REPORT: 'true', ...process.env, ...variables },
  });
  return new Promise((done) => {
    child.once('error', (error) => {
      console.error(`${k6}: ${error.message}`);
      done(127);
    });
    child.once('exit', (code) => done(code ?? 1));
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exitCode = await main(process.argv.slice(2));
