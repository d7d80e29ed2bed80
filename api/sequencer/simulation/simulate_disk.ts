/**
 * Clients send commands under keys, repeat what has no answer and read balances; processes and the
 * database crash, decay, and leaders are replaced while they still write. At the end nothing that
 * anybody was told differs from what the journal says when it is executed again.
 */
import type { Engine } from '../../../engine/engine.ts';
import { LITTLE_ROOM } from '../../../engine/state.ts';
import type { Command } from '../../../engine/commands.ts';
import { MemoryJournal } from '../../../db/memory_journal.ts';
import { recover } from '../recovery.ts';
import type { Flaw } from './flaws.ts';
import { CLIENTS, COMPANIES, RETRY_MILLIS, World } from './world.ts';

export interface DiskSimulationOptions {
  seed: number;
  /** Commands with keys of their own. */
  commands: number;
  /** A mistake that the simulation is to find; undefined: none. */
  flaw?: Flaw;
}

export interface DiskSimulationResult {
  seed: number;
  sequence: number;
  stateHash: string;
  /** Deaths of the process, of the database, leaders replaced while alive, journals damaged, recoveries from a snapshot. */
  crashes: number;
  outages: number;
  replacements: number;
  damages: number;
  fromSnapshot: number;
  /** What does not hold; empty when all does. */
  findings: string[];
}

/** No run needs more simulated time than this. */
const MILLIS_MAX = 400_000;
/** What is still under way ends in it, and a leader that was replaced has time to notice. */
const SETTLE_MILLIS = 20_000;

async function register(world: World): Promise<void> {
  for (let company = 0; company < COMPANIES; company++) {
    const command: Command = { type: 'registerCompany', name: `company ${company}`, role: 'borrower', group: '' };
    while ((await world.submit(command, `company ${company}`)) === undefined) await world.scheduler.sleep(RETRY_MILLIS);
  }
}

/** The live state when all of it is durable. */
async function liveState(world: World): Promise<{ sequence: number; stateHash: string }> {
  for (;;) {
    const { leader } = world;
    await leader?.host.drain();
    const status = leader?.host.sequencer.status();
    if (leader !== undefined && status?.sequence === status?.committedSequence && world.disk.rows.at(-1)?.lastSequence === status?.sequence) {
      return { sequence: leader.engine.sequence, stateHash: leader.engine.stateHash() };
    }
    await world.scheduler.sleep(RETRY_MILLIS);
  }
}

/** What the journal says, executed again from the first command and from the newest snapshot. */
async function judge(world: World): Promise<Engine> {
  const { told } = world;
  const live = await liveState(world);
  const rows = world.disk.rows.filter(({ lastSequence }) => lastSequence <= live.sequence);
  const journal = new MemoryJournal(rows);
  const { engine } = await recover({ journal, room: LITTLE_ROOM });
  const short = await recover({ journal, snapshots: world.snapshots, room: LITTLE_ROOM });
  rows.forEach((row, index) => {
    const before = rows[index - 1];
    if (before !== undefined && row.engineTime < before.engineTime) told.find(`engine time goes back at ${row.firstSequence}`);
    if (before !== undefined && row.epoch < before.epoch) told.find(`epoch ${row.epoch} appended after epoch ${before.epoch}, at ${row.firstSequence}`);
  });
  const hash = engine.stateHash();
  if (live.sequence !== engine.sequence || live.stateHash !== hash) told.find('the state by replay is not the live one');
  if (short.engine.stateHash() !== hash) told.find('the state from a snapshot is not the one by replay');
  told.compare(rows, engine);
  for (const { name, ok, detail } of engine.checkInvariants()) if (!ok) told.find(`${name}: ${detail}`);
  return engine;
}

export async function simulateDisk({ seed, commands, flaw }: DiskSimulationOptions): Promise<DiskSimulationResult> {
  const world = new World(seed, flaw);
  const { scheduler, told } = world;
  let engine: Engine | undefined;
  const life = async (): Promise<void> => {
    await world.restart();
    await register(world);
    scheduler.after(100, () => world.misfortune());
    const watching = world.watch();
    await Promise.all(Array.from({ length: CLIENTS }, (_, client) => world.work(client, Math.ceil(commands / CLIENTS))));
    await watching;
    await scheduler.sleep(SETTLE_MILLIS);
    engine = await judge(world);
  };
  let over = false;
  void life().catch((error: unknown) => told.find(error instanceof Error ? error.message : String(error))).finally(() => (over = true));
  await scheduler.run(() => over || told.findings.length > 0 || scheduler.now > MILLIS_MAX);
  if (!over && told.findings.length === 0) told.find(`it did not come to an end: ${told.size} commands were acknowledged`);
  return { seed, sequence: engine?.sequence ?? 0, stateHash: engine?.stateHash() ?? '', ...world.counts, findings: told.findings };
}
