/**
 * What waits for the sequencer, first in, first out. Commands stay the bytes that they came as until it is their turn: thousands that
 * wait as objects would live through the collections of what is young, each of which would stop the market to move them.
 */
import { EnvelopeReader } from '../../engine/codec/command_codec.ts';
import type { Envelope } from '../../engine/commands.ts';
import type { QueryName } from '../../engine/queries.ts';
import type { Encoded } from './execution.ts';
import { Queue } from './queue.ts';

/** since: when it came, in elapsed milliseconds. */
export type Item = { id: number; since: number } & (
  | { kind: 'command'; envelope: Envelope; encoded: Encoded }
  | { kind: 'query'; name: QueryName; ask: object }
  | { kind: 'clock'; now: number }
);

/** Commands that came together. */
interface Parcel {
  readonly kind: 'commands';
  readonly ids: readonly number[];
  readonly since: number;
  readonly bytes: Uint8Array;
  readonly reader: EnvelopeReader;
  /** How many of them have been taken out. */
  taken: number;
}

export class Waiting {
  private readonly items = new Queue<Item>();
  /** What came after these. */
  private readonly behind = new Queue<Item | Parcel>();
  private countBehind = 0;

  get length(): number {
    return this.items.length + this.countBehind;
  }

  push(item: Item): void {
    this.behind.push(item);
    this.countBehind++;
  }
  /** Envelopes as an EnvelopeWriter writes them, the first of which have the ids. @throws RangeError when the bytes are of another format; later, when they are no envelopes */
  pushEncoded(ids: readonly number[], bytes: Uint8Array, since: number): void {
    const reader = new EnvelopeReader(bytes);
    if (ids.length === 0) return;
    this.behind.push({ kind: 'commands', ids, since, bytes, reader, taken: 0 });
    this.countBehind += ids.length;
  }

  /** @throws Error when nothing waits */
  first(): Item {
    return this.at(0);
  }
  /** What stands `place` behind the first. */
  at(place: number): Item {
    while (this.items.length <= place) this.takeOut();
    return this.items.at(place);
  }
  shift(): void {
    if (this.items.length === 0) this.takeOut();
    this.items.shift();
  }
  /** Takes out what does not fit, from first to last. */
  keep(fits: (item: Item) => boolean): void {
    while (this.countBehind > 0) this.takeOut();
    this.items.keep(fits);
  }
  clear(): void {
    this.items.clear();
    this.behind.clear();
    this.countBehind = 0;
  }

  private takeOut(): void {
    const next = this.behind.first();
    this.countBehind--;
    if (next.kind === 'commands') {
      this.items.push(taken(next));
      if (next.taken < next.ids.length) return;
    } else this.items.push(next);
    this.behind.shift();
  }
}

function taken(parcel: Parcel): Item {
  const { ids, since, bytes, reader } = parcel;
  const from = reader.at;
  const envelope = reader.next();
  const item: Item = { kind: 'command', id: ids[parcel.taken++], since, envelope, encoded: { bytes, from, to: reader.at } };
  if (parcel.taken === reader.count) reader.end();
  return item;
}
