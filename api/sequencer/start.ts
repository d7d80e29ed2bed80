/** The sequencer in a worker thread of this process. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { AnotherLeads, requireHolder } from '../../db/journal.ts';
import { SequencerClient } from './client.ts';
import { LEADER_DEFAULTS } from './leader.ts';
import type { LeaderOptions } from './leader.ts';
import type { Channel, Line, Reply, Request, WorkerMessage } from './messages.ts';
import type { SequencerPort } from './port.ts';

const RETRY_MILLIS = 500;
/**
 * What a batch leaves behind is garbage by the next: with room for several, little of it is ever moved. V8 has three of these spaces
 * and begins with small ones; the thread has little else, so it has all of the room from the beginning.
 */
const YOUNG_MEGABYTES = 96;
const YOUNG_SPACES = 3;
/**
 * V8 collects everything whenever what is old and what lies outside, which the batches' bytes do, have grown by some megabytes, and a
 * collection of everything stops a market for as long as several commits take. Below this it leaves that to the collections of what is young.
 */
const OLD_MEGABYTES = 256;
const RESTARTING = 'the market is restarting';

export interface StartOptions {
  /** Asked at each start: an embedded Postgres that had to be started again may have moved. */
  url: () => string;
  clock: 'wall' | 'manual';
  /** Where a manual clock starts when the market has no time yet. Now, unless given. */
  manualStart?: number;
  snapshotEvery?: number;
  snapshotPauseMillis?: number;
  leadWaitMillis?: number;
  /** The bundled worker. */
  workerFile?: string;
  say?: (line: string) => void;
  /** Waits for the lead however long it takes, and follows the journal meanwhile. */
  standby?: boolean;
  /** A standby that, while nobody leads, lets its engine go first for a while. */
  letsFirst?: boolean;
  /** The process does nothing but run the engine. */
  alone?: boolean;
  /** Told how far the engine of a standby has come. */
  onFollowing?: (sequence: number) => void;
  /** Where it is noted how far the market has come. Nowhere, unless given. */
  markFolder?: string;
  /** The end of the journal at which the market is to go on although it had come further. */
  acceptedEnd?: number;
  /** Called when the market cannot go on in this process: another engine leads, or the journal is damaged. The process must end. */
  onFatal: (error: Error) => void;
}

/**
 * Resolves when the market is recovered and its time is the present. When the journal fails later,
 * callers are refused while the thread starts again from the journal.
 * @throws Error saying why the market cannot start
 */
export async function startSequencer(options: StartOptions): Promise<SequencerPort & Line> {
  const sequencer = new WorkerSequencer(options);
  await (options.standby === true ? sequencer.standBy() : sequencer.launch());
  return sequencer;
}

/** In dist/ beside the server's bundle; from the sources, where the build puts it. */
const besides = import.meta.url.includes('/dist/') ? './sequencer_worker.js' : '../../dist/sequencer_worker.js';
export const WORKER_FILE = fileURLToPath(new URL(besides, import.meta.url));

class CannotStart extends Error {
  readonly final: boolean;
  constructor(message: string, final: boolean) {
    super(message);
    this.final = final;
  }
}

class WorkerSequencer extends SequencerClient implements Line {
  private readonly options: StartOptions;
  private readonly holder = `${hostname()} process ${process.pid} ${randomBytes(4).toString('hex')}`;
  private worker: Worker | undefined;
  private publishedSequence: number | undefined;
  private readonly hearers = new Set<(replies: readonly Reply[]) => void>();
  private running = false;
  private closing = false;

  constructor(options: StartOptions) {
    // Nothing is sent before `launch` has given the real channel.
    super({ channel: { post: () => undefined } });
    this.options = options;
    this.suspend('the market is starting');
  }

  /** Starts the thread and waits until it is ready. @throws CannotStart */
  async launch(): Promise<void> {
    setFlagsFromString(`--min-semi-space-size=${YOUNG_MEGABYTES / YOUNG_SPACES}`);
    setFlagsFromString(`--initial-old-space-size=${OLD_MEGABYTES}`);
    const worker = new Worker(this.options.workerFile ?? WORKER_FILE, { workerData: this.leaderOptions(), resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES } });
    this.worker = worker;
    const say = this.options.say ?? (() => undefined);
    try {
      await new Promise<void>((resolve, reject) => {
        worker.on('message', (message: WorkerMessage) => {
          if (message.kind === 'say') return say(message.line);
          if (message.kind === 'following') return this.options.onFollowing?.(message.sequence);
          for (const reply of message.replies) if (reply.kind === 'failed') reject(new CannotStart(reply.message, reply.final));
          if (message.replies.some(({ kind }) => kind === 'ready')) resolve();
          this.follow(message.replies);
        });
        worker.once('error', (error) => reject(new CannotStart(error.message, false)));
        worker.once('exit', (code) => reject(new CannotStart(`the market's thread ended with ${code}`, false)));
      });
    } catch (error) {
      await worker.terminate();
      throw error;
    }
    this.watch(worker);
    this.running = true;
    this.resume(channelTo(worker));
  }

  /** Launches until the lead has come. @throws CannotStart when the journal is damaged */
  async standBy(): Promise<void> {
    for (;;) {
      try {
        return await this.launch();
      } catch (error) {
        if (!(error instanceof CannotStart) || error.final || this.closing) throw error;
        this.options.say?.(`cannot stand by: ${error.message}`);
      }
      await sleep(RETRY_MILLIS);
    }
  }

  post(requests: Request[]): boolean {
    if (this.running) this.worker?.postMessage(requests);
    return this.running;
  }

  onReplies(listener: (replies: readonly Reply[]) => void): () => void {
    this.hearers.add(listener);
    return () => this.hearers.delete(listener);
  }

  override async close(): Promise<void> {
    this.closing = true;
    await super.close();
    await this.worker?.terminate();
  }

  private leaderOptions(): LeaderOptions {
    const { url, clock, manualStart, snapshotEvery, snapshotPauseMillis, leadWaitMillis, markFolder, acceptedEnd } = this.options;
    return {
      ...LEADER_DEFAULTS,
      ...(snapshotEvery === undefined ? {} : { snapshotEvery }),
      ...(snapshotPauseMillis === undefined ? {} : { snapshotPauseMillis }),
      ...(leadWaitMillis === undefined ? {} : { leadWaitMillis }),
      url: url(), markFolder, acceptedEnd, clock, manualStart: manualStart ?? Date.now(), holder: this.holder,
      resume: this.publishedSequence !== undefined,
      publishFrom: this.publishedSequence === undefined ? undefined : this.publishedSequence + 1,
      standby: this.options.standby === true && this.publishedSequence === undefined,
      letsFirst: this.options.letsFirst === true,
      alone: this.options.alone === true,
    };
  }

  private follow(replies: Reply[]): void {
    for (const reply of replies) {
      if (reply.kind === 'committed') this.publishedSequence = reply.batch.lastSequence;
      else if (reply.kind === 'stalled' || reply.kind === 'flowing') this.options.say?.(reply.kind === 'stalled' ? `the market waits: ${reply.message}` : 'the market goes on: the database answers');
      else if (reply.kind === 'ready') this.publishedSequence = Math.max(this.publishedSequence ?? 0, reply.status.committedSequence);
    }
    this.receive(replies);
    for (const hear of this.hearers) hear(replies);
  }

  /** From `ready` on: the first sign of failure ends this thread and starts another. */
  private watch(worker: Worker): void {
    let over = false;
    const end = (message: string, final: boolean) => {
      if (over || this.closing) return;
      over = true;
      this.running = false;
      this.suspend(RESTARTING);
      void this.restart(worker, message, final);
    };
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind !== 'replies') return;
      for (const reply of message.replies) if (reply.kind === 'failed') end(reply.message, reply.final);
    });
    worker.once('error', (error) => end(error.message, false));
    worker.once('exit', (code) => end(`the market's thread ended with ${code}`, false));
  }

  /** Who was replaced while it stood still is to end at once, and makes no thread for that. */
  private async requireLead(): Promise<void> {
    if (this.publishedSequence === undefined) return;
    await requireHolder({ url: this.options.url(), holder: this.holder }).catch((error: unknown) => {
      throw new CannotStart(error instanceof Error ? error.message : String(error), error instanceof AnotherLeads);
    });
  }

  private async restart(worker: Worker, why: string, final: boolean): Promise<void> {
    this.options.say?.(`the market stopped: ${why}`);
    await worker.terminate();
    let reason = new CannotStart(why, final);
    while (!reason.final && !this.closing) {
      try {
        await this.requireLead();
        return await this.launch();
      } catch (error) {
        reason = error instanceof CannotStart ? error : new CannotStart(String(error), true);
        this.options.say?.(`the market does not start: ${reason.message}`);
      }
      await sleep(RETRY_MILLIS);
    }
    if (!this.closing) this.options.onFatal(reason);
  }
}

function channelTo(worker: Worker): Channel<Request> {
  return { post: (messages, transfer) => worker.postMessage(messages, transfer) };
}
