/** Prints how a program is used and ends it, when that is what its arguments ask for. */
export function helpOnAsk(usage: string, args: readonly string[] = process.argv.slice(2)): void {
  if (!args.includes('--help') && !args.includes('-h')) return;
  console.log(usage);
  process.exit(0);
}
