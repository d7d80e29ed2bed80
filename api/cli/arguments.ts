/** What every command line has in common: its arguments, how it is used, and how it ends. */
import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';

/** The arguments make no sense: said together with how the command is used. */
export class UsageError extends Error {
  constructor(usage: string, problem = '') {
    super(problem === '' ? usage : `${problem}\n${usage}`);
  }
}

/** Reads what follows the command's name. Asked for help it says how the command is used, and ends the program. @throws UsageError */
export function readArguments<const Config extends ParseArgsConfig>(usage: string, config: Config): ReturnType<typeof parseArgs<Config>> {
  helpOnAsk(usage, config.args ?? process.argv.slice(2));
  try {
    return parseArgs(config);
  } catch (error) {
    // Node goes on to say how such an argument could be passed on.
    throw new UsageError(usage, messageOf(error).split('. To specify')[0]);
  }
}

export function helpOnAsk(usage: string, args: readonly string[] = process.argv.slice(2)): void {
  if (!args.includes('--help') && !args.includes('-h')) return;
  console.log(usage);
  process.exit(0);
}

/** @throws UsageError naming the option */
export function wholeNumber(usage: string, name: string, text: string, bounds: { least?: number; most?: number } = {}): number {
  const { least = 0, most = Number.MAX_SAFE_INTEGER } = bounds;
  if (!/^[0-9]{1,15}$/.test(text) || Number(text) < least || Number(text) > most) {
    const range = bounds.most === undefined ? (least === 0 ? '' : ` of at least ${least}`) : ` from ${least} to ${most}`;
    throw new UsageError(usage, `--${name} must be a whole number${range}, got ${JSON.stringify(text)}`);
  }
  return Number(text);
}

/** Runs a command: what it throws is one clear message. @returns the exit code, 2 when its arguments were wrong */
export function exitCodeOf(command: () => Promise<number>): Promise<number> {
  return command().catch((error: unknown) => {
    console.error(messageOf(error));
    return error instanceof UsageError ? 2 : 1;
  });
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
