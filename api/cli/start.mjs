/** `npm start`: checks Node, builds what is missing, and runs the server with a demo market. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root, runNode } from './tools.mjs';

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

const { build, SERVER_ENTRIES } = await import('./build.mjs');
const { missing } = await build([...SERVER_ENTRIES, 'web'], (line) => console.log(line));
if (missing.includes('server')) {
  console.error('api/main.ts is missing: this is not a whole checkout.');
  process.exit(1);
}
process.exitCode = await runNode(join(root, 'dist', 'server.js'), process.argv.slice(2), {
  nodeArguments: ['--enable-source-maps'],
  environment: { ...process.env, DEMO: process.env.DEMO ?? '1' },
});
