/** `npm run faults`: breaks everything the market rests on, and looks whether it holds. Exit 1 when it does not. */
import { fileURLToPath } from 'node:url';
import { exitCodeOf, readArguments, wholeNumber } from '../../api/cli/arguments.ts';
import { CONDITIONS } from './checker.ts';
import { buildServer } from './server_process.ts';
import { FAULTS, passed, runSuite } from './suite.ts';

const USAGE = `usage: npm run faults -- [--long] [--only TEXT]... [--times N] [--list]
  without options: every fault a few times, in some minutes
  --long           as often and as long as the promises are made for: hours
  --only TEXT      faults whose name contains the text; may be given again
  --times N        each N times`;

async function main(): Promise<number> {
  const { values } = readArguments(USAGE, {
    options: { long: { type: 'boolean', default: false }, only: { type: 'string', multiple: true, default: [] }, times: { type: 'string' }, list: { type: 'boolean', default: false } },
  });
  const times = values.times === undefined ? undefined : wholeNumber(USAGE, 'times', values.times, { least: 1 });
  if (values.list) {
    for (const { name, times: each } of FAULTS) console.log(`${name.padEnd(54)} ${each.short} short, ${each.long} long`);
    return 0;
  }
  const say = (line: string): void => console.log(line);
  const begun = performance.now();
  // The bundle stands in dist/, one folder below the root.
  const root = fileURLToPath(new URL('..', import.meta.url));
  buildServer(root);
  console.log(`${'fault'.padEnd(54)} times  verdict`);
  const outcomes = await runSuite({ root, long: values.long, only: values.only, times, say });
  const failed = outcomes.filter((outcome) => !passed(outcome)).length;
  console.log(`after each fault: ${CONDITIONS.join('; ')}`);
  console.log(`${outcomes.length - failed} passed, ${failed} failed in ${Math.round((performance.now() - begun) / 1000)} s`);
  return failed === 0 ? 0 : 1;
}

// Who ends the suite ends all that it has started: that hears of the exit.
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]] as const) process.once(signal, () => process.exit(code));
process.exit(await exitCodeOf(main));
