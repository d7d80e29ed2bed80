/** Postgres stands still: every process of it, so that it neither answers nor refuses. */
import { readFileSync, readdirSync } from 'node:fs';
import { endsWithThisProcess } from '../../api/kept_process.ts';
import type { FaultWorld } from './fault_world.ts';

let paused: number[] = [];
let woken: () => void = () => undefined;

export const needsProc = (): string | undefined => (process.platform === 'linux' ? undefined : 'needs /proc of Linux');

export async function pausePostgres(world: FaultWorld): Promise<void> {
  paused = await processes(world);
  // A process that is paused does not end.
  woken = endsWithThisProcess(wake);
  for (const pid of paused) signal(pid, 'SIGSTOP');
}

export function wakePostgres(): void {
  wake();
  woken();
}

const wake = (): void => paused.forEach((pid) => signal(pid, 'SIGCONT'));

async function processes(world: FaultWorld): Promise<number[]> {
  const postmaster = await world.postmaster();
  const children = readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name) && parentOf(name) === postmaster);
  return [postmaster, ...children.map(Number)];
}

function parentOf(pid: string): number | undefined {
  try {
    return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}

/** A session may have ended since it was found. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
