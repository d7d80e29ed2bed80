/** A digest of the whole state, equal if and only if two engines would go on identically. */
import { createHash } from 'node:crypto';
import { writeSnapshot } from './snapshot.ts';
import type { State } from '../state.ts';

/** SHA-256 of the canonical form of the state, hexadecimal. */
export function stateHash(state: State): string {
  return createHash('sha256').update(writeSnapshot(state)).digest('hex');
}
