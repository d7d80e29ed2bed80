/**
 * `npm run build [name...]`: bundles the servers and the command line programs with esbuild and the
 * web app with Vite, into dist/. What was built from the same sources before is not built again.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './tools.mjs';

/** Every program that plain node runs: its name in dist/ and where its source begins. */
export const ENTRIES = {
  server: 'api/main.ts',
  sequencer_worker: 'api/sequencer/worker.ts',
  projector_worker: 'db/projector_worker.ts',
  demo_provider: 'api/demo/provider/main.ts',
  replay: 'api/cli/replay.ts',
  sim: 'api/cli/sim.ts',
  projections: 'api/cli/projections.ts',
  journal: 'api/cli/journal.ts',
  bootstrap: 'api/cli/bootstrap.ts',
  cluster: 'api/cli/cluster.ts',
  'provider-agent': 'api/cli/provider_agent.ts',
  bench: 'loadtest/bench/main.ts',
  bench_peer: 'loadtest/bench/peer_main.ts',
  faults: 'loadtest/faults/main.ts',
};
/** What `npm start` needs. */
export const SERVER_ENTRIES = ['server', 'sequencer_worker', 'projector_worker', 'demo_provider'];
const WEB = 'web';

const dist = join(root, 'dist');
const stampFile = join(dist, 'build.json');

/**
 * Builds what is stale of `names` (entries, or `web`).
 * @returns the names built, those already up to date, and those whose source does not exist
 */
export async function build(names = [...Object.keys(ENTRIES), WEB], say = () => {}) {
  mkdirSync(dist, { recursive: true });
  const stamps = readStamps();
  const missing = names.filter(isMissing);
  const present = names.filter((name) => !isMissing(name));
  const stale = present.filter((name) => !isCurrent(name, stamps[name]));
  const entries = stale.filter((name) => name !== WEB);
  if (entries.length > 0) Object.assign(stamps, await timed(`bundling ${entries.join(', ')}`, say, () => bundle(entries)));
  if (stale.includes(WEB)) stamps[WEB] = await timed('building the web app', say, buildWeb);
  if (stale.length > 0) writeFileSync(stampFile, JSON.stringify(stamps));
  return { built: stale, current: present.filter((name) => !stale.includes(name)), missing };
}

/** What of `names` is not built from the present sources, including what has none. */
export function staleOf(names) {
  const stamps = readStamps();
  return names.filter((name) => isMissing(name) || !isCurrent(name, stamps[name]));
}

const readStamps = () => (existsSync(stampFile) ? JSON.parse(readFileSync(stampFile, 'utf8')) : {});
const isMissing = (name) => !existsSync(join(root, name === WEB ? 'web/index.html' : ENTRIES[name]));

async function timed(what, say, work) {
  const started = performance.now();
  say(`${what} ...`);
  const result = await work();
  say(`${what}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return result;
}

/** Bundles the entries and returns, for each, the sources it was made of and their digest. */
async function bundle(names) {
  const esbuild = await import('esbuild');
  const result = await esbuild.build({
    absWorkingDir: root,
    entryPoints: names.map((name) => ({ in: ENTRIES[name], out: name })),
    outdir: 'dist',
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: true,
    metafile: true,
    logLevel: 'warning',
    loader: { '.sql': 'text', '.csv': 'text', '.lua': 'text' },
  });
  for (const name of names) keepConstants(join(dist, `${name}.js`));
  return Object.fromEntries(
    names.map((name) => {
      const sources = Object.keys(result.metafile.outputs[`dist/${name}.js`].inputs).sort();
      return [name, { sources, digest: digestOf(sources) }];
    }),
  );
}

/**
 * esbuild turns the constants of a module into variables, which V8 must load at every use; as constants
 * it compiles their values in, which makes the engine a quarter faster. Arrow functions are constants too, where nothing else is ever given
 * their name: of a variable each call first asks which function it is.
 */
function keepConstants(file) {
  const text = readFileSync(file, 'utf8');
  const given = new Map();
  for (const [, name] of text.matchAll(/(?<![\w$.])([\w$]+) = /g)) given.set(name, (given.get(name) ?? 0) + 1);
  const constants = text.replace(/^var (?=[A-Z][A-Z0-9_]* = )/gm, 'const ');
  writeFileSync(file, constants.replace(/^var (?=([\w$]+) = (?:[\w$]+|\([^\n]*?\)) => )/gm, (word, name) => (given.get(name) === 1 ? 'const ' : word)));
}

/** Where it goes and within which budget is the web app's own configuration. */
async function buildWeb() {
  const vite = await import('vite');
  // Vite says `production` in this process's environment, which whatever is started from it would take for its own.
  const { NODE_ENV } = process.env;
  await vite.build({ configFile: join(root, 'web/vite.config.ts'), logLevel: 'warn' });
  if (NODE_ENV === undefined) delete process.env.NODE_ENV;
  else process.env.NODE_ENV = NODE_ENV;
  const sources = filesUnder(join(root, 'web'));
  return { sources, digest: digestOf(sources) };
}

function isCurrent(name, stamp) {
  const output = join(dist, name === WEB ? 'web/index.html' : `${name}.js`);
  if (stamp === undefined || !existsSync(output)) return false;
  const sources = name === WEB ? filesUnder(join(root, 'web')) : stamp.sources;
  return stamp.digest === digestOf(sources);
}

/** Digest of the sources' names and contents, and of what decides how they are built. */
function digestOf(sources) {
  const hash = createHash('sha256');
  for (const source of [...sources, 'package-lock.json', 'api/cli/build.mjs']) {
    const file = join(root, source);
    hash.update(source).update('\0');
    if (existsSync(file)) hash.update(readFileSync(file)).update('\0');
  }
  return hash.digest('hex');
}

function filesUnder(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/\.test\.ts$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((file) => !file.includes('node_modules') && !file.includes('.svelte-kit'))
    .sort();
}

async function main() {
  const known = [...Object.keys(ENTRIES), WEB];
  const names = process.argv.slice(2);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    console.error(`unknown: ${unknown.join(', ')}. Known: ${known.join(', ')}`);
    process.exit(2);
  }
  const result = await build(names.length > 0 ? names : known, (line) => console.log(line));
  if (result.current.length > 0) console.log(`up to date: ${result.current.join(', ')}`);
  for (const name of result.missing) console.error(`missing: ${name} (${ENTRIES[name] ?? 'web/index.html'})`);
  if (result.missing.length > 0) process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
