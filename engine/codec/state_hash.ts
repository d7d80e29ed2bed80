/** A digest of the whole state, equal if and only if two engines would go on identically. */
import { createHash } from 'node:crypto';
import { Image } from './snapshot.ts';
import type { State } from '../state.ts';

/** SHA-256 of the canonical form of the state, hexadecimal. @param format of the snapshots to whose hash it is compared, where it is not today's */
export function stateHash(state: State, format?: number): string {
  const hash = createHash('sha256');
  for (const piece of Image.of(state, format).pieces()) hash.update(piece);
  return hash.digest('hex');
}
