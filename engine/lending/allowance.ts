/**
 * How much more facilities may pay provider groups, while one order meets others. A look ahead and the trades it foresees take from it alike: what
 * facilities had spent in all is that of the beginning, and what a trade takes is its notional, as if each facility that may pay for it paid alone.
 */
import type { FacilityId } from '../vocabulary.ts';
import type { Micro, Steps, Ticks } from '../numbers/units.ts';

/** In micro-CR of the facility. Less than `least` is nothing. */
export interface Room {
  left: Micro;
  readonly least: Micro;
  /** Something was bought of it in this meeting. */
  isTaken: boolean;
}

export interface RoomHost {
  /** Facilities that may pay for a bid. */
  facilitiesOf(bid: number): Iterable<FacilityId>;
  /** Before anything is taken. */
  roomFor(facility: FacilityId, group: number): Room;
}

export class Allowance {
  private readonly host: RoomHost;
  private readonly rooms = new Map<FacilityId, Map<number, Room>>();

  constructor(host: RoomHost) {
    this.host = host;
  }

  /** Another order meets others, or the same is looked at anew. */
  begin(): void {
    if (this.rooms.size > 0) this.rooms.clear();
  }

  /** The most of a provider group's capacity that a bid may take at a price; 0 when it may not buy there. A step may always be taken of what is not too little. */
  most(bid: number, group: number, price: Ticks): Steps {
    let most = Infinity;
    for (const facility of this.host.facilitiesOf(bid)) {
      const { left, least } = this.room(facility, group);
      most = Math.min(most, left < least ? 0 : Math.max(1, Math.floor(left / price)));
    }
    return most;
  }

  took(bid: number, group: number, notional: Micro): void {
    for (const facility of this.host.facilitiesOf(bid)) {
      const room = this.room(facility, group);
      room.left -= notional;
      room.isTaken = true;
    }
  }

  /** Facilities of which some group may have no more in this meeting. */
  exhausted(): FacilityId[] {
    return [...this.rooms].filter(([, groups]) => [...groups.values()].some(({ left, least, isTaken }) => isTaken && left < least)).map(([facility]) => facility);
  }

  private room(facility: FacilityId, group: number): Room {
    let groups = this.rooms.get(facility);
    if (groups === undefined) {
      groups = new Map();
      this.rooms.set(facility, groups);
    }
    let room = groups.get(group);
    if (room === undefined) {
      room = this.host.roomFor(facility, group);
      groups.set(group, room);
    }
    return room;
  }
}
