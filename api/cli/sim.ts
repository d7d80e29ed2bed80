/**
 * `npm run sim -- --seed N --commands M`: a seeded life of the market; exit 1 and the seed when an
 * invariant breaks. With `--disk` the sequencer lives on a simulated clock, network and disk instead;
 * `--seeds K` runs K seeds one after the other, `--flaw NAME` gives them a mistake to find. `--keep FILE` writes the
 * commands and a digest of their events, as `engine/simulation/journals` keeps them.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { keepJournal } from '../../engine/simulation/kept_journal.ts';
import { simulate } from '../../engine/simulation/simulation.ts';
import { FLAW_NAMES } from '../sequencer/simulation/flaws.ts';
import type { Flaw } from '../sequencer/simulation/flaws.ts';
import { simulateDisk } from '../sequencer/simulation/simulate_disk.ts';

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!/^[0-9]{1,15}$/.test(text)) throw new Error(`--${name} must be a whole number, got ${JSON.stringify(text)}`);
  return value;
}

const DISK_COMMANDS = 60;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' }, commands: { type: 'string' }, batch: { type: 'string', default: '100' },
      disk: { type: 'boolean', default: false }, seeds: { type: 'string', default: '1' }, keep: { type: 'string' }, flaw: { type: 'string' },
    },
  });
  const seed = wholeNumber('seed', values.seed);
  const commands = wholeNumber('commands', values.commands ?? String(values.disk ? DISK_COMMANDS : 100_000));
  if (values.keep !== undefined) {
    writeFileSync(values.keep, keepJournal(seed, commands));
    return 0;
  }
  if (values.disk) return runOnDisk(seed, wholeNumber('seeds', values.seeds), commands, flawNamed(values.flaw));
  return runMarket(seed, commands, Math.max(1, wholeNumber('batch', values.batch)));
}

function flawNamed(name: string | undefined): Flaw | undefined {
  const flaw = FLAW_NAMES.find((known) => known === name);
  if (name !== undefined && flaw === undefined) throw new Error(`--flaw must be one of ${FLAW_NAMES.join(', ')}`);
  return flaw;
}

async function runOnDisk(first: number, seeds: number, commands: number, flaw: Flaw | undefined): Promise<number> {
  for (let seed = first; seed < first + seeds; seed++) {
    const { sequence, stateHash, crashes, outages, replacements, damages, findings } = await simulateDisk({ seed, commands, flaw });
    console.log(`seed ${seed}: ${sequence} commands, ${crashes} crashes of the process, ${outages} of the database, ${replacements} leaders replaced, ${damages} journals damaged; state hash ${stateHash}`);
    for (const finding of findings) console.log(`BROKEN ${finding}`);
    if (findings.length === 0) continue;
    console.log(`again: npm run sim -- --disk --seed ${seed} --commands ${commands}${flaw === undefined ? '' : ` --flaw ${flaw}`}`);
    return 1;
  }
  return 0;
}

function runMarket(seed: number, commands: number, batch: number): number {
  const started = performance.now();
  let shown = 0;
  const onProgress = (done: number): void => {
    if (!process.stderr.isTTY || performance.now() - shown < 200) return;
    shown = performance.now();
    process.stderr.write(`\r${done.toLocaleString('en-US')} of ${commands.toLocaleString('en-US')} commands`);
  };
  const result = simulate({ seed, commands, batch, onProgress });
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  console.log(`seed ${seed}: ${result.sequence} commands, ${result.fills} fills, ${result.rejects} refusals in ${seconds} s`);
  console.log(`state hash ${result.stateHash}`);
  for (const { number, name, detail } of result.broken) console.log(`BROKEN invariant ${number}, ${name}: ${detail}`);
  if (result.broken.length > 0) console.log(`again: npm run sim -- --seed ${seed} --commands ${result.sequence} --batch ${batch}`);
  return result.broken.length > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
}
