/** Writes what happens to orders into the event buffer, field by field: the hot half of events.ts. */
import type { PlaceOrder } from '../commands.ts';
import { CANCEL_REASONS, KIND, ORDER_STATUSES } from '../events.ts';
import type { CancelReason } from '../events.ts';
import type { State } from '../state.ts';
import type { CompanyId, ModelId } from '../vocabulary.ts';
import type { Steps, Ticks } from '../numbers/units.ts';

/** Numbers that every order's events are written with; as constants they stand in the code. */
const FILL = KIND.fill;
const ORDER_ACCEPTED = KIND.orderAccepted;
const ORDER_DONE = KIND.orderDone;
const ORDER_RESTED = KIND.orderRested;
export const STATUS_FILLED = ORDER_STATUSES.indexOf('filled');
const STATUS_CANCELED = ORDER_STATUSES.indexOf('canceled');
const STATUS_EXPIRED = ORDER_STATUSES.indexOf('expired');
/** In `orderDone`, reason 0 is 'filled' and the cancel reasons follow. */
export const REASON_FILLED = 0;
const REASON_REQUESTED = CANCEL_REASONS.indexOf('requested') + 1;
/** Nearly all that is cancelled is so on request, which need not be looked up. */
export const reasonCode = (reason: CancelReason): number => (reason === 'requested' ? REASON_REQUESTED : CANCEL_REASONS.indexOf(reason) + 1);
const isExpiry = (reason: CancelReason): boolean => reason === 'expired' || reason === 'hour_ended';

export class OrderEvents {
  private readonly state: State;

  constructor(state: State) {
    this.state = state;
  }

  accepted(command: PlaceOrder, row: number, price: Ticks): void {
    const { orders, buffer } = this.state;
    buffer.reserve(24);
    const { words } = buffer;
    const at = buffer.end;
    words[at] = ORDER_ACCEPTED;
    words[at + 1] = 20;
    words[at + 2] = orders.idOf(row);
    words[at + 3] = command.company;
    words[at + 4] = command.market;
    words[at + 5] = command.hour;
    words[at + 6] = command.side;
    words[at + 7] = command.orderType;
    words[at + 8] = price;
    words[at + 9] = command.quantity;
    words[at + 10] = command.timeInForce;
    words[at + 11] = command.postOnly ? 1 : 0;
    words[at + 12] = command.displayQuantity;
    words[at + 13] = command.minimumQuantity;
    words[at + 14] = command.stopPrice;
    words[at + 15] = command.expiresAt;
    words[at + 16] = orders.model(row);
    words[at + 17] = command.resaleOf;
    words[at + 18] = command.selfTradePrevention;
    words[at + 19] = command.cancelOnDisconnect ? 1 : 0;
    words[at + 20] = orders.hold(row);
    words[at + 21] = command.clientOrderId === '' ? 0 : buffer.text(command.clientOrderId);
    buffer.length = at + 22;
  }

  rested(row: number): void {
    const { orders, buffer } = this.state;
    buffer.reserve(5);
    const { words } = buffer;
    const at = buffer.end;
    words[at] = ORDER_RESTED;
    words[at + 1] = 3;
    words[at + 2] = orders.idOf(row);
    words[at + 3] = orders.visible(row);
    words[at + 4] = orders.remaining(row);
    buffer.length = at + 5;
  }

  triggered(row: number): void {
    this.state.buffer.emit('orderTriggered', { order: this.state.orders.idOf(row) });
  }

  reduced(row: number): void {
    const { orders, buffer } = this.state;
    buffer.emit('orderReduced', { order: orders.idOf(row), visible: orders.visible(row), remaining: orders.remaining(row), hold: orders.hold(row) });
  }

  amended(row: number, keptPriority: boolean): void {
    const { orders, buffer } = this.state;
    buffer.emit('orderAmended', { order: orders.idOf(row), price: orders.price(row), remaining: orders.remaining(row), hold: orders.hold(row), keptPriority });
  }

  /** The status of an order that leaves for a reason. Rules before version 4 called expired what the gate had cancelled. */
  statusAfter(reason: CancelReason): number {
    return isExpiry(reason) || (reason === 'gate_closed' && this.state.rulesVersion < 4) ? STATUS_EXPIRED : STATUS_CANCELED;
  }

  /** status and reason as their places in `orderDone`. */
  done(row: number, status: number, reason: number): void {
    const { orders, buffer } = this.state;
    buffer.reserve(6);
    const { words } = buffer;
    const at = buffer.end;
    words[at] = ORDER_DONE;
    words[at + 1] = 4;
    words[at + 2] = orders.idOf(row);
    words[at + 3] = status;
    words[at + 4] = reason;
    words[at + 5] = orders.remaining(row);
    buffer.length = at + 6;
  }

  /** `bid` is one of the two; the buyer, the seller and the book are theirs. */
  fill(maker: number, taker: number, bid: number, buyer: CompanyId, seller: CompanyId, book: number, allocation: number, model: ModelId, price: Ticks, quantity: Steps, fee: number): void {
    const { state } = this;
    const { orders, buffer } = state;
    const { rows } = state.levels;
    buffer.reserve(20);
    const { words } = buffer;
    const at = buffer.end;
    words[at] = FILL;
    words[at + 1] = 18;
    words[at + 2] = ++state.fills;
    words[at + 3] = state.allocations.idOf(allocation);
    words[at + 4] = orders.idOf(maker);
    words[at + 5] = orders.idOf(taker);
    words[at + 6] = bid === taker ? 0 : 1;
    words[at + 7] = buyer;
    words[at + 8] = seller;
    words[at + 9] = state.allocations.provider(allocation);
    words[at + 10] = rows.market(book);
    words[at + 11] = rows.hour(book);
    words[at + 12] = price;
    words[at + 13] = quantity;
    words[at + 14] = fee;
    words[at + 15] = orders.remaining(maker);
    words[at + 16] = orders.remaining(taker);
    words[at + 17] = orders.hold(bid);
    words[at + 18] = state.now;
    words[at + 19] = model;
    buffer.length = at + 20;
  }
}
