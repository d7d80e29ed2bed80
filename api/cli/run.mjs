/**
 * `node api/cli/run.mjs NAME [argument...]`: builds one program of build.mjs when its sources have
 * changed and runs it. Nothing but the program itself writes to standard output.
 */
import { join } from 'node:path';
import { SERVER_ENTRIES, build } from './build.mjs';
import { endWithNpm, root, runNode } from './tools.mjs';

/** Flags of node that a program needs. */
const NODE_ARGUMENTS = { bench: ['--expose-gc', '--max-semi-space-size=64', '--initial-old-space-size=256'], sim: ['--max-semi-space-size=32'] };
/** Other programs that it starts. */
const PARTS = { bench: ['bench_peer'], bootstrap: ['sequencer_worker'], cluster: [...SERVER_ENTRIES, 'web'], replay: ['sequencer_worker'] };

const [name, ...programArguments] = process.argv.slice(2);
const { missing } = await build([name, ...(PARTS[name] ?? [])], (line) => console.error(line));
if (missing.length > 0) {
  console.error(`${name} has no source in this checkout`);
  process.exit(1);
}
endWithNpm();
const nodeArguments = ['--enable-source-maps', ...(NODE_ARGUMENTS[name] ?? [])];
process.exitCode = await runNode(join(root, 'dist', `${name}.js`), programArguments, { nodeArguments });
