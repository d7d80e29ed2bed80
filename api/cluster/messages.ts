/** What travels through Redis between the engine's process and all others. */
import type { Reply, Request } from '../sequencer/messages.ts';
import type { CommittedBatch } from '../sequencer/port.ts';
import type { Seal } from './seal.ts';

/** A request that comes later to the engine is not executed. */
export const TAKEN_WITHIN_MILLIS = 3_000;

/** An entry of the stream, to the engine. */
export interface Upward {
  /** Of the process, new at each start. */
  client: string;
  /** Grows with each message of a client: a message that comes twice is heard once. */
  number: number;
  /** Of the leader it is for: no successor executes it. */
  epoch: number;
  /** By the leader's own clock: not executed later. */
  until: number;
  requests: Request[];
  /** Companies that somebody at the client watches over; absent when it does not say. */
  watched?: number[];
}

/** Published to all. In order: a beat follows the batches that it counts. */
export type Broadcast =
  /** Several times a second, while the leader is certain that it leads. at: its own clock. */
  | { kind: 'beat'; epoch: number; committed: number; at: number }
  /** acknowledgements: by client, as in a `committed` reply. */
  | { kind: 'batch'; epoch: number; batch: CommittedBatch; acknowledgements: Record<string, Float64Array<ArrayBuffer>> }
  /** For every caller: `stalled`, `flowing`, `failed`. */
  | { kind: 'notices'; epoch: number; replies: Reply[] };

/** Published to one client, after the batches that its replies follow. */
export interface Answers {
  epoch: number;
  replies: Reply[];
}

export interface Places {
  commands: string;
  events: string;
  answers(client: string): string;
}
export const placesOf = ({ prefix }: Seal): Places => ({
  commands: `${prefix}:commands`,
  events: `${prefix}:events`,
  answers: (client) => `${prefix}:answers:${client}`,
});

export const idsOf = (request: Request): number[] => (request.kind === 'commands' ? request.ids : [request.id]);
