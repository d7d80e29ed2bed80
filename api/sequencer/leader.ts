/** The engine's process or thread: takes the lead, recovers from the journal, and runs the sequencer until it is told to stop or loses. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { RULES_VERSION } from '../../engine/rules.ts';
import { decodeEventBytes } from '../../engine/codec/event_codec.ts';
import { AnotherLeads, LEASE_MILLIS, PostgresJournal } from '../../db/journal.ts';
import { copyRows } from '../../db/copy_out.ts';
import { KEEP_ALIVE, giveUpForgotten } from '../../db/forgotten.ts';
import { verifyEnd, verifyJournal } from '../../db/journal_reader.ts';
import { JournalCorrupt, StaleEpoch } from '../../db/journal_record.ts';
import { PostgresSnapshots } from '../../db/snapshots.ts';
import type { Authoriser } from './authoriser_port.ts';
import { ManualClock, wallClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { SequencerHost } from './host.ts';
import { InvariantWatch } from './invariant_watch.ts';
import type { Channel, Reply, Request } from './messages.ts';
import { JournalMark, KEEP_MILLIS } from './journal_mark.ts';
import { recover, ReplayMismatch } from './recovery.ts';
import type { Recovered } from './recovery.ts';
import { takeInThread } from './snapshot_thread.ts';
import { Snapshotter } from './snapshotter.ts';
import { standBy } from './standby.ts';
import type { Lead } from './standby.ts';
import { settleHeap } from './warm_up.ts';

const HEARTBEAT_MILLIS = 100;
/** In which each invariant is looked at once. */
const INVARIANTS_MILLIS = 60_000;
const CONNECT_MILLIS = 5_000;
/** From here on it is asked whether the journal's connection still lives, and this often. */
const PROBE_AFTER_MILLIS = 2_000;
const PROBE_PAUSE_MILLIS = 500;
/** A server that has just begun or ended our append may look as if it had forgotten it. */
const FORGOTTEN_TIMES = 2;

export interface LeaderOptions {
  url: string;
  /** Who leads: unique to a process, and readable. */
  holder: string;
  /** This process has led before. */
  resume: boolean;
  clock: 'wall' | 'manual';
  /** Where a manual clock starts when the market has no time yet. */
  manualStart: number;
  /** Commands between two snapshots. */
  snapshotEvery: number;
  /** And milliseconds, unless very many commands have come. */
  snapshotPauseMillis: number;
  /** How long another leader may take to go. */
  leadWaitMillis: number;
  /** Batches from this sequence on are sent again: the callers have not seen them. undefined: none. */
  publishFrom: number | undefined;
  /** Waits for the lead however long it takes, and follows the journal meanwhile. */
  standby: boolean;
  /** A standby that lets its engine go first. */
  letsFirst: boolean;
  /** The process does nothing but run the engine. */
  alone: boolean;
  /** Where it is noted how far the market has come; undefined: nowhere. */
  markFolder: string | undefined;
  /** As ACCEPT_JOURNAL_END has it. */
  acceptedEnd: number | undefined;
}
export const LEADER_DEFAULTS = { snapshotEvery: 250_000, snapshotPauseMillis: 30_000, leadWaitMillis: 8_000, standby: false, letsFirst: false, alone: false };

export interface LeaderParts {
  channel: Channel<Reply>;
  authoriser: Authoriser;
  say: (line: string) => void;
  /** The bundle whose threads take snapshots. */
  snapshotFile: URL;
  /** Told how far the engine of a standby has come. */
  onFollowing?: (sequence: number) => void;
}

export class Leader {
  private readonly options: LeaderOptions;
  private readonly parts: LeaderParts;
  /** One from beginning to end: what it found damaged goes when it saves. */
  private readonly snapshots: PostgresSnapshots;
  private host: SequencerHost | undefined;
  private journal: PostgresJournal | undefined;
  private heartbeat: NodeJS.Timeout | undefined;
  private invariants: NodeJS.Timeout | undefined;
  private marking: NodeJS.Timeout | undefined;
  private probing = false;
  private failed = false;

  constructor(options: LeaderOptions, parts: LeaderParts) {
    this.options = options;
    this.parts = parts;
    this.snapshots = new PostgresSnapshots(options.url);
  }

  /** Answers with a `ready` or a `failed` message; after `failed` nothing more is sent. */
  async start(): Promise<void> {
    try {
      const { journal, recovered } = await (this.options.standby ? this.standBy() : this.takeLead());
      await this.run(journal, recovered);
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  receive(requests: readonly Request[]): void {
    this.host?.receive(requests);
  }

  private async takeLead(): Promise<Lead> {
    const { url, holder, resume, leadWaitMillis } = this.options;
    this.journal = await PostgresJournal.lead({ url, holder, resume, waitMillis: leadWaitMillis, onLost: (error) => this.lost(error) });
    const [recovered] = await Promise.all([this.recover(this.journal), this.verify()]);
    return { journal: this.journal, recovered };
  }

  private async standBy(): Promise<Lead> {
    const { url, holder, letsFirst } = this.options;
    const { say, onFollowing = () => undefined } = this.parts;
    const lead = await standBy({ url, holder, snapshots: this.snapshots, verify: () => this.verify(), letsFirst, say, onFollowing, onLost: (error) => this.lost(error) });
    this.journal = lead.journal;
    return lead;
  }

  private recover(journal: PostgresJournal): Promise<Recovered> {
    const source = { rowOf: (sequence: number) => journal.rowOf(sequence), rows: (sequence: number) => copyRows(this.options.url, sequence) };
    return recover({ journal: source, snapshots: this.snapshots, say: this.parts.say });
  }

  /** Who stood by has said that it was warm. */
  private tell({ engine, snapshotSequence, replayedCommands, snapshotMillis, replayMillis }: Recovered): void {
    if (this.options.standby || engine.sequence === 0) return;
    this.parts.say(`recovered ${engine.sequence} commands: snapshot at ${snapshotSequence} (${Math.round(snapshotMillis)} ms), ${replayedCommands} replayed (${Math.round(replayMillis)} ms)`);
  }

  /**
   * The whole chain, also what a snapshot covers, meanwhile and over a connection of its own. Who has
   * led before has looked at it when it first led, and is to go on soon: it looks at the end.
   */
  private async verify(): Promise<void> {
    const clients = [1, 2].map(() => new pg.Client({ connectionString: this.options.url, connectionTimeoutMillis: CONNECT_MILLIS, ...KEEP_ALIVE }));
    try {
      for (const client of clients) {
        client.on('error', () => undefined);
        giveUpForgotten(client, this.options.url);
        await client.connect();
      }
      const [client, helper] = clients;
      await (this.options.resume ? verifyEnd(client) : verifyJournal(client, helper));
    } finally {
      for (const client of clients) await client.end();
    }
  }

  /** @returns what notes the end once more */
  private async mark(journal: PostgresJournal): Promise<() => Promise<void>> {
    const { markFolder, acceptedEnd, url } = this.options;
    if (markFolder === undefined) return () => Promise.resolve();
    const mark = await JournalMark.open(markFolder, url, this.parts.say);
    await mark.check(journal, acceptedEnd);
    this.marking = setInterval(() => void mark.keep(journal), KEEP_MILLIS);
    return () => mark.keep(journal);
  }

  private async run(journal: PostgresJournal, recovered: Recovered): Promise<void> {
    const { engine, snapshotSequence } = recovered;
    const noteEnd = await this.mark(journal);
    this.tell(recovered);
    settleHeap();
    const { channel, authoriser, say, snapshotFile } = this.parts;
    const { url, snapshotEvery, snapshotPauseMillis } = this.options;
    const snapshotter = new Snapshotter({
      engine, journal, store: this.snapshots, take: () => takeInThread(snapshotFile, url), every: snapshotEvery, pauseMillis: snapshotPauseMillis, latest: snapshotSequence, say, unsound: (what) => watch.found(what),
    });
    await this.publishUnseen(journal);
    const host = new SequencerHost({
      engine, journal, clock: this.clockAt(engine.now), authoriser, rulesVersion: RULES_VERSION, channel, leaseAge: () => journal.leaseAge, leads: () => journal.leaseAge < LEASE_MILLIS,
      onReleased: (lastSequence) => snapshotter.afterRelease(lastSequence),
      onFailed: (error) => this.fail(error),
      onClose: () => this.close(journal, snapshotter).then(noteEnd),
    });
    this.host = host;
    this.heartbeat = setInterval(() => this.beat(host, journal), HEARTBEAT_MILLIS);
    const watch = new InvariantWatch({ engine, sequencer: host.sequencer, say });
    this.invariants = setInterval(() => watch.look(), INVARIANTS_MILLIS / engine.invariants);
    // What passed while nobody led is settled before anybody is served.
    host.sequencer.heartbeat();
    await host.drain();
    if (this.failed) return;
    channel.post([{ kind: 'ready', status: host.sequencer.status() }], []);
  }

  private beat(host: SequencerHost, journal: PostgresJournal): void {
    host.heartbeat();
    if (host.sequencer.appendingMillis > PROBE_AFTER_MILLIS && !this.probing) void this.probe(host, journal);
  }

  /** An append that never returns is worse than one that fails: a connection can die without a word. */
  private async probe(host: SequencerHost, journal: PostgresJournal): Promise<void> {
    this.probing = true;
    let times = 0;
    while (times < FORGOTTEN_TIMES && !this.failed && host.sequencer.appendingMillis > PROBE_AFTER_MILLIS) {
      times = (await journal.isForgotten()) ? times + 1 : 0;
      await sleep(PROBE_PAUSE_MILLIS);
    }
    if (times === FORGOTTEN_TIMES && host.sequencer.appendingMillis > PROBE_AFTER_MILLIS) journal.abandon();
    this.probing = false;
  }

  /** A batch may be durable although its leader never learnt of it: those who follow commits have not seen it. */
  private async publishUnseen(journal: PostgresJournal): Promise<void> {
    const { publishFrom } = this.options;
    if (publishFrom === undefined) return;
    for await (const row of journal.rows(publishFrom)) {
      const batch = { firstSequence: row.firstSequence, lastSequence: row.lastSequence, now: row.engineTime, events: decodeEventBytes(row.events) };
      this.parts.channel.post([{ kind: 'committed', batch, acknowledgements: new Float64Array(0) }], []);
    }
  }

  private clockAt(engineNow: number): Clock {
    if (this.options.clock === 'wall') return wallClock;
    return new ManualClock(engineNow === 0 ? this.options.manualStart : engineNow);
  }

  private async close(journal: PostgresJournal, snapshotter: Snapshotter): Promise<void> {
    clearInterval(this.heartbeat);
    clearInterval(this.invariants);
    clearInterval(this.marking);
    if (this.failed) return;
    await snapshotter.finish();
    await journal.close();
  }

  private lost(error: Error): void {
    if (this.host === undefined) this.fail(error);
    else this.host.sequencer.abort(error);
  }

  private fail(error: Error): void {
    if (this.failed) return;
    this.failed = true;
    clearInterval(this.heartbeat);
    clearInterval(this.invariants);
    clearInterval(this.marking);
    this.parts.channel.post([{ kind: 'failed', message: error.message, final: isFinal(error) }], []);
    this.journal?.close().catch(() => undefined);
  }
}

/** Another leads, or the journal is not what it was: starting again would come to the same. */
const isFinal = (error: Error): boolean => [StaleEpoch, AnotherLeads, JournalCorrupt, ReplayMismatch].some((kind) => error instanceof kind);
