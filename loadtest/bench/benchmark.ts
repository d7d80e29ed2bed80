/** What every benchmark is given and gives back. */
import { setTimeout } from 'node:timers/promises';

export interface BenchOptions {
  /** The value of `--name`, else the fallback. @throws Error when it is not a positive number */
  number(name: string, fallback: number): number;
  /** The same as text, one of `choices`. @throws Error when it is none of them */
  choice<const Choice extends string>(name: string, choices: readonly Choice[], fallback: Choice): Choice;
  /** Whether `--name` is among the options. */
  has(name: string): boolean;
  /** Progress, for a person; never part of the result. */
  say(line: string): void;
}

/** Keys as in the README's table of benchmarks, in the order in which they are shown. */
export type BenchResult = Record<string, number>;

export interface Benchmark {
  run(options: BenchOptions): Promise<BenchResult>;
}

/** Of a process that is to have as much room for what is young as the market's thread has. */
export const YOUNG = ['--min-semi-space-size=32', '--max-semi-space-size=32', '--initial-old-space-size=256'];

/** @throws Error when node runs without --expose-gc */
export function collectGarbage(): void {
  if (globalThis.gc === undefined) throw new Error('run node with --expose-gc');
  // Twice: buffers outside the heap are given back only by the collection after the one that drops them.
  globalThis.gc();
  globalThis.gc();
}

/** Longer than the collector's other threads go on sweeping after it: 55 ms of a processor for a million commands. */
const SWEPT_AFTER = 400;

/** As `collectGarbage`, and waits for the threads that sweep, which would work beside what is timed next. */
export async function collectAndSweep(): Promise<void> {
  collectGarbage();
  await setTimeout(SWEPT_AFTER);
}

/** The value at `fraction` of the sorted sample, nearest rank. */
export function percentile(sorted: Float64Array, fraction: number): number {
  if (sorted.length === 0) return Number.NaN;
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(fraction * sorted.length) - 1))];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Three significant places for small numbers, whole ones for large. */
export function rounded(value: number): number {
  if (!Number.isFinite(value) || value === 0) return value;
  return Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(4));
}
