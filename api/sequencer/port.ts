/**
 * The one door to the market's state. Behind it stand the sequencer and the engine, in a worker of
 * this process or, with roles, in another process behind Redis; callers cannot tell.
 */
import type { Envelope } from '../../engine/commands.ts';
import type { EngineEvent, EventBatch, EventOf } from '../../engine/events.ts';
import type { Answer, Ask, QueryName } from '../../engine/queries.ts';

export interface Ack {
  /** Of the command; of the original when `repeated`. */
  sequence: number;
  /** Engine time. */
  now: number;
  /** Decoded, without the leading `command` event. A refusal is a `rejected` event. */
  readonly events: EngineEvent[];
  /** The first of a kind, without reading the others. */
  first<K extends EngineEvent['kind']>(kind: K): EventOf<K> | undefined;
  /** The idempotency key had been used with the same body: `events` are the original's. */
  repeated: boolean;
  /** After a capture: available + held + contracted of its company, micro-CR. */
  remaining?: number;
}

/** A batch after its commit: what realtime, caches and projections follow. */
export interface CommittedBatch {
  firstSequence: number;
  lastSequence: number;
  now: number;
  events: EventBatch;
}

export interface AuthoriseRequest {
  company: number;
  /** Unique per client request; released or captured exactly once. */
  request: string;
  /** Model index; the allocation's provider must serve it. */
  model: number;
  /** Worst case in 1e-6 GPU-seconds, by class index; a class without rating is not listed. */
  worstGpu: Record<number, number>;
  /** Only this provider; NONE: any. */
  provider: number;
  /** Markets and providers to leave out (their endpoints are down). */
  excluded: { provider: number; market: number }[];
  /** Markets and providers to use before all others, in this order; among equals the cheapest. */
  preferred?: { provider: number; market: number }[];
  /** What the request may not pass, beside its allocation. */
  limits?: SpendingLimit[];
  /** Micro-CR that the request has cost already; counted against its limits. */
  spent?: number;
}
/** A limit of spending, as a process knows it. Held to exactly, however many processes ask. */
export interface SpendingLimit {
  /** Whose: a key's or a project's id. */
  name: string;
  /** Micro-CR: the limit, less all that is committed up to a sequence. */
  left: number;
  upTo: number;
}
/** Of spending that needs no allocation yet: a purchase on the spot book. */
export interface Reservation {
  /** Unique; released exactly once. */
  request: string;
  limits: SpendingLimit[];
  /** Micro-CR at most. */
  cost: number;
}
/** What a reservation has come to: counted until every process has seen it committed. */
export interface Spent {
  amount: number;
  /** Of the command that spent it. */
  sequence: number;
}
export interface Authorisation {
  request: string;
  allocation: number;
  provider: number;
  market: number;
  hour: number;
  /** Ticks. */
  price: number;
  /** Held, 1e-6 GPU-seconds. */
  gpu: number;
  /** Bought by the company at this provider and market for the hour, in all its allocations; steps. */
  quantity: number;
}
/** Why no allocation could be held: none fits, the fitting ones are used up, their credit is frozen, or the request would pass a limit. */
export type AuthoriseRefusal = 'no_allocation' | 'budget_exhausted' | 'credits_blocked' | 'over_limit';
/** `pending`: what requests under way hold would suffice, if they do not use it. `limit`: the one that the request would pass. */
export type AuthoriseResult = { ok: true; authorisation: Authorisation } | { ok: false; reason: AuthoriseRefusal; pending?: true; limit?: string };

export interface SequencerStatus {
  sequence: number;
  committedSequence: number;
  epoch: number;
  now: number;
  queueLength: number;
  /** Milliseconds since the lead was last confirmed; absent where nobody can take it. */
  leaseAge?: number;
}

/** Thrown when the sequencer takes no more (queue full, database away, shutting down): 503 with Retry-After. */
export class Unavailable extends Error {
  readonly retryAfterSeconds: number;
  constructor(message: string, retryAfterSeconds = 1) {
    super(message);
    this.name = 'Unavailable';
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export interface SequencerPort {
  /** Resolves after the commit. A refusal by the engine resolves; only infrastructure rejects. @throws Unavailable */
  submit(envelope: Envelope): Promise<Ack>;
  /** Answered at its place in the sequence, after everything before it is durable. @throws Unavailable */
  query<Q extends QueryName>(name: Q, ask: Ask<Q>): Promise<Answer<Q>>;
  /** Holds GPU time for one request, in memory, exact. Ends with `capture` (a command naming the request) or `release`. */
  authorise(request: AuthoriseRequest): Promise<AuthoriseResult>;
  release(request: string): Promise<void>;
  /** Reserves spending within limits, in memory, exact over all processes. @returns false when it would pass one */
  reserve(reservation: Reservation): Promise<boolean>;
  /** @param spent absent: nothing was */
  releaseReservation(request: string, spent?: Spent): Promise<void>;
  /** Moves a manual clock and answers when every timer due has run. @throws Error with a wall clock */
  setClock(now: number): Promise<number>;
  /** In order, without gaps. Returns the unsubscription. */
  onCommitted(listener: (batch: CommittedBatch) => void): () => void;
  status(): Promise<SequencerStatus>;
  /** Drains and closes. */
  close(): Promise<void>;
}

/** The last of its kind: what holds when several of one command follow each other. */
export const lastEventOf = <K extends EngineEvent['kind']>(events: readonly EngineEvent[], kind: K): EventOf<K> | undefined =>
  events.findLast((event): event is EventOf<K> & EngineEvent => event.kind === kind);
export const eventOf = <K extends EngineEvent['kind']>(events: readonly EngineEvent[], kind: K): EventOf<K> | undefined =>
  events.find((event): event is EventOf<K> & EngineEvent => event.kind === kind);
