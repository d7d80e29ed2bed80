/** What travels between the callers' thread and the sequencer's. Several messages go in one post, in order. */
import type { EventBatch } from '../../engine/events.ts';
import type { QueryName } from '../../engine/queries.ts';
import type { AuthoriseRequest, CommittedBatch, Reservation, SequencerStatus, Spent } from './port.ts';

export type Request =
  /** Envelopes as `encodeEnvelopes` writes them, one id each. age: milliseconds that they have waited elsewhere. */
  | { kind: 'commands'; ids: number[]; bytes: Uint8Array<ArrayBuffer>; age?: number }
  | { kind: 'query'; id: number; name: QueryName; ask: object }
  | { kind: 'clock'; id: number; now: number }
  | { kind: 'authorise'; id: number; request: AuthoriseRequest }
  | { kind: 'release'; id: number; request: string }
  | { kind: 'reserve'; id: number; reservation: Reservation }
  | { kind: 'releaseReservation'; id: number; request: string; spent: Spent | undefined }
  | { kind: 'status'; id: number }
  | { kind: 'close'; id: number };

export type Reply =
  | { kind: 'ready'; status: SequencerStatus }
  /** After a commit. `acknowledgements`: id, sequence, first and last word of its events, and what the company of a capture has left, for each command. */
  | { kind: 'committed'; batch: CommittedBatch; acknowledgements: Float64Array<ArrayBuffer> }
  /** The original of a repeated command. */
  | { kind: 'repeated'; id: number; sequence: number; now: number; events: EventBatch }
  | { kind: 'answer'; id: number; value: unknown }
  | { kind: 'error'; id: number; message: string }
  /** Not taken; may be tried again. */
  | { kind: 'refused'; ids: number[]; message: string }
  /** The journal does not answer: what has no reply by now has an unknown outcome, and nothing is taken until `flowing`. */
  | { kind: 'stalled'; message: string }
  | { kind: 'flowing' }
  /** The last message: what has no reply by now has an unknown outcome. final: starting again would not help. */
  | { kind: 'failed'; message: string; final: boolean };

export const WORDS_PER_ACKNOWLEDGEMENT = 5;
/** In the place of what a company has left, where nobody asks. */
export const NOT_TOLD = -1;

/** One side's way to the other. Buffers that `transfer` names are not used by the sender again. */
export interface Channel<Out> {
  post(messages: Out[], transfer: ArrayBuffer[]): void;
}

/** What the worker thread posts: replies, a line for the log, or how far the engine of a standby has come. */
export type WorkerMessage = { kind: 'replies'; replies: Reply[] } | { kind: 'say'; line: string } | { kind: 'following'; sequence: number };

/**
 * What passes on the messages of callers in other processes. They are many, and whoever speaks for them
 * gives their requests ids from `REMOTE_IDS` on, so that none of them meets a local caller's.
 */
export interface Line {
  /** @returns false when nothing is taken at present */
  post(requests: Request[]): boolean;
  /** Hears all replies, in order, whomever they are for. Returns the unsubscription. */
  onReplies(listener: (replies: readonly Reply[]) => void): () => void;
}
export const REMOTE_IDS = 2 ** 40;
