export const root: string;
export function findProgram(names: readonly string[]): string;
export function findChromium(): string;
export function findRedisServer(): string;
export function runNode(
  file: string,
  args: readonly string[],
  options?: { nodeArguments?: readonly string[]; environment?: NodeJS.ProcessEnv },
): Promise<number>;
export function endWithNpm(): void;
