/** Runs faults one after the other on one market and says what came of each. */
import { clockFaults } from './clocks.ts';
import { clusterFaults } from './clusters.ts';
import { crashFaults } from './crashes.ts';
import { cancelOnDisconnect } from './disconnects.ts';
import { duplicateFaults } from './duplicates.ts';
import type { Fault, FaultReport } from './fault.ts';
import { FaultWorld } from './fault_world.ts';
import { FoundedMarket } from './founded_market.ts';
import { gatewayClientFaults } from './gateway_clients.ts';
import { inferenceFaults } from './inference.ts';
import { leaderFaults } from './leaders.ts';
import { damageFaults } from './mutations.ts';
import { outageFaults, slowPostgres } from './outages.ts';
import { overloadFaults } from './overload.ts';
import { socketFaults } from './sockets.ts';

export const FAULTS: readonly Fault[] = [
  ...duplicateFaults, ...crashFaults, ...outageFaults, slowPostgres, ...leaderFaults, ...clockFaults, ...socketFaults, ...overloadFaults, ...clusterFaults, cancelOnDisconnect, ...inferenceFaults, ...gatewayClientFaults, ...damageFaults,
];

export interface SuiteOptions {
  root: string;
  /** As often and as long as RELIABILITY asks for; else a few times each. */
  long: boolean;
  /** Only faults whose name contains one of these; all when empty. */
  only: readonly string[];
  /** Instead of the fault's own count. */
  times: number | undefined;
  say: (line: string) => void;
}

export interface Outcome {
  name: string;
  /** undefined: it was not injected, `skipped` says why. */
  report: FaultReport | undefined;
  skipped: string;
  seconds: number;
  /** Limits of time were stretched by this. */
  patience: number;
}

const BUSY = 1.5;

export async function runSuite(options: SuiteOptions): Promise<Outcome[]> {
  const { long, only, say } = options;
  const chosen = FAULTS.filter(({ name }) => only.length === 0 || only.some((part) => name.includes(part)));
  if (chosen.length === 0) throw new Error(`no fault has such a name; there are:\n${FAULTS.map(({ name }) => `  ${name}`).join('\n')}`);
  const founded = await FoundedMarket.open(options.root);
  const outcomes: Outcome[] = [];
  let world: FaultWorld | undefined;
  try {
    // Without what makes a demo of a market it starts in a fraction of the time.
    world = await FaultWorld.open({ ...options, founded, name: 'market', environment: { DEMO: '0' } });
    for (const fault of chosen) {
      const outcome = await inject(world, fault, options.times ?? (long ? fault.times.long : fault.times.short));
      outcomes.push(outcome);
      say(lineOf(outcome));
    }
  } finally {
    await world?.close();
    await founded.close();
  }
  return outcomes;
}

async function inject(world: FaultWorld, fault: Fault, times: number): Promise<Outcome> {
  const { name } = fault;
  const lacking = fault.lacks?.();
  if (lacking !== undefined) return { name, report: undefined, skipped: lacking, seconds: 0, patience: 1 };
  world.calibrate();
  const begun = performance.now();
  const report = await fault.run(world, times).catch((error: unknown): FaultReport => ({
    times: 0, findings: [error instanceof Error ? error.message : String(error), `the server last said: ${world.server.output.slice(-600)}`],
  }));
  return { name, report, skipped: '', seconds: (performance.now() - begun) / 1000, patience: world.patience };
}

export const passed = ({ report }: Outcome): boolean => report === undefined || report.findings.length === 0;

export function lineOf(outcome: Outcome): string {
  const { name, report, skipped, seconds, patience } = outcome;
  if (report === undefined) return `${name.padEnd(54)} skipped: ${skipped}`;
  const verdict = passed(outcome) ? 'pass' : 'FAIL';
  const busy = patience > BUSY ? `, the machine ${patience.toFixed(1)} times as slow as an idle one` : '';
  const note = `  ${report.note ?? ''}${busy}`;
  return [`${name.padEnd(54)} ${String(report.times).padStart(5)}  ${verdict}  ${seconds.toFixed(1).padStart(6)} s${note}`, ...report.findings.map((finding) => `    ${finding}`)].join('\n');
}
