/** What account channels tell: each source collects what changed since it was last asked. */
import type { Directory } from '../directory.ts';
import { formatRate } from '../http/wire/amounts.ts';
import type { FacilityWire } from '../http/wire/facility_wire.ts';
import { fillWire, orderWire } from '../http/wire/order_wire.ts';
import type { FillWire } from '../http/wire/order_wire.ts';
import { idOf } from '../ids.ts';
import { orderViewOf } from '../market/live_orders.ts';
import type { LiveOrder } from '../market/live_orders.ts';
import type { FacilityStep, FillEvent, MarketData } from '../market/market_data.ts';
import type { PastFills } from './past_fills.ts';
import type { Source } from './room.ts';

export class OrdersSource implements Source {
  private readonly means: { market: MarketData; directory: Directory };
  private readonly company: number;
  private changed = new Set<LiveOrder>();

  constructor(means: { market: MarketData; directory: Directory }, company: number) {
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

/** Fills from the subscription on, or from the message on after which it is resumed; those before are listed over HTTP. */
export class FillsSource implements Source {
  readonly recover?: Source['recover'];
  private readonly directory: Directory;
  private readonly company: number;
  private fresh: FillWire[] = [];

  constructor({ directory, pastFills }: { directory: Directory; pastFills?: PastFills }, company: number) {
    this.directory = directory;
    this.company = company;
    if (pastFills !== undefined) this.recover = (after, upTo) => pastFills(company, after, upTo);
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
export class ValueSource implements Source {
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
export class RowsSource<Row extends { id: string }> implements Source {
  private readonly fetch: () => Promise<Row[]>;
  private readonly gone: (row: Row) => Row;
  private rows: Row[] = [];
  protected told: ReadonlyMap<string, Row> = new Map();

  constructor(fetch: () => Promise<Row[]>, gone: (row: Row) => Row) {
    this.fetch = fetch;
    this.gone = gone;
  }

  async prepare(): Promise<void> {
    this.rows = await this.fetch();
  }

  /** What is told of a row that is listed. */
  protected changed(row: Row, told: Row | undefined): Row[] {
    return told !== undefined && JSON.stringify(told) === JSON.stringify(row) ? [] : [row];
  }

  update(): unknown {
    const present = new Map(this.rows.map((row) => [row.id, row]));
    const changed = this.rows.flatMap((row) => this.changed(row, this.told.get(row.id)));
    const left = [...this.told].filter(([id]) => !present.has(id)).map(([, row]) => this.gone(row));
    this.told = present;
    return changed.length + left.length === 0 ? null : [...changed, ...left];
  }

  snapshot(): unknown {
    return this.rows;
  }
}

/** What companies are warned of, by whichever process. */
export interface WarningNews {
  /** The latest, oldest first. */
  latest(company: number): Promise<{ id: string }[]>;
  /** @returns the unsubscription */
  follow(listener: (company: number) => void): () => void;
}

/** Each warning once; a snapshot has the latest. */
export class WarningsSource implements Source {
  private readonly fetch: () => Promise<{ id: string }[]>;
  private rows: { id: string }[] = [];
  private told: ReadonlySet<string> = new Set();

  constructor(fetch: () => Promise<{ id: string }[]>) {
    this.fetch = fetch;
  }

  async prepare(): Promise<void> {
    this.rows = await this.fetch();
  }

  update(): unknown {
    const fresh = this.rows.filter(({ id }) => !this.told.has(id));
    this.told = new Set(this.rows.map(({ id }) => id));
    return fresh.length === 0 ? null : fresh;
  }

  snapshot(): unknown {
    return this.rows;
  }
}

/** Facilities, and each freeze and unfreeze between two looks at them. */
export class FacilitiesSource extends RowsSource<FacilityWire> {
  private steps: FacilityStep[] = [];

  /** Whether one of the facilities that are told here is frozen, unfrozen or in another state. */
  note(steps: readonly FacilityStep[]): boolean {
    this.steps.push(...steps);
    return steps.some(({ facility }) => this.told.has(idOf('facility', facility)));
  }

  protected override changed(row: FacilityWire, told: FacilityWire | undefined): FacilityWire[] {
    const steps = this.steps.filter(({ facility }) => idOf('facility', facility) === row.id);
    if (told === undefined || steps.length === 0) return super.changed(row, told);
    const between: FacilityWire[] = [];
    let last = told;
    steps.forEach((step, index) => {
      last = { ...last, ...(step.fraction === undefined ? {} : { frozen_fraction: formatRate(step.fraction) }), ...(step.state === undefined ? {} : { state: step.state }) };
      // What one command does is one step; the last one is the row itself.
      const next = steps.at(index + 1);
      if (next !== undefined && next.sequence !== step.sequence) between.push(last);
    });
    return between.length === 0 ? super.changed(row, told) : [...between, row];
  }

  override update(): unknown {
    const update = super.update();
    this.steps = [];
    return update;
  }
}
