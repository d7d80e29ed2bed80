/** What one company's sockets are told: its orders, fills, balances, allocations and facilities. */
import type { FacilityView } from '../../engine/queries.ts';
import type { Directory } from '../directory.ts';
import { ApiError } from '../errors.ts';
import { allocationWire, balancesWire } from '../http/routes/account_routes.ts';
import { facilityWire } from '../http/wire/facility_wire.ts';
import { fillWire, orderWire } from '../http/wire/order_wire.ts';
import type { FillWire } from '../http/wire/order_wire.ts';
import { orderViewOf } from '../market/live_orders.ts';
import type { LiveOrder } from '../market/live_orders.ts';
import type { FillEvent, MarketChange, MarketData } from '../market/market_data.ts';
import type { SequencerPort } from '../sequencer/port.ts';
import { ACCOUNT_CHANNELS } from './messages.ts';
import type { AccountChannel, SubscribeRequest } from './messages.ts';
import { FRAME_MILLIS } from './pace.ts';
import type { Source } from './room.ts';
import type { RoomPlan } from './room_table.ts';

/** Channels that ask the engine do so at most this often for a company. */
const ASK_MILLIS = 200;

export interface AccountMeans {
  market: MarketData;
  directory: Directory;
  sequencer: SequencerPort;
}

class OrdersSource implements Source {
  private readonly means: AccountMeans;
  private readonly company: number;
  private changed = new Set<LiveOrder>();

  constructor(means: AccountMeans, company: number) {
    this.means = means;
    this.company = company;
  }

  note(order: LiveOrder): void {
    this.changed.add(order);
  }

  private wire(order: LiveOrder) {
    return orderWire(this.means.directory, { ...orderViewOf(order), reason: order.done?.reason ?? '', block: order.block, blockId: order.parent?.order ?? 0 });
  }

  update(): unknown {
    if (this.changed.size === 0) return null;
    const orders = [...this.changed].map((order) => this.wire(order));
    this.changed = new Set();
    return orders;
  }

  snapshot(): unknown {
    return this.means.market.openOrders(this.company).map((order) => this.wire(order));
  }
}

/** Fills from the subscription on; those before it are listed over HTTP. */
class FillsSource implements Source {
  private readonly directory: Directory;
  private readonly company: number;
  private fresh: FillWire[] = [];

  constructor(means: AccountMeans, company: number) {
    this.directory = means.directory;
    this.company = company;
  }

  note(fill: FillEvent): void {
    const takerBuys = fill.takerSide === 'buy';
    const order = (fill.buyer === this.company) === takerBuys ? fill.taker : fill.maker;
    this.fresh.push(fillWire(this.directory, fill, order));
  }

  update(): unknown {
    if (this.fresh.length === 0) return null;
    const fills = this.fresh;
    this.fresh = [];
    return fills;
  }

  snapshot(): unknown {
    return [];
  }
}

/** One value, told whole whenever it is another. */
class ValueSource implements Source {
  private readonly fetch: () => Promise<unknown>;
  private value: unknown = null;
  private told = '';

  constructor(fetch: () => Promise<unknown>) {
    this.fetch = fetch;
  }

  async prepare(): Promise<void> {
    this.value = await this.fetch();
  }

  update(): unknown {
    const text = JSON.stringify(this.value);
    if (text === this.told) return null;
    this.told = text;
    return this.value;
  }

  snapshot(): unknown {
    return this.value;
  }
}

/** Rows by id: an update brings those that changed; `gone` says how a row looks that is not listed any more. */
class RowsSource<Row extends { id: string }> implements Source {
  private readonly fetch: () => Promise<Row[]>;
  private readonly gone: (row: Row) => Row;
  private rows: Row[] = [];
  private told = new Map<string, { row: Row; text: string }>();

  constructor(fetch: () => Promise<Row[]>, gone: (row: Row) => Row) {
    this.fetch = fetch;
    this.gone = gone;
  }

  async prepare(): Promise<void> {
    this.rows = await this.fetch();
  }

  update(): unknown {
    const present = new Map(this.rows.map((row) => [row.id, { row, text: JSON.stringify(row) }]));
    const changed = [...present].filter(([id, { text }]) => this.told.get(id)?.text !== text).map(([, { row }]) => row);
    const left = [...this.told].filter(([id]) => !present.has(id)).map(([, { row }]) => this.gone(row));
    this.told = present;
    return changed.length + left.length === 0 ? null : [...changed, ...left];
  }

  snapshot(): unknown {
    return this.rows;
  }
}

/** What a room is told of a batch; true when that concerns it. */
type Note = (change: MarketChange) => boolean;

export class AccountRooms {
  private readonly means: AccountMeans;
  private readonly listeners = new Set<(change: MarketChange) => void>();

  constructor(means: AccountMeans) {
    this.means = means;
  }

  change(change: MarketChange): void {
    if (change.companies.size === 0) return;
    for (const listener of this.listeners) listener(change);
  }

  /** @throws ApiError for a channel that does not exist */
  plan(company: number, lender: boolean, request: SubscribeRequest): RoomPlan {
    const channel = ACCOUNT_CHANNELS.find((name) => name === request.channel);
    if (channel === undefined) throw new ApiError('invalid_request', { field: 'channel', values: { detail: `channel: is one of ${ACCOUNT_CHANNELS.join(', ')}` } });
    if (request.instrument !== null && request.instrument !== undefined) {
      throw new ApiError('invalid_request', { field: 'instrument', values: { detail: 'instrument: account channels have none' } });
    }
    const interval = channel === 'orders' || channel === 'fills' ? FRAME_MILLIS : ASK_MILLIS;
    return {
      channel, instrument: null, name: `${channel} ${company}`, interval,
      open: () => {
        const { source, note } = this.sourceOf(channel, company, lender);
        return { source, attach: (room) => this.follow(company, (change) => note(change) && room.touch()) };
      },
    };
  }

  private follow(company: number, listener: (change: MarketChange) => void): () => void {
    const release = this.means.market.watchCompany(company);
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
      release();
    };
  }

  private sourceOf(channel: AccountChannel, company: number, lender: boolean): { source: Source; note: Note } {
    const { sequencer, directory } = this.means;
    const concerned: Note = (change) => change.companies.has(company);
    switch (channel) {
      case 'orders':
        return ordersOf(this.means, company);
      case 'fills':
        return fillsOf(this.means, company);
      case 'balances':
        return { source: new ValueSource(async () => balancesWire(await sequencer.query('balances', { company }))), note: concerned };
      case 'allocations': {
        const fetch = async () => (await sequencer.query('allocations', { company })).map((row) => allocationWire(directory, row));
        return { source: new RowsSource(fetch, (row) => ({ ...row, credits: '0.00', status: 'delivered' as const })), note: concerned };
      }
      case 'facility': {
        const wire = (view: FacilityView) => facilityWire(directory, view);
        const fetch = async () => (await sequencer.query('facilities', { company, lender })).map(wire);
        return { source: new RowsSource(fetch, (row) => row), note: concerned };
      }
    }
  }
}

function ordersOf(means: AccountMeans, company: number): { source: Source; note: Note } {
  const source = new OrdersSource(means, company);
  const note: Note = (change) => {
    const own = [...change.orders].filter((order) => order.company === company);
    for (const order of own) source.note(order);
    return own.length > 0;
  };
  return { source, note };
}

function fillsOf(means: AccountMeans, company: number): { source: Source; note: Note } {
  const source = new FillsSource(means, company);
  const note: Note = (change) => {
    const own = change.fills.filter((fill) => fill.buyer === company || fill.seller === company);
    for (const fill of own) source.note(fill);
    return own.length > 0;
  };
  return { source, note };
}
