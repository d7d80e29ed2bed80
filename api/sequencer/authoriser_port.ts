/**
 * What the sequencer asks of the authoriser: the table, in memory and beside the engine, of GPU time
 * that is held for requests under way. It is not journalled: its holds die with the process, and
 * what was not captured before is not billed.
 *
 * Every call is synchronous, and all come from the sequencer's own thread, between commits. The engine may
 * have applied what is not yet committed; only in `load` are the two certain to be the same. The order after a commit is: `committed(batch)`, then
 * `captured(request)` for each capture command of the batch, in order.
 */
import type { Command, ReleasePending } from '../../engine/commands.ts';
import type { Answer, Ask, QueryName } from '../../engine/queries.ts';
import type { AuthoriseRequest, AuthoriseResult, CommittedBatch, Reservation, Spent } from './port.ts';

/** Commands that the sequencer itself must send for the authoriser: GPU time kept in contract after its hour that nobody will use. */
export type PendingReleases = ReleasePending[];

/** What of the engine the authoriser may see, when it starts. */
export interface EngineView {
  readonly now: number;
  readonly sequence: number;
  query<Q extends QueryName>(name: Q, ask: Ask<Q>): Answer<Q>;
}

export interface Authoriser {
  /**
   * Builds the table from the recovered state, before anything else is called. Nothing is held then:
   * returns a release for all GPU time that earlier processes left pending in settled hours.
   */
  load(engine: EngineView): PendingReleases;
  /** Follows every committed batch, in order. Holds that have become too old end: what they had reserved in a settled hour is returned. */
  committed(batch: CommittedBatch): PendingReleases;
  authorise(request: AuthoriseRequest): AuthoriseResult;
  /** @returns false when it would pass a limit */
  reserve(reservation: Reservation): boolean;
  /** Unknown or already ended: nothing happens. */
  releaseReservation(request: string, spent: Spent | undefined): void;
  /** GPU time of the allocation that requests under way hold now: what its owner may not resell. */
  heldOf(allocation: number): number;
  /** The same of every allocation. */
  allHeld(): { allocation: number; gpu: number }[];
  /** Any company's allocations may have changed in a way that is not committed yet. */
  rereadAll(): void;
  /** The engine has taken a resale of the company's that is not committed yet: its allocations are read anew. */
  reread(company: number): void;
  /** Ends a hold without use. Unknown or already ended: nothing happens. */
  release(request: string): PendingReleases;
  /**
   * Ends the hold of a request whose capture is committed (or was refused by the engine). What the
   * hold had reserved beyond the capture in a settled hour is returned as a release.
   */
  captured(request: string): PendingReleases;
  /** What is held on allocations of this delivery hour; called once per hour, at its end, and remembered as pending from then on. */
  pendingOf(hour: number): Extract<Command, { type: 'endHour' }>['pending'];
}
