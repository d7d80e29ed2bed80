/**
 * What makes the first day of a process as quick as the later ones. The end of a day is run for many facilities at once, and
 * seldom: without this its first parts would be those in which everything is compiled and what a recovery left young is moved.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { LOAN_RULES } from '../../engine/vocabulary.ts';
import { LoanLives } from '../../engine/simulation/loan_lives.ts';

const FACILITIES = 24;
const DAYS = 3;
/** Until loops over balances are compiled, too. */
const CHECKS = 60;

/** Lives through a few days of a small market that nobody sees. */
export function warmUp(): void {
  const lives = new LoanLives({ seed: 1, facilities: FACILITIES, loanRules: LOAN_RULES });
  for (let day = 0; day < DAYS; day++) lives.day();
  for (let check = 0; check < CHECKS; check++) lives.engine.checkInvariants();
}

/** Counts objects that have just been made, as all are after a recovery, among the old: the first collections would stop the market to move them. */
export function settleHeap(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void;
  // What survives two is old.
  collect({ type: 'minor' });
  collect({ type: 'minor' });
}
