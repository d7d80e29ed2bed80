/**
 * Lives of loans from the command line: `npm run sim -- --loans`. An auditor that shares nothing with the engine's ledger
 * rebuilds every balance from the posted events and holds it against the engine's.
 */
import { Auditor } from '../../db/projections/auditor.ts';
import { DAY_COUNTS } from '../../engine/credit/day_count.ts';
import { Exact } from '../../engine/credit/exact.ts';
import { repaymentSchedule } from '../../engine/credit/schedule.ts';
import { LOAN_RULES, SCHEDULE_METHODS } from '../../engine/vocabulary.ts';
import { LoanLives } from '../../engine/simulation/loan_lives.ts';
import { MILLIS_PER_DAY } from '../../engine/numbers/units.ts';
import { Random } from '../../engine/simulation/random.ts';
import { settleHeap, warmUp } from '../sequencer/warm_up.ts';

const clock = (): number => performance.now();
const seconds = (since: number): string => ((clock() - since) / 1_000).toFixed(1);
const thousands = (value: number): string => value.toLocaleString('en-US');

export interface LivesAsk {
  seed: number;
  facilities: number;
  days: number;
  /** Until so many transactions are posted; 0: until the days are over. */
  transactions: number;
  /** Days between two checks of the invariants. */
  checkEvery: number;
}

/** @returns the program's exit code */
export function liveLoans({ seed, facilities, days, transactions, checkEvery }: LivesAsk): number {
  const began = clock();
  const auditor = new Auditor();
  const lives = new LoanLives({ seed, facilities, clock, onBatch: (batch) => auditor.add(batch) });
  let day = 0;
  const goesOn = (): boolean => (transactions > 0 ? lives.transactions < transactions : day < days);
  while (goesOn()) {
    lives.day();
    day++;
    if (day % checkEvery !== 0 && goesOn()) continue;
    const { broken } = lives;
    for (const { number, name, detail } of broken) console.log(`BROKEN invariant ${number} on day ${day}, ${name}: ${detail}`);
    if (broken.length > 0) return 1;
  }
  const states = new Map<string, number>();
  for (const { state } of lives.state.facilities) states.set(state, (states.get(state) ?? 0) + 1);
  console.log(`seed ${seed}: ${thousands(facilities)} facilities over ${day} days, ${thousands(lives.transactions)} transactions, ${thousands(lives.refusals)} refusals in ${seconds(began)} s`);
  console.log([...states].map(([state, count]) => `${count} ${state}`).join(', '));
  // Supply cells are numbered anew once their hour is settled: what is left of them are hours.
  const differences = auditor.differences(lives.balances()).filter((line) => !line.startsWith('capacity.'));
  const trial = Object.entries(auditor.trialBalance());
  console.log(`ledger difference after ${thousands(auditor.transactions)} money events: ${differences.length === 0 && trial.every(([, sum]) => sum === 0n) ? 'exactly 0' : differences.slice(0, 5).join('; ')}`);
  for (const finding of auditor.findings) console.log(`FOUND ${finding}`);
  console.log(`state hash ${lives.engine.stateHash()}`);
  return differences.length + auditor.findings.length === 0 && trial.every(([, sum]) => sum === 0n) ? 0 : 1;
}

const ORIGINALS = 200;
const MEASURED_DAYS = 5;

/** How long the end of a day takes for so many facilities, and for how long at most nothing else gets in between. @returns the exit code */
export function measureDayEnd(facilities: number, seed: number): number {
  // As a server does that starts.
  warmUp();
  const engine = new LoanLives({ seed, facilities: ORIGINALS, loanRules: LOAN_RULES }).multiplied(Math.ceil(facilities / ORIGINALS));
  settleHeap();
  console.log(`${thousands(facilities)} facilities, copies of ${ORIGINALS}, each day some 3 % of them with an instalment that falls due`);
  const tick = (now: number): number => {
    const began = clock();
    engine.apply({ command: { type: 'tick', now }, idempotencyKey: '', bodyHash: '' });
    const took = clock() - began;
    engine.buffer.take();
    return took;
  };
  for (let day = 1; day <= MEASURED_DAYS; day++) {
    const midnight = (Math.floor(engine.now / MILLIS_PER_DAY) + 1) * MILLIS_PER_DAY;
    tick(midnight - 1);
    // Those that were made since midnight have nothing to end yet.
    while (engine.hasWork) tick(engine.now);
    const parts = [tick(midnight)];
    while (engine.hasWork) parts.push(tick(engine.now));
    parts.sort((a, b) => a - b);
    const total = parts.reduce((sum, part) => sum + part, 0);
    const rank = (share: number): string => parts[Math.min(parts.length - 1, Math.floor(parts.length * share))].toFixed(1);
    console.log(`day ${day}: ${(total / 1_000).toFixed(2)} s in ${parts.length} parts; a part p50 ${rank(0.5)} ms, p99 ${rank(0.99)} ms, longest ${rank(1)} ms`);
  }
  const broken = engine.checkInvariants().filter(({ ok }) => !ok);
  for (const { number, name, detail } of broken) console.log(`BROKEN invariant ${number}, ${name}: ${detail}`);
  return broken.length === 0 ? 0 : 1;
}

/** So many that the first few, for which nothing is compiled yet, are no hundredth of them; the first is told apart. */
const SCHEDULES = 2_000;

/** How long the plan of a loan of so many months takes, of each method by every day count, the first of a fresh process too. @returns the exit code */
export function measureSchedules(periods: number, seed: number): number {
  const random = new Random(seed);
  for (const method of SCHEDULE_METHODS) {
    const taken = Array.from({ length: SCHEDULES }, (_, index) => {
      const terms = {
        principal: random.between(1_000_00, 100_000_000_00), annualRate: new Exact(random.between(0, 300_000)).div(1_000_000), periods, disbursedOn: random.between(18_000, 24_000),
        dayCount: DAY_COUNTS[index % DAY_COUNTS.length], every: 1, unit: 'months', method, refine: random.chance(0.5),
      } as const;
      const began = clock();
      repaymentSchedule(terms);
      return clock() - began;
    });
    const [first] = taken;
    taken.sort((a, b) => a - b);
    const rank = (share: number): string => taken[Math.min(taken.length - 1, Math.floor(taken.length * share))].toFixed(2);
    console.log(`${method}, ${periods} periods: p50 ${rank(0.5)} ms, p99 ${rank(0.99)} ms, longest ${rank(1)} ms, the first ${first.toFixed(2)} ms`);
  }
  return 0;
}
