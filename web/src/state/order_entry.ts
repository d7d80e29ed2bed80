/** Sending and cancelling orders; each order has one toast that changes as the order does. */
import { isOpen, type Account } from './account.ts';
import type { ApiClient } from './api_client.ts';
import { Cell } from './cell.ts';
import { toSteps } from './decimal.ts';
import { explain, toApiError, type ApiError } from './errors.ts';
import * as format from './format.ts';
import { blockBody, EMPTY_TICKET, hoursOf, orderBody, reduceTicket, type TicketAction, type TicketFields, type TicketSummary } from './ticket.ts';
import type { Instrument } from './instrument.ts';
import { dataOf } from './loadable.ts';
import type { Toast, Toasts, Tone } from './toasts.ts';
import type { PlacedOrder, WireOrder } from './wire.ts';

const TONES: Record<WireOrder['status'], Tone> = {
  open: 'good',
  partially_filled: 'good',
  filled: 'good',
  canceled: 'neutral',
  expired: 'neutral',
  rejected: 'bad',
  untriggered: 'good',
};

const LATENCIES_MAX = 500;

const keyOf = (id: string): string => `order:${id}`;
const headline = (order: { side: string; quantity: string; instrument: string }): string =>
  `${order.side === 'buy' ? 'Buy' : 'Sell'} ${format.decimal(order.quantity)} GPU-h ${order.instrument.split('.')[0]}`;

function detailOf(order: WireOrder): string {
  const filled = order.average_price === null ? '' : ` at ${format.decimal(order.average_price, 4)} CR`;
  if (order.status === 'filled') return `Filled${filled}`;
  if (order.status === 'partially_filled') return `${format.decimal(order.filled_quantity)} of ${format.decimal(order.quantity)} filled${filled}`;
  if (order.status === 'open') return `Resting at ${format.decimal(order.price)} CR`;
  if (order.status === 'untriggered') return `Waits for ${format.decimal(order.stop_price)} CR`;
  return format.words(order.status);
}

/** A block, and an hour of one, is placed anew from its ticket. */
const mayComeBack = (order: WireOrder): boolean => order.block === null && order.block_id === null && /[1-9]/.test(order.remaining_quantity);

/** The operation that places what was left of an order. What it hides and its least part are taken again only where they still fit. */
function againOf(order: WireOrder): object {
  const { instrument, side, type, price, stop_price, time_in_force, post_only, expires_at, model, resale_of, self_trade_prevention, cancel_on_disconnect, remaining_quantity, display_quantity } = order;
  const shows = display_quantity !== null && toSteps(display_quantity) < toSteps(remaining_quantity) ? { display_quantity } : {};
  const optional = { price, stop_price, expires_at, model, resale_of };
  return {
    op: 'place', instrument, side, type, quantity: remaining_quantity, time_in_force, post_only, self_trade_prevention, cancel_on_disconnect, ...shows,
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== null)),
  };
}

export class OrderEntry {
  readonly ticket = new Cell<TicketFields>(EMPTY_TICKET);
  readonly sending = new Cell(false);
  /** The refusal of the last order, until the ticket changes. */
  readonly refusal = new Cell<ApiError | undefined>(undefined);
  /** Milliseconds from the click to the acknowledgement of the last order. */
  readonly latency = new Cell<number | undefined>(undefined);
  private readonly api: ApiClient;
  private readonly account: () => Account;
  private readonly toasts: Toasts;
  private readonly onError: (error: ApiError) => void;
  /** Orders this page has sent: others, of bots with the same account, get no toast. */
  private readonly own = new Set<string>();
  private sent = 0;
  /** Milliseconds that the acknowledgements of this page's orders took, by order. */
  readonly latencies = new Map<string, number>();

  constructor(dependencies: { api: ApiClient; account: () => Account; toasts: Toasts; onError: (error: ApiError) => void }) {
    this.api = dependencies.api;
    this.account = dependencies.account;
    this.toasts = dependencies.toasts;
    this.onError = dependencies.onError;
  }

  dispatch(action: TicketAction): void {
    this.ticket.value = reduceTicket(this.ticket.value, action);
    this.refusal.value = undefined;
  }

  async place(summary: TicketSummary, instrument: Instrument): Promise<void> {
    if (this.sending.value || summary.problems.length > 0) return;
    const fields = this.ticket.value;
    const title = headline({ side: fields.side, quantity: format.quantity((summary.quantity ?? 0) * hoursOf(fields)).replaceAll(',', ''), instrument: instrument.id });
    const pendingKey = `sending:${++this.sent}`;
    this.sending.value = true;
    this.toasts.show({ key: pendingKey, tone: 'pending', title, detail: 'Sending' });
    const started = performance.now();
    try {
      const { order } = fields.hours === undefined
        ? await this.api.post<PlacedOrder>('/orders', orderBody(fields, summary, instrument.id))
        : await this.api.post<PlacedOrder>('/blocks', blockBody(fields, summary, instrument));
      this.latency.value = Math.round(performance.now() - started);
      this.remember(order.id, this.latency.value);
      this.toasts.dismiss(pendingKey);
      this.note(order);
      this.dispatch({ type: 'sent' });
    } catch (cause) {
      const error = toApiError(cause);
      this.onError(error);
      // The ticket says it beside its button.
      this.refusal.value = error;
      this.toasts.dismiss(pendingKey);
    } finally {
      this.sending.value = false;
    }
  }

  private remember(order: string, millis: number): void {
    this.own.add(order);
    this.latencies.set(order, millis);
    const [oldest] = this.latencies.keys();
    if (this.latencies.size > LATENCIES_MAX && oldest !== undefined) this.latencies.delete(oldest);
  }

  /** Another price or remaining quantity. Returns the refusal, if there is one. */
  async amend(order: WireOrder, change: { price?: string; quantity?: string }): Promise<ApiError | undefined> {
    this.own.add(order.id);
    this.toasts.show({ key: keyOf(order.id), tone: 'pending', title: headline(order), detail: 'Changing' });
    const started = performance.now();
    try {
      const answer = await this.api.patch<PlacedOrder>(`/orders/${encodeURIComponent(order.id)}`, change);
      this.remember(order.id, Math.round(performance.now() - started));
      this.note(answer.order);
      return undefined;
    } catch (cause) {
      this.failed(keyOf(order.id), headline(order), cause);
      return toApiError(cause);
    }
  }

  async cancel(order: WireOrder): Promise<void> {
    this.own.add(order.id);
    this.toasts.show({ key: keyOf(order.id), tone: 'pending', title: headline(order), detail: 'Cancelling' });
    try {
      const answer = await this.api.delete<{ order: WireOrder }>(`/orders/${encodeURIComponent(order.id)}`);
      this.account().noteOrder(answer.order);
      // The feed's word of the same must not take the way back away.
      this.own.delete(order.id);
      this.toasts.show({ key: keyOf(order.id), tone: 'neutral', title: headline(order), detail: format.words(answer.order.status), ...this.undoOf([{ ...order, remaining_quantity: answer.order.remaining_quantity }]) });
    } catch (cause) {
      this.failed(keyOf(order.id), headline(order), cause);
    }
  }

  /** Every open order, or those of one instrument. */
  async cancelAll(instrument?: string): Promise<void> {
    const key = 'cancel-all';
    const before = (dataOf(this.account().orders.cell.value) ?? []).filter((order) => isOpen(order) && (instrument === undefined || order.instrument === instrument));
    // One message says it of all of them.
    for (const order of before) {
      this.own.delete(order.id);
      this.toasts.dismiss(keyOf(order.id));
    }
    this.toasts.show({ key, tone: 'pending', title: 'Cancel all orders', detail: 'Cancelling' });
    try {
      await this.api.delete('/orders', { instrument });
      this.toasts.show({ key, tone: 'neutral', title: 'Cancel all orders', detail: 'Every open order was cancelled', ...this.undoOf(before) });
      await this.account().orders.refresh();
    } catch (cause) {
      this.failed(key, 'Cancel all orders', cause);
    }
  }

  /** Orders cancelled by a slip of the hand go back to the book, at the end of its queue; what the exchange undoes to blocks and stops as well. */
  private undoOf(cancelled: readonly WireOrder[]): Pick<Toast, 'undo'> {
    const again = cancelled.filter(mayComeBack);
    if (again.length === 0) return {};
    return { undo: { label: again.length === 1 ? 'Place it again' : `Place ${again.length} again`, run: () => void this.placeAgain(again) } };
  }

  private async placeAgain(orders: readonly WireOrder[]): Promise<void> {
    const key = 'place-again';
    const title = orders.length === 1 ? headline(orders[0]) : `${orders.length} orders`;
    this.toasts.show({ key, tone: 'pending', title, detail: 'Placing again' });
    try {
      const { results } = await this.api.post<{ results: { order?: WireOrder; error?: { code: string; message: string } }[] }>('/orders/batch', { operations: orders.map(againOf) });
      const refused = results.flatMap(({ error }) => (error === undefined ? [] : [error]));
      this.toasts.show({ key, tone: refused.length === 0 ? 'good' : 'bad', title, detail: refused.length === 0 ? 'Back in the book, at the end of its queue' : `${refused.length} refused: ${refused[0].message}` });
      await this.account().orders.refresh();
    } catch (cause) {
      this.failed(key, title, cause);
    }
  }

  /** From the account feed. */
  onOrder(order: WireOrder): void {
    if (this.own.has(order.id)) this.toast(order);
  }

  private note(order: WireOrder): void {
    this.account().noteOrder(order);
    this.toast(order);
  }

  private toast(order: WireOrder): void {
    this.toasts.show({ key: keyOf(order.id), tone: TONES[order.status], title: headline(order), detail: detailOf(order) });
  }

  private failed(key: string, title: string, cause: unknown): void {
    const error = toApiError(cause);
    this.onError(error);
    this.toasts.show({ key, tone: 'bad', title, detail: explain(error) });
  }
}
