/** `npm run replay`: executes recorded commands again, of one book or of a whole market. */
import { readConfig } from '../config.ts';
import '../sequencer/compiler.ts';
import { meetLargeIds } from '../sequencer/warm_up.ts';
import { UsageError, exitCodeOf, readArguments, wholeNumber } from './arguments.ts';
import { outputWithoutBanner } from './npm_banner.ts';
import { replayBook } from './replay_book.ts';
import { replayJournal } from './replay_journal.ts';

const USAGE = `usage: npm run replay -- --journal [--from SEQ]
       npm run replay -- --book [--tick T] [--step S] [--depth N] < ops.jsonl > events.jsonl
                      a line that is no operation is told with its number; the exit code is then 1`;

interface Mode {
  options: readonly string[];
  /** @returns the exit code */
  run(values: Record<string, string | undefined>): Promise<number>;
}

const MODES: Record<'journal' | 'book', Mode> = {
  journal: {
    options: ['from'],
    run: ({ from }) => {
      const { databaseUrl, dataDir } = readConfig(process.env);
      meetLargeIds();
      return replayJournal({
        databaseUrl, dataDir, from: from === undefined ? undefined : wholeNumber(USAGE, 'from', from), print: (line) => console.log(line), say: (line) => console.error(line),
      });
    },
  },
  book: {
    options: ['tick', 'step', 'depth'],
    run: async ({ tick = '0.0001', step = '0.01', depth = '0' }) => {
      // Whoever reads the events may stop before their end, as `head` does.
      process.stdout.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'EPIPE') process.exit(0);
        throw error;
      });
      const unreadable = await replayBook({ tick, step, depth: wholeNumber(USAGE, 'depth', depth) }, process.stdin, outputWithoutBanner(), (line, what) => console.error(`line ${line}: ${what}`));
      return unreadable === 0 ? 0 : 1;
    },
  },
};

async function main(): Promise<number> {
  const flags = Object.fromEntries(Object.keys(MODES).map((name) => [name, { type: 'boolean' as const }]));
  const options = Object.fromEntries(Object.values(MODES).flatMap((mode) => mode.options.map((name) => [name, { type: 'string' as const }])));
  const { values } = readArguments(USAGE, { options: { ...flags, ...options } });
  const chosen = (['journal', 'book'] as const).filter((name) => values[name] === true);
  if (chosen.length !== 1) throw new UsageError(USAGE);
  const mode = MODES[chosen[0]];
  const given = Object.entries(values).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  const alien = given.find(([name]) => !mode.options.includes(name))?.[0];
  if (alien !== undefined) throw new UsageError(USAGE, `--${alien} does not go with --${chosen[0]}`);
  return mode.run(Object.fromEntries(given));
}

process.exitCode = await exitCodeOf(main);
