/** One's own money and orders: fetched once, then followed on the account feed. */
import type { ApiClient, Page } from './api_client.ts';
import type { Feed, FeedMessage } from './feed.ts';
import { dataOf } from './loadable.ts';
import { Resource } from './resource.ts';
import type { WireAllocation, WireBalances, WireFacility, WireFill, WireLot, WireOrder } from './wire.ts';

const LIST_MAX = 200;

/** Still in the market: can trade, or wait for its trigger. */
export const isOpen = (order: WireOrder): boolean => order.status === 'open' || order.status === 'partially_filled' || order.status === 'untriggered';

/** Replaces or adds by id, newest first. */
export function merge<Row extends { id: string }>(rows: readonly Row[], changed: readonly Row[]): Row[] {
  const byId = new Map(changed.map((row) => [row.id, row]));
  const kept = rows.map((row) => {
    const next = byId.get(row.id);
    byId.delete(row.id);
    return next ?? row;
  });
  return [...byId.values(), ...kept].slice(0, LIST_MAX);
}

const listOf = <Row>(data: unknown): Row[] => (Array.isArray(data) ? (data as Row[]) : [data as Row]);

export class Account {
  readonly balances: Resource<WireBalances>;
  readonly orders: Resource<WireOrder[]>;
  readonly fills: Resource<WireFill[]>;
  readonly allocations: Resource<WireAllocation[]>;
  readonly lots: Resource<WireLot[]>;
  readonly facilities: Resource<WireFacility[]>;
  private readonly feed: Feed;
  private readonly onOrder: (order: WireOrder) => void;
  private unsubscribe: (() => void)[] = [];

  constructor(api: ApiClient, feed: Feed, onOrder: (order: WireOrder) => void) {
    const list = <Row>(path: string) => new Resource(async () => (await api.get<Page<Row>>(path, { limit: LIST_MAX })).data);
    this.feed = feed;
    this.onOrder = onOrder;
    this.balances = new Resource(() => api.get<WireBalances>('/balances'));
    this.orders = list<WireOrder>('/orders');
    this.fills = list<WireFill>('/fills');
    this.allocations = list<WireAllocation>('/allocations');
    this.lots = list<WireLot>('/lots');
    this.facilities = list<WireFacility>('/facilities');
  }

  /** Begins when a session opens. */
  open(): void {
    this.close();
    this.unsubscribe = [
      this.feed.subscribe('orders', undefined, { onMessage: (message) => this.onOrders(message) }),
      this.feed.subscribe('fills', undefined, { onMessage: (message) => this.onFills(message) }),
      this.feed.subscribe('balances', undefined, { onMessage: (message) => this.onBalances(message) }),
      this.feed.subscribe('allocations', undefined, { onMessage: (message) => this.onList(this.allocations, message) }),
      this.feed.subscribe('facility', undefined, { onMessage: (message) => this.onFacilities(message) }),
    ];
    this.feed.start();
    for (const resource of [this.balances, this.orders, this.fills, this.allocations]) void resource.refresh();
  }

  close(): void {
    for (const unsubscribe of this.unsubscribe) unsubscribe();
    this.unsubscribe = [];
    this.feed.stop();
    for (const resource of [this.balances, this.orders, this.fills, this.allocations, this.lots, this.facilities]) resource.clear();
  }

  /** What the answer of a call already says need not wait for the feed. */
  noteOrder(order: WireOrder): void {
    this.orders.update((orders) => merge(orders, [order]));
  }

  private onFacilities(message: FeedMessage): void {
    this.onList(this.facilities, message);
    if (this.lots.cell.value.status !== 'idle') void this.lots.refresh();
  }

  /** A snapshot lists open orders only: one that is open here and missing there has ended meanwhile. */
  private onOrders(message: FeedMessage): void {
    const before = dataOf(this.orders.cell.value) ?? [];
    this.onList(this.orders, message);
    if (message.type === 'snapshot') {
      const open = new Set(listOf<WireOrder>(message.data).map((order) => order.id));
      if (before.some((order) => isOpen(order) && !open.has(order.id))) void this.orders.refresh();
    }
    if (message.type === 'update') for (const order of listOf<WireOrder>(message.data)) this.onOrder(order);
  }

  /** A snapshot of fills is empty: what was missed is listed over HTTP. */
  private onFills(message: FeedMessage): void {
    if (message.type === 'update') this.onList(this.fills, message);
    else if (this.fills.cell.value.status === 'success') void this.fills.refresh();
  }

  private onList<Row extends { id: string }>(resource: Resource<Row[]>, message: FeedMessage): void {
    resource.update((rows) => merge(rows, listOf<Row>(message.data)));
  }

  private onBalances(message: FeedMessage): void {
    this.balances.set(message.data as WireBalances);
  }
}
