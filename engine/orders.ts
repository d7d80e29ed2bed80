/**
 * Orders in the market, one row each in typed columns. A row is freed when its order leaves the
 * market; its generation then changes, so an order id never names two orders.
 */
import { grownCapacity, grownFloats, grownInts } from './columns.ts';
import { NIL } from './lot_amounts.ts';

const SLOTS = 2 ** 24;

/** Bits of `flags`. */
export const FLAG = {
  sell: 1,
  postOnly: 2,
  cancelOnDisconnect: 4,
  /** Stands in its book. */
  resting: 8,
  /** Waits for its trigger. */
  untriggered: 16,
  /** Its first execution has been. */
  executed: 32,
  /** Has an entry in `extras`. */
  extra: 64,
  /** Row is in use. */
  live: 128,
} as const;
const TYPE_SHIFT = 8;
const TIF_SHIFT = 10;
const STP_SHIFT = 12;

/** What few orders have. */
export interface OrderExtra {
  clientOrderId: string;
  /** 0: shows everything. */
  displayQuantity: number;
  minimumQuantity: number;
  stopPrice: number;
  expiresAt: number;
  resaleOf: number;
}

const FLOAT_COLUMNS = ['price', 'quantity', 'remaining', 'visible', 'notional', 'feesFloor', 'hold', 'acceptedAt', 'sequence'] as const;
const INT_COLUMNS = [
  'flags', 'generation', 'company', 'book', 'cell', 'model', 'next', 'prev', 'holdList', 'feeFraction', 'companyNext', 'companyPrev',
] as const;

/** floor + fraction / 1e6, half-even. */
export function roundedFees(floor: number, fraction: number): number {
  if (fraction < 500_000) return floor;
  return fraction > 500_000 ? floor + 1 : floor + (floor % 2);
}

export class Orders {
  price = new Float64Array(64);
  quantity = new Float64Array(64);
  remaining = new Float64Array(64);
  /** Shown in the book; less than `remaining` for an iceberg. */
  visible = new Float64Array(64);
  /** Sum of price x quantity of its fills, micro-CR. */
  notional = new Float64Array(64);
  /** Exact fees so far are feesFloor + feeFraction / 1e6 micro-CR; what is charged is that, rounded half-even. */
  feesFloor = new Float64Array(64);
  /** Micro-CR reserved. */
  hold = new Float64Array(64);
  acceptedAt = new Float64Array(64);
  /** Of the command that placed it. */
  sequence = new Float64Array(64);
  flags = new Int32Array(64);
  generation = new Int32Array(64);
  company = new Int32Array(64);
  /** Row of the book it belongs to. */
  book = new Int32Array(64);
  /** Asks: the supply cell it offers from. */
  cell = new Int32Array(64);
  model = new Int32Array(64);
  /** Neighbours in the queue of its price. */
  next = new Int32Array(64);
  prev = new Int32Array(64);
  holdList = new Int32Array(64);
  feeFraction = new Int32Array(64);
  /** Neighbours among the live orders of its company. */
  companyNext = new Int32Array(64);
  companyPrev = new Int32Array(64);
  readonly extras = new Map<number, OrderExtra>();
  used = 0;
  free = NIL;
  count = 0;

  /** A free row, its generation advanced, everything else zero. */
  create(): number {
    let row = this.free;
    if (row === NIL) {
      row = this.used++;
      if (row >= this.price.length) this.grow();
    } else {
      this.free = this.next[row];
    }
    this.generation[row]++;
    this.notional[row] = 0;
    this.feesFloor[row] = 0;
    this.feeFraction[row] = 0;
    this.hold[row] = 0;
    this.holdList[row] = NIL;
    this.next[row] = NIL;
    this.prev[row] = NIL;
    this.count++;
    return row;
  }

  private grow(): void {
    const capacity = grownCapacity(this.price.length, this.used);
    for (const name of FLOAT_COLUMNS) this[name] = grownFloats(this[name], capacity);
    for (const name of INT_COLUMNS) this[name] = grownInts(this[name], capacity);
  }

  destroy(row: number): void {
    if ((this.flags[row] & FLAG.extra) !== 0) this.extras.delete(row);
    this.flags[row] = 0;
    this.next[row] = this.free;
    this.free = row;
    this.count--;
  }

  idOf(row: number): number {
    return this.generation[row] * SLOTS + row;
  }

  /** The row of a live order, NIL when there is none of that id. */
  rowOf(id: number): number {
    if (!(id > 0)) return NIL;
    const row = id % SLOTS;
    if (row >= this.used || (this.flags[row] & FLAG.live) === 0) return NIL;
    return this.generation[row] * SLOTS + row === id ? row : NIL;
  }

  static flagsOf(sell: boolean, orderType: number, timeInForce: number, selfTradePrevention: number): number {
    return FLAG.live | (sell ? FLAG.sell : 0) | (orderType << TYPE_SHIFT) | (timeInForce << TIF_SHIFT) | (selfTradePrevention << STP_SHIFT);
  }
  isSell(row: number): boolean {
    return (this.flags[row] & FLAG.sell) !== 0;
  }
  orderType(row: number): number {
    return (this.flags[row] >> TYPE_SHIFT) & 3;
  }
  timeInForce(row: number): number {
    return (this.flags[row] >> TIF_SHIFT) & 3;
  }
  selfTradePrevention(row: number): number {
    return (this.flags[row] >> STP_SHIFT) & 3;
  }
  /** Micro-CR charged so far. */
  feesCharged(row: number): number {
    return roundedFees(this.feesFloor[row], this.feeFraction[row]);
  }
  /** Least quantity of the order's first execution; 0 once that has been, or when it has none. */
  pendingMinimum(row: number): number {
    if ((this.flags[row] & (FLAG.extra | FLAG.executed)) !== FLAG.extra) return 0;
    return Math.min(this.extras.get(row)?.minimumQuantity ?? 0, this.remaining[row]);
  }
  extra(row: number): OrderExtra | undefined {
    return (this.flags[row] & FLAG.extra) === 0 ? undefined : this.extras.get(row);
  }

  /** Columns by name, for snapshots. */
  columns(): { floats: Record<string, Float64Array>; ints: Record<string, Int32Array> } {
    return {
      floats: Object.fromEntries(FLOAT_COLUMNS.map((name) => [name, this[name]])),
      ints: Object.fromEntries(INT_COLUMNS.map((name) => [name, this[name]])),
    };
  }
}
