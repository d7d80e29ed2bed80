/**
 * `npm run` without `-s` writes its banner to standard output first. Into a pipe that cannot be taken
 * back; in a file it can, so that `npm run replay -- --book < ops.jsonl > events.jsonl` leaves nothing
 * but events.
 */
import { createWriteStream, fstatSync, ftruncateSync, readFileSync } from 'node:fs';
import type { Writable } from 'node:stream';

const STDOUT = 1;
const BANNER = /^\n> [^\n]+\n> [^\n]+\n\n$/;
const BANNER_BYTES_MAX = 4_096;

/** Standard output; where it is a file that holds npm's banner and nothing else, that file from its beginning. */
export function outputWithoutBanner(): Writable {
  if (!holdsOnlyBanner()) return process.stdout;
  ftruncateSync(STDOUT, 0);
  return createWriteStream('', { fd: STDOUT, start: 0, autoClose: false });
}

function holdsOnlyBanner(): boolean {
  if (process.env['npm_lifecycle_event'] === undefined) return false;
  try {
    const file = fstatSync(STDOUT);
    return file.isFile() && file.size <= BANNER_BYTES_MAX && BANNER.test(readFileSync('/dev/fd/1', 'utf8'));
  } catch {
    return false;
  }
}
