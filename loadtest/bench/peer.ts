/** Peers are libraries a benchmark compares with. Each lives in a folder of its own, so users never install them. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** Installs the peer from its own lock file unless it is there; returns its folder. @throws Error when npm fails */
export function installPeer(name: string, say: (line: string) => void): string {
  const folder = join(process.cwd(), 'loadtest', 'bench', 'peers', name);
  if (existsSync(join(folder, 'node_modules', '.package-lock.json'))) return folder;
  say(`installing the peer ${name} into ${folder}`);
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder, encoding: 'utf8' });
  if (npm.status !== 0) throw new Error(`npm ci failed in ${folder}: ${npm.stderr}`);
  return folder;
}

/** Loads a peer's CommonJS entry; the caller names its shape. */
export function loadPeer<Shape>(name: string, specifier: string, say: (line: string) => void): Shape {
  const folder = installPeer(name, say);
  return createRequire(join(folder, 'package.json'))(specifier) as Shape;
}
