/** What is done when this process has ended in whatever way, also when it was killed. */
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/**
 * A shell reads from a pipe that this process alone holds open, and runs the script when that ends.
 * @returns that it is not to be done any more
 */
export function lastWill(script: string, ...values: string[]): () => void {
  // Not in this process's group, whose end it is to see.
  const shell = spawn('sh', ['-c', `cat > /dev/null; ${script}`, 'last_will', ...values], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  shell.on('error', () => undefined);
  shell.unref();
  (shell.stdin as Socket).unref();
  return () => shell.kill();
}

/** Ends a child that does not notice the end of this process by itself. */
export const endsWithThis = (pid: number): (() => void) => lastWill('kill "$1"', String(pid));
