/** Sending and cancelling orders; each order has one toast that changes as the order does. */
import type { Account } from './account.ts';
import type { ApiClient } from './api_client.ts';
import { Cell } from './cell.ts';
import { explain, toApiError, type ApiError } from './errors.ts';
import * as format from './format.ts';
import { EMPTY_TICKET, orderBody, reduceTicket, type OrderBody, type TicketAction, type TicketFields, type TicketSummary } from './ticket.ts';
import type { Toasts, Tone } from './toasts.ts';
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

const keyOf = (id: string): string => `order:${id}`;
const headline = (order: Pick<OrderBody, 'side' | 'quantity' | 'instrument'>): string =>
  `${order.side === 'buy' ? 'Buy' : 'Sell'} ${format.decimal(order.quantity)} GPU-h ${order.instrument.split('.')[0]}`;

function detailOf(order: WireOrder): string {
  const filled = order.average_price === null ? '' : ` at ${format.decimal(order.average_price)} CR`;
  if (order.status === 'filled') return `Filled${filled}`;
  if (order.status === 'partially_filled') return `${format.decimal(order.filled_quantity)} of ${format.decimal(order.quantity)} filled${filled}`;
  if (order.status === 'open') return `Resting at ${format.decimal(order.price)} CR`;
  return format.words(order.status);
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

  async place(summary: TicketSummary, instrument: string): Promise<void> {
    if (this.sending.value || summary.problems.length > 0) return;
    const body = orderBody(this.ticket.value, summary, instrument);
    const pendingKey = `sending:${++this.sent}`;
    this.sending.value = true;
    this.toasts.show({ key: pendingKey, tone: 'pending', title: headline(body), detail: 'Sending' });
    const started = performance.now();
    try {
      const { order } = await this.api.post<PlacedOrder>('/orders', body);
      this.latency.value = Math.round(performance.now() - started);
      this.own.add(order.id);
      this.toasts.dismiss(pendingKey);
      this.note(order);
      this.dispatch({ type: 'sent' });
    } catch (cause) {
      const error = toApiError(cause);
      this.onError(error);
      this.refusal.value = error;
      this.toasts.show({ key: pendingKey, tone: 'bad', title: headline(body), detail: explain(error) });
    } finally {
      this.sending.value = false;
    }
  }

  async cancel(order: WireOrder): Promise<void> {
    this.own.add(order.id);
    this.toasts.show({ key: keyOf(order.id), tone: 'pending', title: headline(order), detail: 'Cancelling' });
    try {
      const answer = await this.api.delete<{ order: WireOrder }>(`/orders/${encodeURIComponent(order.id)}`);
      this.note(answer.order);
    } catch (cause) {
      this.failed(keyOf(order.id), headline(order), cause);
    }
  }

  /** Every open order, or those of one instrument. */
  async cancelAll(instrument?: string): Promise<void> {
    const key = 'cancel-all';
    this.toasts.show({ key, tone: 'pending', title: 'Cancel all orders', detail: 'Cancelling' });
    try {
      await this.api.delete('/orders', { instrument });
      this.toasts.show({ key, tone: 'neutral', title: 'Cancel all orders', detail: 'Every open order was cancelled' });
      await this.account().orders.refresh();
    } catch (cause) {
      this.failed(key, 'Cancel all orders', cause);
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
