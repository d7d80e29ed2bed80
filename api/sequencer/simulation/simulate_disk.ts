/**
 * The sequencer's own code, over a clock, a network and a disk that are simulated from a seed. Clients
 * send commands under keys and repeat what has no answer; processes and the database crash; leaders
 * are replaced while they still write. At the end nothing acknowledged is missing, nothing happened
 * twice, and executing the journal again gives the same state.
 */
import { Engine, RULES_VERSION } from '../../../engine/engine.ts';
import type { Command } from '../../../engine/commands.ts';
import { eventOf } from '../port.ts';
import type { Ack } from '../port.ts';
import { Random } from '../../../engine/simulation/random.ts';
import { MemoryJournal } from '../../../db/memory_journal.ts';
import { AllocationAuthoriser } from '../authoriser.ts';
import { SequencerClient } from '../client.ts';
import { TEST_EPOCH } from '../in_process.ts';
import { SequencerHost } from '../host.ts';
import type { Reply, Request } from '../messages.ts';
import { recover } from '../recovery.ts';
import { SimulatedDisk } from './disk.ts';
import { Scheduler } from './scheduler.ts';

export interface DiskSimulationOptions {
  seed: number;
  /** Commands with keys of their own. */
  commands: number;
}

export interface DiskSimulationResult {
  seed: number;
  sequence: number;
  stateHash: string;
  /** Deaths of the process, of the database, and leaders replaced while alive. */
  crashes: number;
  outages: number;
  replacements: number;
  /** What does not hold; empty when all does. */
  findings: string[];
}

const CLIENTS = 4;
const COMPANIES = 2;
const ANSWER_MILLIS = 1_500;
const HEARTBEAT_MILLIS = 100;
const RETRY_MILLIS = 50;
/** No run needs more simulated time than this. */
const MILLIS_MAX = 50_000_000;

class World {
  readonly scheduler = new Scheduler();
  readonly random: Random;
  readonly disk: SimulatedDisk;
  readonly findings: string[] = [];
  crashes = 0;
  outages = 0;
  replacements = 0;
  /** Sequence acknowledged for each key. */
  readonly acknowledged = new Map<string, number>();
  /** Grows with each process: what an old one still does reaches nobody. */
  private generation = 0;
  private client: SequencerClient | undefined;
  host: SequencerHost | undefined;
  engine: Engine | undefined;
  private clockShift = 0;
  finished = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.disk = new SimulatedDisk(this.scheduler, this.random);
  }

  /** Takes the lead, recovers and serves, again and again until it succeeds; what was before is forgotten. */
  async start(): Promise<void> {
    const generation = ++this.generation;
    this.client?.suspend('the process is gone');
    this.client = undefined;
    this.host = undefined;
    while (generation === this.generation) {
      try {
        const journal = await this.disk.lead();
        const { engine } = await recover({ journal, engine: () => new Engine() });
        if (generation !== this.generation) return;
        this.serve(generation, engine, journal);
        return;
      } catch (error) {
        if (error instanceof Error && ['JournalCorrupt', 'ReplayMismatch'].includes(error.name)) this.findings.push(error.message);
        await this.scheduler.sleep(RETRY_MILLIS);
      }
    }
  }

  private serve(generation: number, engine: Engine, journal: Awaited<ReturnType<SimulatedDisk['lead']>>): void {
    const { scheduler, random } = this;
    const alive = (): boolean => generation === this.generation;
    const client = new SequencerClient({
      schedule: (flush) => scheduler.after(0, flush),
      channel: {
        post: (messages: Request[]) => {
          // Messages may overtake each other, and arrive twice.
          for (let copy = random.chance(0.05) ? 2 : 1; copy > 0; copy--) scheduler.after(random.between(0, 10), () => alive() && host.receive(structuredClone(messages)));
        },
      },
    });
    const host = new SequencerHost({
      engine, journal, clock: { now: () => Math.max(0, TEST_EPOCH + Math.floor(scheduler.now) + this.clockShift) }, authoriser: new AllocationAuthoriser(), rulesVersion: RULES_VERSION,
      elapsed: () => scheduler.now,
      channel: { post: (replies: Reply[]) => scheduler.after(1, () => alive() && client.receive(replies)) },
      onFailed: () => {
        if (alive()) void this.start();
      },
    });
    this.client = client;
    this.host = host;
    this.engine = engine;
    const beat = (): void => {
      if (!alive()) return;
      host.heartbeat();
      scheduler.after(HEARTBEAT_MILLIS, beat);
    };
    beat();
  }

  /** Things go wrong now and then, for as long as clients have work. */
  misfortune(): void {
    const { random } = this;
    if (this.finished === CLIENTS) return;
    const draw = random.next();
    if (draw < 0.3) {
      this.crashes++;
      void this.start();
    } else if (draw < 0.55) {
      this.outages++;
      this.disk.crash();
    } else if (draw < 0.7) {
      // Another takes over; whoever led until now does not know, and goes on writing.
      this.replacements++;
      void this.disk.lead().catch(() => undefined);
    } else this.clockShift = random.pick([0, -3_600_000, 3_600_000, -TEST_EPOCH]);
    this.scheduler.after(random.between(50, 2_500), () => this.misfortune());
  }

  /** Sends one command after the other, each until it has an answer. */
  async work(name: number, commands: number): Promise<void> {
    for (let count = 0; count < commands; count++) {
      const key = `${name}-${count}`;
      const command: Command = { type: 'deposit', company: count % COMPANIES, amount: 1, reference: key };
      while (!this.acknowledged.has(key)) {
        const ack = await this.submit(command, key);
        if (ack !== undefined) this.acknowledge(key, ack);
        else await this.scheduler.sleep(this.random.between(1, RETRY_MILLIS));
      }
      await this.scheduler.sleep(this.random.between(0, 20));
      if (this.random.chance(0.1)) await this.repeat(command, key);
    }
    this.finished++;
  }

  private acknowledge(key: string, ack: Ack): void {
    if (eventOf(ack.events, 'deposited')?.reference !== key) this.findings.push(`${key} was answered with ${JSON.stringify(ack.events)}`);
    this.acknowledged.set(key, ack.sequence);
  }

  /** A late copy changes nothing and is told what the first one was. */
  private async repeat(command: Command, key: string): Promise<void> {
    const again = await this.submit(command, key);
    if (again !== undefined && (again.sequence !== this.acknowledged.get(key) || !again.repeated)) this.findings.push(`${key} was repeated as ${again.sequence}`);
  }

  /** undefined: no answer in time, or nobody to ask. */
  submit(command: Command, key: string): Promise<Ack | undefined> {
    const { client } = this;
    if (client === undefined) return Promise.resolve(undefined);
    return Promise.race([
      client.submit({ command, idempotencyKey: key, bodyHash: key }).catch(() => undefined),
      this.scheduler.sleep(ANSWER_MILLIS).then(() => undefined),
    ]);
  }
}

async function register(world: World): Promise<void> {
  for (let company = 0; company < COMPANIES; company++) {
    const command: Command = { type: 'registerCompany', name: `company ${company}`, role: 'borrower', group: '' };
    while ((await world.submit(command, `company ${company}`)) === undefined) await world.scheduler.sleep(RETRY_MILLIS);
  }
}

/** The live state when all of it is durable. */
async function liveState(world: World): Promise<{ sequence: number; stateHash: string }> {
  for (;;) {
    await world.host?.drain();
    const status = world.host?.sequencer.status();
    if (status !== undefined && status.sequence === status.committedSequence && world.disk.rows.at(-1)?.lastSequence === status.sequence && world.engine !== undefined) {
      return { sequence: status.sequence, stateHash: world.engine.stateHash() };
    }
    await world.scheduler.sleep(RETRY_MILLIS);
  }
}

/** What the journal says, executed again from the first command. */
async function judge(world: World): Promise<Engine> {
  const { findings, acknowledged } = world;
  const live = await liveState(world);
  const rows = world.disk.rows.filter(({ lastSequence }) => lastSequence <= live.sequence);
  const { engine } = await recover({ journal: new MemoryJournal(rows), engine: () => new Engine() });
  rows.forEach((row, index) => {
    const before = rows[index - 1];
    if (before !== undefined && row.engineTime < before.engineTime) findings.push(`engine time goes back at ${row.firstSequence}`);
    if (before !== undefined && row.epoch < before.epoch) findings.push(`epoch ${row.epoch} appended after epoch ${before.epoch}, at ${row.firstSequence}`);
  });
  if (live.sequence !== engine.sequence || live.stateHash !== engine.stateHash()) findings.push('the state by replay is not the live one');
  const usd = Array.from({ length: COMPANIES }, (_, company) => engine.query('balances', { company }).usd).reduce((sum, amount) => sum + amount, 0);
  if (usd !== acknowledged.size) findings.push(`${acknowledged.size} deposits were acknowledged, the balances hold ${usd}`);
  if (new Set(acknowledged.values()).size !== acknowledged.size) findings.push('two commands have one sequence');
  for (const { name, ok, detail } of engine.checkInvariants()) if (!ok) findings.push(`${name}: ${detail}`);
  return engine;
}

export async function simulateDisk({ seed, commands }: DiskSimulationOptions): Promise<DiskSimulationResult> {
  const world = new World(seed);
  const { scheduler } = world;
  let engine: Engine | undefined;
  const life = async (): Promise<void> => {
    await world.start();
    await register(world);
    scheduler.after(100, () => world.misfortune());
    await Promise.all(Array.from({ length: CLIENTS }, (_, client) => world.work(client, Math.ceil(commands / CLIENTS))));
    // What is still under way ends, and a leader that was replaced has time to notice.
    await scheduler.sleep(20_000);
    engine = await judge(world);
  };
  let failure: unknown;
  let over = false;
  void life().catch((error: unknown) => (failure = error)).finally(() => (over = true));
  await scheduler.run(() => over || scheduler.now > MILLIS_MAX);
  if (failure !== undefined) world.findings.push(failure instanceof Error ? (failure.stack ?? failure.message) : String(failure));
  else if (!over) world.findings.push(`it did not come to an end: ${world.acknowledged.size} commands were acknowledged`);
  const { crashes, outages, replacements, findings } = world;
  return { seed, sequence: engine?.sequence ?? 0, stateHash: engine?.stateHash() ?? '', crashes, outages, replacements, findings };
}
