/** Starting while something is not there yet: the database, the engine, or a leader that is being replaced. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isDatabaseAway } from '../../db/away.ts';
import { reasonOf } from '../reason.ts';
import { Unavailable } from '../sequencer/port.ts';

const RETRY_MILLIS = 500;
/** What is not there by then has not been started, or has another address. */
const WAIT_MILLIS = 60_000;

/** What passes only while things are being set up: an address that has no name yet, a database that is not made yet. */
const SET_UP_CODES: ReadonlySet<unknown> = new Set(['ENOTFOUND', '3D000']);

export function isPassing(error: unknown): boolean {
  return error instanceof Unavailable || isDatabaseAway(error) || SET_UP_CODES.has((error as { code?: unknown }).code);
}

export interface Patience {
  /** Told once for each reason. */
  say: (line: string) => void;
  /** Told when the process is ending: nothing is tried again. */
  closing: AbortSignal;
  /** After a failure, before the next attempt: closes what that one had opened. */
  undo?: () => Promise<void>;
  waitMillis?: number;
}

/** Tries again while what fails may pass. @throws what does not pass, or has not within a minute */
export async function patiently<T>(what: string, attempt: () => Promise<T>, { say, closing, undo = () => Promise.resolve(), waitMillis = WAIT_MILLIS }: Patience): Promise<T> {
  const end = performance.now() + waitMillis;
  let told = '';
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (closing.aborted || !isPassing(error) || performance.now() >= end) throw error;
      const line = `waiting for ${what}: ${reasonOf(error)}`;
      if (line !== told) say(line);
      told = line;
      await undo();
      await sleep(RETRY_MILLIS);
    }
  }
}
