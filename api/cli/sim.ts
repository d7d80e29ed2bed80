/**
 * `npm run sim -- --seed N --commands M`: a seeded life of the market; exit 1 and the seed when an
 * invariant breaks. With `--disk` the sequencer lives on a simulated clock, network and disk instead;
 * `--seeds K` runs K seeds one after the other, `--flaw NAME` gives them a mistake to find. `--keep FILE` writes the
 * commands and a digest of their events, as `api/sequencer/kept` keeps them. `--loans [--facilities N] [--days D | --money-events M]` lives through loans instead, day by day, and
 * has an auditor rebuild every balance; `--day-end N` measures the end of a day for N facilities, `--schedules N` the plan of a loan of N months.
 */
import { writeFileSync } from 'node:fs';
import { REJECT_CODES } from '../../engine/catalogue.ts';
import type { RejectCode } from '../../engine/catalogue.ts';
import { COMMAND_TYPES } from '../../engine/commands.ts';
import type { CommandType } from '../../engine/commands.ts';
import { simulate } from '../../engine/simulation/simulation.ts';
import { keepJournal } from '../sequencer/kept/kept_journal.ts';
import { FLAW_NAMES } from '../sequencer/simulation/flaws.ts';
import type { Flaw } from '../sequencer/simulation/flaws.ts';
import type { SimulationResult } from '../../engine/simulation/simulation.ts';
import { UsageError, exitCodeOf, readArguments, wholeNumber as readWholeNumber } from './arguments.ts';
import { liveLoans, measureDayEnd, measureSchedules } from './loans.ts';
import { simulateDisk } from '../sequencer/simulation/simulate_disk.ts';

const USAGE = `usage: npm run sim -- [--seed N] [--seeds K] [--commands M] [--batch B]     seeded lives of the market
       npm run sim -- --disk [--seed N] [--seeds K] [--commands M] [--flaw NAME]   the sequencer on a simulated clock, network and disk
       npm run sim -- --loans [--facilities N] [--days D | --money-events M] [--check-every D]
       npm run sim -- --day-end N                                       the end of a day for N facilities
       npm run sim -- --schedules N                                     the plan of a loan of N months
       npm run sim -- --seed N --commands M --keep FILE                 commands and a digest of their events, kept`;
const DISK_COMMANDS = 60;

const wholeNumber = (name: string, text: string, least = 0): number => readWholeNumber(USAGE, name, text, { least });

async function main(): Promise<number> {
  const { values } = readArguments(USAGE, {
    options: {
      seed: { type: 'string', default: '1' }, commands: { type: 'string' }, batch: { type: 'string', default: '100' },
      disk: { type: 'boolean', default: false }, seeds: { type: 'string', default: '1' }, keep: { type: 'string' }, flaw: { type: 'string' },
      loans: { type: 'boolean', default: false }, facilities: { type: 'string', default: '1000' }, days: { type: 'string', default: '365' }, 'money-events': { type: 'string', default: '0' },
      'check-every': { type: 'string', default: '1' }, 'day-end': { type: 'string' }, schedules: { type: 'string' },
    },
  });
  const seed = wholeNumber('seed', values.seed);
  const commands = wholeNumber('commands', values.commands ?? String(values.disk ? DISK_COMMANDS : 100_000));
  if (values.keep !== undefined) {
    writeFileSync(values.keep, keepJournal(seed, commands));
    return 0;
  }
  if (values['day-end'] !== undefined) return measureDayEnd(wholeNumber('day-end', values['day-end']), seed);
  if (values.schedules !== undefined) return measureSchedules(wholeNumber('schedules', values.schedules), seed);
  if (values.loans) {
    return liveLoans({
      seed, facilities: wholeNumber('facilities', values.facilities), days: wholeNumber('days', values.days), transactions: wholeNumber('money-events', values['money-events']),
      checkEvery: wholeNumber('check-every', values['check-every'], 1),
    });
  }
  if (values.disk) return runOnDisk(seed, wholeNumber('seeds', values.seeds), commands, flawNamed(values.flaw));
  return runMarkets(seed, wholeNumber('seeds', values.seeds), commands, wholeNumber('batch', values.batch, 1));
}

function flawNamed(name: string | undefined): Flaw | undefined {
  const flaw = FLAW_NAMES.find((known) => known === name);
  if (name !== undefined && flaw === undefined) throw new UsageError(USAGE, `--flaw must be one of ${FLAW_NAMES.join(', ')}`);
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

/** Lives of the market, until an invariant breaks; then what they reached. */
function runMarkets(first: number, seeds: number, commands: number, batch: number): number {
  const commandTypes = new Map<CommandType, number>();
  const rejectCodes = new Map<RejectCode, number>();
  let isSound = true;
  for (let seed = first; isSound && seed < first + seeds; seed++) {
    const result = runMarket(seed, commands, batch);
    isSound = result.broken.length === 0;
    for (const [name, count] of result.commandTypes) commandTypes.set(name, (commandTypes.get(name) ?? 0) + count);
    for (const [name, count] of result.rejectCodes) rejectCodes.set(name, (rejectCodes.get(name) ?? 0) + count);
  }
  console.log(coverage('kinds of command', COMMAND_TYPES, commandTypes));
  console.log(coverage('codes of refusal', REJECT_CODES, rejectCodes));
  return isSound ? 0 : 1;
}

function runMarket(seed: number, commands: number, batch: number): SimulationResult {
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
  return result;
}

/** How often each was reached, the most frequent first, and what was not. */
function coverage<Name extends string>(what: string, all: readonly Name[], counts: ReadonlyMap<Name, number>): string {
  const reached = [...counts].sort(([, a], [, b]) => b - a).map(([name, count]) => `${name} ${count}`);
  const missing = all.filter((name) => !counts.has(name));
  return `${counts.size} of ${all.length} ${what}: ${reached.join(', ')}${missing.length === 0 ? '' : `; not reached: ${missing.join(', ')}`}`;
}

process.exitCode = await exitCodeOf(main);
