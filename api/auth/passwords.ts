/** Passwords as argon2id hashes, with a bound on how many are computed at once: each takes 19 MiB and a core. */
import { hash, verify } from '@node-rs/argon2';
import { ApiError } from '../errors.ts';

const AT_ONCE = 2;
const WAITING_MAX = 64;
/** Of no password: checked when the email is unknown, so that both answers take as long. */
const NOBODY = '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Xb9mO1kTPWl3bq9XwWmX3u0mCkRAv4H8P0mGm1kQv3Q';

let running = 0;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (waiting.length >= WAITING_MAX) throw new ApiError('unavailable', { retryAfterSeconds: 2 });
  if (running >= AT_ONCE) await new Promise<void>((resume) => waiting.push(resume));
  running += 1;
  try {
    return await work();
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}

/** @throws ApiError unavailable when too many wait */
export const hashPassword = (password: string): Promise<string> => inTurn(() => hash(password));

/** Takes as long for an unknown user (undefined) as for a wrong password. @throws ApiError unavailable */
export async function verifyPassword(stored: string | undefined, password: string): Promise<boolean> {
  const matches = await inTurn(() => verify(stored ?? NOBODY, password));
  return matches && stored !== undefined;
}
