/**
 * A child process that is kept: started, started again when it ends, and ended with this process however
 * that ends, unless it is killed (what must happen then, too, is a `db/last_will.ts`).
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

const RESTART_MILLIS = 1_000;

const ends = new Set<() => void>();
/** @param end called when this process exits, without time to wait. @returns that it has ended already */
export function endsWithThisProcess(end: () => void): () => void {
  if (ends.size === 0) process.on('exit', endAll);
  ends.add(end);
  return () => {
    ends.delete(end);
    if (ends.size === 0) process.off('exit', endAll);
  };
}
function endAll(): void {
  for (const end of [...ends].reverse()) end();
}

export interface KeptProcessOptions {
  name: string;
  command: string;
  args: string[];
  /** Asked at each start. */
  environment: () => NodeJS.ProcessEnv;
  /** Found in the line by which it says that it is ready; may capture where. */
  readyLine: RegExp;
  /** How long that may take; undefined: as long as it likes. */
  startMillisMax?: number;
  /** How long it may take to end when it is told to. */
  stopMillisMax: number;
  /** Started again when it ends after it was ready. */
  restarts: boolean;
  /** Its input ends with this process, also when this process is killed. */
  holdsInput?: boolean;
  /** What it says, line by line, and what becomes of it. */
  say: (line: string) => void;
  /** It has a process id, or another one. */
  changed?: () => void;
}

export class KeptProcess {
  readonly name: string;
  /** What `readyLine` captured last. */
  place = '';
  private readonly options: KeptProcessOptions;
  private child: ChildProcess | undefined;
  private closing = false;
  private wasReady = false;
  private restart: NodeJS.Timeout | undefined;
  private stopping: Promise<void> | undefined;

  constructor(options: KeptProcessOptions) {
    this.name = options.name;
    this.options = options;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Resolves when it is ready. @throws Error when it ends before, or is not ready in time */
  async start(): Promise<void> {
    const { command, args, environment, holdsInput, changed } = this.options;
    if (this.closing) throw new Error(`${this.name} is not to be started any more`);
    // Not in this process's group: a Ctrl-C reaches this process alone, which then ends all in order.
    const child = spawn(command, args, { env: environment(), stdio: [holdsInput === true ? 'pipe' : 'ignore', 'pipe', 'pipe'], detached: true });
    this.child = child;
    const hasEnded = endsWithThisProcess(() => child.kill('SIGKILL'));
    child.once('exit', hasEnded);
    changed?.();
    await this.ready(child);
    this.wasReady = true;
  }

  /** It is told once, however often this is called. */
  stop(): Promise<void> {
    this.closing = true;
    clearTimeout(this.restart);
    return (this.stopping ??= this.end());
  }

  private async end(): Promise<void> {
    const { child } = this;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), this.options.stopMillisMax);
    await ended;
    clearTimeout(late);
  }

  private ready(child: ChildProcess): Promise<void> {
    const { name } = this;
    const { readyLine, startMillisMax, say } = this.options;
    return new Promise((resolve, reject) => {
      const late = startMillisMax === undefined ? undefined : setTimeout(() => {
        child.kill('SIGKILL');
        reject(new Error(`${name} is not ready after ${startMillisMax} ms`));
      }, startMillisMax);
      const hear = (line: string): void => {
        const found = readyLine.exec(line);
        if (found !== null) {
          clearTimeout(late);
          this.place = found[1] ?? this.place;
          resolve();
        }
        say(line);
      };
      for (const stream of [child.stdout, child.stderr]) if (stream !== null) createInterface({ input: stream }).on('line', hear);
      child.once('error', (error) => {
        clearTimeout(late);
        reject(new Error(`${name} cannot be started: ${error.message}`));
      });
      child.once('exit', (code, signal) => {
        clearTimeout(late);
        reject(new Error(`${name} ended with ${signal ?? code} before it was ready`));
        this.ended(signal ?? String(code));
      });
    });
  }

  private ended(how: string): void {
    if (this.closing || !this.wasReady) return;
    const { restarts, say } = this.options;
    say(`ended with ${how}${restarts ? '; it is started again' : ''}`);
    if (restarts) this.restart = setTimeout(() => void this.start().catch((error: unknown) => say(String(error))), RESTART_MILLIS);
  }
}
