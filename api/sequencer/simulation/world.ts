/**
 * The sequencer's own code, over a clock, a network and a disk that are simulated from a seed: it leads,
 * recovers, serves, and is ended, replaced or damaged at any moment.
 */
import type { Engine } from '../../../engine/engine.ts';
import { LITTLE_ROOM } from '../../../engine/state.ts';
import { RULES_VERSION } from '../../../engine/rules.ts';
import type { Command } from '../../../engine/commands.ts';
import { decodeEnvelopes, encodeEnvelopes } from '../../../engine/codec/command_codec.ts';
import { Random } from '../../../engine/simulation/random.ts';
import { GENESIS_HASH, JournalCorrupt, verifyRow } from '../../../db/journal_record.ts';
import type { Journal, JournalRow } from '../../../db/journal_record.ts';
import { AllocationAuthoriser } from '../authoriser.ts';
import { SequencerClient } from '../client.ts';
import { SequencerHost } from '../host.ts';
import { TEST_EPOCH } from '../in_process.ts';
import type { Reply, Request } from '../messages.ts';
import type { Ack } from '../port.ts';
import { recover, ReplayMismatch } from '../recovery.ts';
import { takeSnapshot } from '../snapshot_thread.ts';
import type { Taking } from '../snapshot_thread.ts';
import { Snapshotter } from '../snapshotter.ts';
import { isCareless, recoverCarelessly, withFlawedKeys } from './careless.ts';
import { SimulatedDisk } from './disk.ts';
import type { SimulatedJournal } from './disk.ts';
import type { Flaw } from './flaws.ts';
import { flawedJournal } from './flawed_journal.ts';
import { Scheduler } from './scheduler.ts';
import { SimulatedSnapshots } from './stored_snapshots.ts';
import { Told } from './told.ts';

export const CLIENTS = 4;
/** The last one is paid out too; what the others have only grows. */
export const GROWING = 2;
export const COMPANIES = GROWING + 1;
export const RETRY_MILLIS = 50;
const ANSWER_MILLIS = 1_500;
const HEARTBEAT_MILLIS = 100;
const QUIET_MILLIS = 100;
/** For so long after that they write to the new leader only, and the old one is asked nothing by which it would notice. */
const UNNOTICED_MILLIS = 250;
/** Commands between two snapshots. */
const SNAPSHOT_EVERY = 20;

/** What an ended one still does reaches nobody. */
interface Process {
  readonly engine: Engine;
  readonly host: SequencerHost;
  readonly client: SequencerClient;
  ended: boolean;
}

export class World {
  readonly scheduler = new Scheduler();
  readonly random: Random;
  readonly disk: SimulatedDisk;
  readonly snapshots: SimulatedSnapshots;
  readonly told = new Told(GROWING);
  readonly counts = { crashes: 0, outages: 0, replacements: 0, damages: 0, fromSnapshot: 0 };
  private readonly flaw: Flaw | undefined;
  /** Grows with each start: who starts and was overtaken gives up. */
  private generation = 0;
  leader: Process | undefined;
  /** Led before, does not know that it has been replaced, and still has clients. */
  private stale: Process | undefined;
  private clockShift = 0;
  private finished = 0;
  private quietUntil = 0;

  constructor(seed: number, flaw: Flaw | undefined) {
    this.flaw = flaw;
    this.random = new Random(seed);
    this.disk = new SimulatedDisk(this.scheduler, this.random, flaw);
    this.snapshots = new SimulatedSnapshots(this.scheduler, this.random);
  }

  /** The leader's process ends and another begins; so does the database's view of who leads. */
  restart(): Promise<void> {
    this.end(this.leader);
    return this.start();
  }

  /** Another takes over while the leader works; which goes on until it notices. */
  private replace(): void {
    this.end(this.stale);
    this.stale = this.leader;
    void this.start();
  }

  /** Clients send nothing for a moment and time is at rest, so that the leader appends nothing and cannot notice. */
  private replaceUnnoticed(): void {
    this.clockShift = -3_600_000;
    this.quietUntil = this.scheduler.now + QUIET_MILLIS;
    this.scheduler.after(QUIET_MILLIS, () => this.replace());
  }

  private end(process: Process | undefined): void {
    if (process === undefined) return;
    process.ended = true;
    process.client.suspend('the process is gone');
    if (this.stale === process) this.stale = undefined;
  }

  /** Takes the lead, recovers and serves, trying again and again until it succeeds. */
  private async start(): Promise<void> {
    const generation = ++this.generation;
    this.leader = undefined;
    while (generation === this.generation) {
      try {
        const journal = await this.disk.lead();
        const engine = await this.recover(journal);
        if (generation !== this.generation) return;
        if (this.disk.rottenSequence !== undefined) this.told.find(`served although the journal is damaged at ${this.disk.rottenSequence}`);
        this.leader = this.serve(engine, journal);
        return;
      } catch (error) {
        this.refused(error);
        await this.scheduler.sleep(RETRY_MILLIS);
      }
    }
  }

  /** As `Leader` does: the newest usable snapshot and what follows it, and the whole chain. */
  private async recover(journal: SimulatedJournal): Promise<Engine> {
    if (isCareless(this.flaw)) return recoverCarelessly(journal, this.snapshots, this.flaw);
    const { engine, snapshotSequence } = await recover({ journal, snapshots: this.snapshots, room: LITTLE_ROOM });
    verifyChain(this.disk.rows);
    if (snapshotSequence > 0) this.counts.fromSnapshot++;
    return withFlawedKeys(engine, this.flaw);
  }

  /** A start is refused for damage that there is, with its place; an operator then brings the journal back. */
  private refused(error: unknown): void {
    const named = error instanceof JournalCorrupt || error instanceof ReplayMismatch ? error : undefined;
    const { rottenSequence } = this.disk;
    if (rottenSequence === undefined) {
      if (named !== undefined) this.told.find(named.message);
      return;
    }
    if (named !== undefined && named.sequence !== rottenSequence) this.told.find(`the journal is damaged at ${rottenSequence}, and it was said: ${named.message}`);
    if (named !== undefined || isCareless(this.flaw)) this.disk.repair();
  }

  private serve(engine: Engine, journal: SimulatedJournal): Process {
    const { scheduler, random, told, flaw } = this;
    const client = new SequencerClient({
      schedule: (flush) => scheduler.after(0, flush),
      channel: {
        post: (messages: Request[]) => {
          // Messages may overtake each other, and arrive twice.
          for (let copy = random.chance(0.05) ? 2 : 1; copy > 0; copy--) scheduler.after(random.between(0, 10), () => !process.ended && this.deliver(structuredClone(messages), process));
        },
      },
    });
    client.onCommitted((batch) => told.committed(batch));
    const take = (): Taking => ({ done: takeSnapshot({ journal, snapshots: this.snapshots, room: LITTLE_ROOM }), end: () => Promise.resolve() });
    const snapshotter = new Snapshotter({ engine, journal, store: this.snapshots, take, every: SNAPSHOT_EVERY, pauseMillis: 0, latest: engine.sequence, say: () => undefined, unsound: (what) => told.find(what) });
    const host = new SequencerHost({
      engine, journal: this.writerOf(journal, engine), authoriser: new AllocationAuthoriser(), rulesVersion: RULES_VERSION,
      clock: { now: () => Math.max(0, TEST_EPOCH + Math.floor(scheduler.now) + this.clockShift) },
      elapsed: () => scheduler.now,
      limits: { aheadItems: 1, sliceItems: 2 },
      // A lease is what makes nobody else lead while one believes to.
      leads: () => flaw === 'no_lease' || this.disk.isLed(journal.epoch),
      channel: { post: (replies: Reply[]) => scheduler.after(1, () => !process.ended && client.receive(replies)) },
      onReleased: (lastSequence) => flaw !== 'snapshot_ahead' && snapshotter.afterRelease(lastSequence),
      onFailed: (error) => {
        if (process.ended) return;
        if (error instanceof JournalCorrupt) told.find(error.message);
        const led = this.leader === process;
        this.end(process);
        if (led) void this.start();
      },
    });
    const process: Process = { engine, host, client, ended: false };
    const beat = (): void => {
      if (process.ended) return;
      host.heartbeat();
      scheduler.after(HEARTBEAT_MILLIS, beat);
    };
    beat();
    return process;
  }

  private writerOf(journal: SimulatedJournal, engine: Engine): Journal {
    return this.flaw === undefined ? journal : flawedJournal({ journal, flaw: this.flaw, engine, snapshots: this.snapshots });
  }

  private deliver(messages: Request[], { engine, host, client }: Process): void {
    const { flaw } = this;
    if (flaw === 'keys_ignored') return host.receive(messages.map(withoutKeys));
    if (flaw !== 'uncommitted_read') return host.receive(messages);
    const asked = messages.filter((message) => message.kind === 'query');
    host.receive(messages.filter((message) => message.kind !== 'query'));
    client.receive(asked.map(({ id, name, ask }) => ({ kind: 'answer', id, value: engine.query(name, ask as never) })));
  }

  /** Things go wrong now and then, for as long as clients have work. */
  misfortune(): void {
    const { random, counts } = this;
    if (this.finished === CLIENTS) return;
    const draw = random.next();
    if (draw < 0.26) {
      counts.crashes++;
      void this.restart();
    } else if (draw < 0.48) {
      counts.outages++;
      this.disk.crash();
    } else if (draw < 0.72) {
      counts.replacements++;
      if (random.chance(0.3)) this.replace();
      else this.replaceUnnoticed();
    } else if (draw < 0.82) this.damage();
    else this.clockShift = random.pick([0, -3_600_000, 3_600_000, -TEST_EPOCH]);
    this.scheduler.after(random.between(50, 450), () => this.misfortune());
  }

  /** The process ends, and what it left decays before the next one reads it. */
  private damage(): void {
    if (this.random.chance(0.4)) this.snapshots.rot();
    if (this.disk.rot()) this.counts.damages++;
    this.end(this.stale);
    void this.restart();
  }

  /** Sends one command after the other, each until it has an answer. */
  async work(name: number, commands: number): Promise<void> {
    for (let count = 0; count < commands; count++) {
      const key = `${name}-${count}`;
      const company = count % COMPANIES;
      const isPayout = company >= GROWING && count % 2 === 1;
      const command: Command = isPayout ? { type: 'withdraw', company, amount: 1 } : { type: 'deposit', company, amount: 1, reference: key };
      if (company < GROWING) this.told.begun(company);
      while (!this.told.has(key)) {
        const ack = await this.submit(command, key);
        if (ack !== undefined) this.hear(key, company, ack);
        else await this.scheduler.sleep(this.random.between(1, RETRY_MILLIS));
      }
      await this.scheduler.sleep(this.random.between(0, 20) + Math.max(0, this.quietUntil - this.scheduler.now));
      if (this.random.chance(0.15)) await this.repeat(command, key, company);
    }
    this.finished++;
  }

  /** Reads balances for as long as others work. */
  async watch(): Promise<void> {
    while (this.finished < CLIENTS) {
      await this.read(this.random.between(0, GROWING - 1));
      await this.scheduler.sleep(this.random.between(1, 30));
    }
  }

  /** A late copy changes nothing and is told what the first one was. */
  private async repeat(command: Command, key: string, company: number): Promise<void> {
    const again = await this.submit(command, key);
    if (again !== undefined) this.hear(key, company, again);
  }

  private hear(key: string, company: number, ack: Ack): void {
    this.told.answered(key, company, ack, this.disk.syncedRows);
  }

  private async read(company: number): Promise<void> {
    const client = this.chosenClient(0.6);
    if (client === undefined) return;
    const tell = this.told.asks(company);
    const balances = await this.within(client.query('balances', { company }));
    if (balances !== undefined) tell(balances.usd, this.disk.syncedRows);
  }

  /** undefined: no answer in time, or nobody to ask. */
  submit(command: Command, key: string): Promise<Ack | undefined> {
    const unnoticed = this.quietUntil > 0 && this.scheduler.now < this.quietUntil + UNNOTICED_MILLIS;
    const client = this.chosenClient(unnoticed ? 0 : 0.03);
    if (client === undefined) return Promise.resolve(undefined);
    return this.within(client.submit({ command, idempotencyKey: key, bodyHash: key }));
  }

  /** Clients do not know who leads. */
  private chosenClient(shareOfStale: number): SequencerClient | undefined {
    const { stale, leader } = this;
    return stale !== undefined && this.random.chance(shareOfStale) ? stale.client : leader?.client;
  }

  private within<T>(answer: Promise<T>): Promise<T | undefined> {
    return Promise.race([answer.catch(() => undefined), this.scheduler.sleep(ANSWER_MILLIS).then(() => undefined)]);
  }
}

export function verifyChain(rows: readonly JournalRow[]): void {
  rows.forEach((row, index) => verifyRow(rows[index - 1]?.lastSequence ?? 0, rows[index - 1]?.hash ?? GENESIS_HASH, row));
}

function withoutKeys(message: Request): Request {
  if (message.kind !== 'commands') return message;
  return { ...message, bytes: encodeEnvelopes(decodeEnvelopes(message.bytes).map(({ command }) => ({ command, idempotencyKey: '', bodyHash: '' }))) };
}
