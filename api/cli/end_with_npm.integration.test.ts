import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';

const TOOLS = new URL('./tools.mjs', import.meta.url).href;

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(50);
}

test.each(['SIGTERM', 'SIGKILL'] as const)('what npm has started ends when npm ends by %s', { timeout: 60_000 }, async (signal) => {
  const folder = mkdtempSync(join(tmpdir(), 'ccx-npm-'));
  try {
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ scripts: { start: 'node server.mjs' } }));
    writeFileSync(join(folder, 'server.mjs'), `
      import { renameSync, writeFileSync } from 'node:fs';
      import { endWithNpm } from '${TOOLS}';
      process.on('SIGTERM', () => { writeFileSync('closed', ''); process.exit(0); });
      setInterval(() => undefined, 1000);
      endWithNpm();
      writeFileSync('pid.new', String(process.pid));
      renameSync('pid.new', 'pid');
    `);
    const npm = spawn('npm', ['start'], { cwd: folder, stdio: 'ignore' });
    await until(() => existsSync(join(folder, 'pid')));
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    npm.kill(signal);
    await until(() => !isAlive(pid));
    expect(existsSync(join(folder, 'closed'))).toBe(true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
