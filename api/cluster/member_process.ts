/** One process of a cluster on this machine: started, and started again when it ends. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

const RESTART_MILLIS = 1_000;
const STOP_MILLIS_MAX = 12_000;

export interface MemberOptions {
  name: string;
  command: string;
  args: string[];
  environment: NodeJS.ProcessEnv;
  /** Begins the line by which it says that it is ready, followed by its address or nothing. */
  readyLine: RegExp;
  restarts: boolean;
  /** What it says, line by line. */
  say: (line: string) => void;
  /** It has a process id, or another one. */
  changed: () => void;
}

export class MemberProcess {
  readonly name: string;
  url = '';
  private readonly options: MemberOptions;
  private child: ChildProcess | undefined;
  private closing = false;
  private restart: NodeJS.Timeout | undefined;

  constructor(options: MemberOptions) {
    this.name = options.name;
    this.options = options;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Resolves when it is ready. @throws Error when it ends before */
  start(): Promise<void> {
    const { name, command, args, environment, readyLine, say, changed } = this.options;
    // Not in this process's group: a Ctrl-C reaches this process alone, which then ends all in order.
    const child = spawn(command, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    this.child = child;
    changed();
    return new Promise<void>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          const ready = readyLine.exec(line);
          if (ready !== null) {
            this.url = ready[1] ?? this.url;
            resolve();
          }
          say(line);
        });
      }
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        reject(new Error(`${name} ended with ${signal ?? code} before it was ready`));
        this.ended(signal ?? String(code));
      });
    });
  }

  async stop(): Promise<void> {
    this.closing = true;
    clearTimeout(this.restart);
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MILLIS_MAX);
    await ended;
    clearTimeout(late);
  }

  private ended(how: string): void {
    if (this.closing) return;
    const { restarts, say } = this.options;
    say(`ended with ${how}${restarts ? '; it is started again' : ''}`);
    if (!restarts) return;
    this.restart = setTimeout(() => {
      this.start().catch((error: unknown) => say(String(error)));
    }, RESTART_MILLIS);
  }
}
