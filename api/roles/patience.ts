/** Starting while something is not there yet: the database, the engine, or a leader that is being replaced. */
import { setTimeout as sleep } from 'node:timers/promises';
import { reasonOf } from '../reason.ts';
import { Unavailable } from '../sequencer/port.ts';

const RETRY_MILLIS = 500;
/** What is not there by then has not been started, or has another address. */
const WAIT_MILLIS = 60_000;

/** How connections fail that may succeed a moment later: by the system, and by Postgres (starting, stopping, too many clients, no room, a disk that fails, only reading, a database that is not made yet). */
const PASSING_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN', '57P01', '57P02', '57P03', '53100', '53200', '53300', '25006', '58030', '08006', '08001', '08004', '3D000',
]);
const PASSING_MESSAGES = /^(timeout expired|timeout exceeded when trying to connect|Connection terminated|Knex: Timeout acquiring a connection|Query read timeout)/;

export function isPassing(error: unknown): boolean {
  if (error instanceof Unavailable) return true;
  const { code, message } = error as { code?: unknown; message?: unknown };
  return (typeof code === 'string' && PASSING_CODES.has(code)) || (typeof message === 'string' && PASSING_MESSAGES.test(message));
}

export interface Patience {
  /** Told once for each reason. */
  say: (line: string) => void;
  /** The process is ending: nothing is tried again. */
  isClosing: () => boolean;
  /** After a failure, before the next attempt: closes what that one had opened. */
  undo?: () => Promise<void>;
  waitMillis?: number;
}

/** Tries again while what fails may pass. @throws what does not pass, or has not within a minute */
export async function patiently<T>(what: string, attempt: () => Promise<T>, { say, isClosing, undo = () => Promise.resolve(), waitMillis = WAIT_MILLIS }: Patience): Promise<T> {
  const end = performance.now() + waitMillis;
  let told = '';
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (isClosing() || !isPassing(error) || performance.now() >= end) throw error;
      const line = `waiting for ${what}: ${reasonOf(error)}`;
      if (line !== told) say(line);
      told = line;
      await undo();
      await sleep(RETRY_MILLIS);
    }
  }
}
