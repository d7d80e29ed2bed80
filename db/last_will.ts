/** What is done when this process has ended in whatever way, also when it was killed. */
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/**
 * A shell reads from a pipe that this process alone holds open, and runs the script when that ends.
 * @returns that it is not to be done any more
 */
export function lastWill(script: string, ...values: string[]): () => void {
  // Not in this process's group, whose end it is to see; and not to be ended by who ends every process of a program.
  const shell = spawn('sh', ['-c', `trap '' HUP INT TERM; cat > /dev/null; ${script}`, 'last_will', ...values], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  shell.on('error', () => undefined);
  shell.unref();
  (shell.stdin as Socket).unref();
  return () => shell.kill('SIGKILL');
}

/** Ends a child that does not notice the end of this process by itself: in order, and when that takes long, at once. */
export const endsWithThis = (pid: number): (() => void) =>
  lastWill('kill -CONT "$1"; kill "$1"; for second in 1 2 3 4 5 6 7 8 9 10 11 12; do kill -0 "$1" || exit; sleep 1; done; kill -KILL "$1"', String(pid));
