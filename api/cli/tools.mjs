/** What the command line scripts share: where things are, which programs the machine has, and how a child process runs. */
import { spawn } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** The first of `names` found on the PATH, '' when there is none. */
export function findProgram(names) {
  for (const name of names) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      if (folder !== '' && isExecutable(join(folder, name))) return join(folder, name);
    }
  }
  return '';
}

/** Chromium or Chrome: CHROMIUM_PATH, else the PATH; '' when there is none. */
export const findChromium = () =>
  process.env.CHROMIUM_PATH || findProgram(['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']);

/** redis-server: REDIS_SERVER_PATH, else the PATH; '' when there is none. */
export const findRedisServer = () => process.env.REDIS_SERVER_PATH || findProgram(['redis-server']);

/**
 * Runs a program of this project and passes signals on, so that Ctrl-C ends the child and not only its parent.
 * @returns {Promise<number>} the exit code; 128 + number for a signal
 */
export function runNode(file, args, { nodeArguments = [], environment = process.env } = {}) {
  const child = spawn(process.execPath, [...nodeArguments, file, ...args], { cwd: root, stdio: 'inherit', env: environment });
  const forward = (signal) => child.kill(signal);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, forward);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      for (const name of signals) process.off(name, forward);
      resolve(code ?? (signal === 'SIGINT' ? 130 : signal === 'SIGTERM' ? 143 : 1));
    });
  });
}

const PARENT_MILLIS = 500;

/**
 * Ends this process as SIGTERM does when npm, which has started it, is gone: npm tells only the shell between them, and
 * when it is killed nobody at all.
 */
export function endWithNpm() {
  if (process.env.npm_lifecycle_event === undefined) return;
  const began = parents();
  const timer = setInterval(() => {
    if (parents() === began) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, PARENT_MILLIS).unref();
}

/** The parent and, where the system tells it, the parent's parent. */
function parents() {
  const { ppid } = process;
  try {
    const stat = readFileSync(`/proc/${ppid}/stat`, 'utf8');
    return `${ppid} ${stat.slice(stat.lastIndexOf(')') + 1).trim().split(' ')[1]}`;
  } catch {
    return String(ppid);
  }
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
