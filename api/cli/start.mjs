/** `npm start`: checks Node, builds what is missing, and becomes the server with a demo market. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { endWithNpm, root } from './tools.mjs';

const NEEDED = [20, 19];
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  console.error(`Node ${NEEDED.join('.')} or newer is needed; this is ${process.versions.node}.`);
  process.exit(1);
}
if (!existsSync(join(root, 'node_modules', 'esbuild'))) {
  console.error('The dependencies are not installed: run `npm ci` first.');
  process.exit(1);
}

const { SERVER_ENTRIES, staleOf } = await import('./build.mjs');
const stale = staleOf([...SERVER_ENTRIES, 'web']);
if (stale.length > 0) {
  // In a process of its own: the server should not carry the bundlers' memory.
  const { status } = spawnSync(process.execPath, [join(root, 'api/cli/build.mjs'), ...stale], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) process.exit(status ?? 1);
}

// From here on this process is the server, so that signals reach it once and directly.
const server = join(root, 'dist', 'server.js');
process.chdir(root);
endWithNpm();
process.setSourceMapsEnabled(true);
process.argv[1] = server;
await import(pathToFileURL(server).href);
