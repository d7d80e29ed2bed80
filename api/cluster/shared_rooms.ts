/**
 * What each gateway takes and wants of the endpoints' room, told to all others twenty times a second. It gives up at once what it
 * no longer wants, and takes more when all others have said that they know of it: so two never take the same. One that is not heard
 * any more has ended, and what it took is free; while Redis is away nobody can tell, and each keeps to an equal part.
 */
import { NO_NEED, shareOf } from '../gateway/relay/room_shares.ts';
import type { Need, Rooms } from '../gateway/relay/room_shares.ts';
import { Broadcast } from './broadcast.ts';
import type { BroadcastOptions, Message } from './broadcast.ts';

const TELL_MILLIS = 50;
const GONE_MILLIS = 1_000;
/** Who has heard nothing for so many times counts as one that has heard them. */
const UNHEARD_MAX = 64;

interface Told {
  needs: Map<string, Need>;
  /** The last number of each other that had been heard. */
  heard: Map<string, number>;
}
interface Other {
  number: number;
  heardAt: number;
  needs: ReadonlyMap<string, Need>;
  /** What it has heard of this gateway. */
  ofThis: number;
}

export class SharedRooms implements Rooms {
  private readonly broadcast: Broadcast<Told>;
  private readonly others = new Map<string, Other>();
  private needs: (() => Map<string, Need>) | undefined;
  private onHeard: (() => void) | undefined;
  /** What some other may still reckon with: from what all have heard to what was told last. */
  private told: { number: number; needs: ReadonlyMap<string, Need> }[] = [{ number: 0, needs: new Map() }];
  private heardItself = -Infinity;

  constructor(options: BroadcastOptions) {
    this.broadcast = new Broadcast<Told>('rooms', options, (message) => this.hear(message, performance.now()), () => this.tell(), TELL_MILLIS);
  }

  begin(needs: () => Map<string, Need>, heard: () => void): void {
    this.needs = needs;
    this.onHeard = heard;
  }

  get gateways(): number {
    return this.others.size + 1;
  }

  share(endpoint: string, room: number): number {
    if (this.others.size === 0) return room;
    if (this.isAway(performance.now())) return room / this.gateways;
    const others = Array.from(this.others.values(), ({ needs }) => needs.get(endpoint) ?? NO_NEED);
    return Math.min(...this.told.map(({ needs }) => shareOf(room, needs.get(endpoint) ?? NO_NEED, others)));
  }

  close(): void {
    this.broadcast.close();
  }

  private isAway(now: number): boolean {
    return now - this.heardItself > GONE_MILLIS;
  }

  private tell(): void {
    if (this.needs === undefined || !this.broadcast.canTell) return;
    const needs = this.needs();
    const number = this.broadcast.tell({ needs, heard: new Map(Array.from(this.others, ([name, other]) => [name, other.number])) });
    this.told.push({ number, needs });
    if (this.told.length > UNHEARD_MAX) this.told.shift();
  }

  private hear({ client, number, needs, heard }: Message & Told, now: number): void {
    if (client !== this.broadcast.client) {
      if (number <= (this.others.get(client)?.number ?? 0)) return;
      this.others.set(client, { number, heardAt: now, needs, ofThis: heard.get(this.broadcast.client) ?? 0 });
      return this.settle();
    }
    // After an outage the others are given time to be heard again.
    if (this.isAway(now)) for (const other of this.others.values()) other.heardAt = now;
    this.heardItself = now;
    for (const [name, { heardAt }] of this.others) if (now - heardAt > GONE_MILLIS) this.others.delete(name);
    this.settle();
  }

  /** Forgets what nobody reckons with any more. */
  private settle(): void {
    const known = Math.min(...Array.from(this.others.values(), ({ ofThis }) => ofThis));
    while (this.told.length > 1 && this.told[1].number <= known) this.told.shift();
    this.onHeard?.();
  }
}
