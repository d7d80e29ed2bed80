/** `npm run sim -- --seed N --commands M`: a seeded life of the market; exit 1 and the seed when an invariant breaks. */
import { parseArgs } from 'node:util';
import { simulate } from '../../engine/simulation/simulation.ts';

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!/^[0-9]{1,15}$/.test(text)) throw new Error(`--${name} must be a whole number, got ${JSON.stringify(text)}`);
  return value;
}

function main(): number {
  const { values } = parseArgs({
    options: { seed: { type: 'string', default: '1' }, commands: { type: 'string', default: '100000' }, batch: { type: 'string', default: '100' } },
  });
  const seed = wholeNumber('seed', values.seed);
  const commands = wholeNumber('commands', values.commands);
  const batch = Math.max(1, wholeNumber('batch', values.batch));
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
  process.exitCode = main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
}
