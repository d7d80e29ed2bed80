/** What came of an order that was tried out, as its owner would find it when the command is over. */
import { EVENT_KINDS, decodeEvent, forEachEvent } from '../events.ts';
import type { EventBatch } from '../events.ts';
import type { Micro, Steps, Ticks } from '../numbers/units.ts';
import type { State } from '../state.ts';
import { SELL } from '../vocabulary.ts';
import type { FacilityId, Side } from '../vocabulary.ts';

export interface Foretold {
  /** Steps, and micro-CR, of its executions; the worst of their prices, 0 without one. */
  filled: Steps;
  notional: Micro;
  worst: Ticks;
  /** Steps that stay in the market, over all hours. */
  resting: Steps;
  /** Micro-CR that a buyer is charged for the executions, and that are reserved for what stays. */
  fee: Micro;
  hold: Micro;
  /** What a facility draws on demand for it. */
  draw: { facility: FacilityId; amount: Micro } | null;
}

export const NOTHING_FORETOLD: Foretold = { filled: 0, notional: 0, worst: 0, resting: 0, fee: 0, hold: 0, draw: null };

const worse = (side: Side, one: Ticks, other: Ticks): Ticks => (one === 0 ? other : side === SELL ? Math.min(one, other) : Math.max(one, other));

/** @param batch the events of the command alone */
export function foretoldBy(state: State, side: Side, batch: EventBatch): Foretold {
  const found = { ...NOTHING_FORETOLD };
  // What a command enters is its own: an order, or a block and its asks.
  const own = new Set<number>();
  forEachEvent(batch, (kind, at) => {
    const name = EVENT_KINDS[kind];
    if (name !== 'orderAccepted' && name !== 'blockAccepted' && name !== 'fill' && name !== 'facilityDrawn') return;
    const event = decodeEvent(batch, at);
    if (event.kind === 'orderAccepted') own.add(event.order);
    else if (event.kind === 'blockAccepted') own.add(event.block);
    else if (event.kind === 'facilityDrawn') found.draw = { facility: event.facility, amount: event.amount };
    else if (event.kind === 'fill' && (own.has(event.maker) || own.has(event.taker))) {
      found.filled += event.quantity;
      found.notional += event.price * event.quantity;
      found.worst = worse(side, found.worst, event.price);
      if (side !== SELL) found.fee += event.fee;
    }
  });
  for (const order of own) {
    const row = state.orders.rowOf(order);
    const block = state.blocks.get(order);
    if (row === -1) continue;
    found.hold += state.orders.hold(row);
    // A sell block is its asks.
    if (block === undefined) found.resting += state.orders.remaining(row);
    else if (side !== SELL) found.resting += block.wanted * (block.toHour - block.fromHour);
  }
  return found;
}
