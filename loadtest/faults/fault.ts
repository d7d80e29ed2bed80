/** What every fault of the suite is given and what it reports. */
import type { FaultWorld } from './fault_world.ts';

export interface FaultReport {
  /** How often the fault was injected. */
  times: number;
  /** What went wrong; empty when the market passed. */
  findings: string[];
  /** A measurement worth showing: how long until it served again, for example. */
  note?: string;
}

export interface Fault {
  name: string;
  /** How often, in the short form and in the long one. */
  times: { short: number; long: number };
  /** Why it cannot be injected on this machine; undefined when it can. */
  lacks?: () => string | undefined;
  run(world: FaultWorld, times: number): Promise<FaultReport>;
}
