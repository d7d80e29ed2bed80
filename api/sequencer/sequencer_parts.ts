/** What a sequencer is made of and what it gives out. */
import type { Envelope } from '../../engine/commands.ts';
import type { EventBuffer } from '../../engine/events.ts';
import type { Journal } from '../../db/journal_record.ts';
import type { Acknowledgements } from './acknowledgements.ts';
import type { Authoriser, EngineView } from './authoriser_port.ts';
import type { Clock } from './clock.ts';
import type { CommittedBatch } from './port.ts';

/** The bytes of a snapshot, which are made when they are asked for. */
export interface StateCopy {
  pieces(): Iterable<Uint8Array>;
}

export interface SequencedEngine extends EngineView {
  readonly buffer: EventBuffer;
  /** Something is begun that ticks to the present moment go on with, a part each, so that orders get in between. */
  readonly hasWork: boolean;
  set rulesVersion(version: number);
  apply(envelope: Envelope): void;
  /** Whether it helps to tell the engine of commands before they come. */
  readonly isWide: boolean;
  foresee(envelopes: readonly Envelope[], from: number, to: number): void;
  /** A copy of the state, of which the hash is taken; in a room, if there is one. */
  copy(room?: Uint8Array<ArrayBuffer>): StateCopy;
  /** As many bytes as such a room should have. */
  readonly copyRoom: number;
}

export type QueryAnswer = { id: number; ok: true; value: unknown } | { id: number; ok: false; message: string };

/** What one turn releases, all at once. */
export interface Release {
  /** undefined: the turn had only questions. */
  batch: CommittedBatch | undefined;
  acknowledgements: Acknowledgements;
  /** Commands whose idempotency key was used before: they are acknowledged with the original's events. */
  repeats: { id: number; original: number }[];
  answers: QueryAnswer[];
  /** Waited longer than callers do, or asked of one who may have been replaced; they were not executed. */
  expired: number[];
  /** Who has asked for the hash of this state. Hashing takes long, so it is done beside the commands; `hashed` is to be called then. */
  hash: { ids: number[]; sequence: number; state: StateCopy } | undefined;
}

export interface Outlet {
  /** Everything applied so far is durable when this is called. */
  released(release: Release): void;
  /** The last call there is: nothing more will be applied or released. */
  failed(error: Error): void;
}

export interface SequencerLimits {
  /** Commands, queries and clock moves that wait; beyond them callers are refused. */
  queue: number;
  /** What has waited longer is given back instead of executed: nobody is there for it any more. */
  waitMillis: number;
  /** Commands of one batch. */
  batchCommands: number;
  /** Event words after which a batch is closed. */
  batchWords: number;
  /** So many items that wait while a batch is being appended are applied at once, as the beginning of the next. With fewer there is little to gain, and what is not applied can still be given back. */
  aheadItems: number;
  /** So many items are applied at a time before it is looked whether the append under way has ended: the next one is not to wait for long. */
  sliceItems: number;
  /** Idle time after which engine time moves on by itself. */
  idleMillis: number;
}
export const SEQUENCER_LIMITS: SequencerLimits = { queue: 50_000, waitMillis: 5_000, batchCommands: 8_000, batchWords: 1 << 20, aheadItems: 64, sliceItems: 256, idleMillis: 1_000 };

export interface SequencerParts {
  engine: SequencedEngine;
  journal: Journal;
  clock: Clock;
  authoriser: Authoriser;
  outlet: Outlet;
  rulesVersion: number;
  limits?: Partial<SequencerLimits>;
  /** Milliseconds that never go back, to tell how long something has waited. */
  elapsed?: () => number;
  /** Whether nobody else can have taken the lead: asked before answers leave that no append has proven to be the newest. Always, unless given. */
  leads?: () => boolean;
}
