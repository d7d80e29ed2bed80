/**
 * What providers can sell: verified capacity per market, the models they serve there, and for each
 * delivery hour a cell that counts what is offered and sold, so that no supply is phantom.
 */
import { grownCapacity, grownFloats, grownInts } from '../numbers/columns.ts';
import type { CompanyId, MarketId, ModelId } from '../commands.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { STEPS_PER_GPU_HOUR } from '../numbers/units.ts';
import type { Hour } from '../numbers/units.ts';

/** A provider on a market. */
export interface Capacity {
  readonly company: CompanyId;
  readonly market: MarketId;
  declared: number;
  verified: number;
  models: ModelId[];
  /** One bit per model. */
  served: Uint32Array;
}

const MINUTES = 60;
/** lcm(1..60): in this many parts of a step, quantity x 60/k is a whole number for every k. */
const STEP_PARTS = 9_690_712_164_777_231_700_912_728_800n;
const CELL_ROWS = 2 ** 20;
const NOTHING = new Uint32Array(0);

export class Supply {
  readonly capacities: Capacity[] = [];
  /** By provider and market: one more than the index into `capacities`. */
  private readonly byProvider: Uint32Array[] = [];

  // Cells: one row per provider, market and hour with anything offered or sold.
  capacity = new Int32Array(16);
  hour = new Int32Array(16);
  generation = new Int32Array(16);
  /** Steps on offer, and sold before the hour began. */
  offered = new Float64Array(16);
  sold = new Float64Array(16);
  /** What sales of the running hour occupy, quantity x 60/k at each, in parts of a step; exact. */
  readonly spotOccupied = new Map<number, bigint>();
  used = 0;
  free = NIL;
  private readonly ledger: Ledger;

  constructor(ledger: Ledger) {
    this.ledger = ledger;
  }

  /** Index into `capacities`, NIL when the provider has declared nothing there. */
  find(company: CompanyId, market: MarketId): number {
    return (this.byProvider[company]?.[market] ?? 0) - 1;
  }

  open(company: CompanyId, market: MarketId): Capacity {
    const index = this.find(company, market);
    if (index !== NIL) return this.capacities[index];
    const capacity: Capacity = { company, market, declared: 0, verified: 0, models: [], served: new Uint32Array(0) };
    this.add(capacity);
    return capacity;
  }

  /** Lists a capacity (also when a snapshot is restored). */
  add(capacity: Capacity): void {
    const { company, market } = capacity;
    const before = this.byProvider[company] ?? NOTHING;
    if (market >= before.length) {
      this.byProvider[company] = new Uint32Array(market + 1);
      this.byProvider[company].set(before);
    }
    this.byProvider[company][market] = this.capacities.push(capacity);
  }

  setModels(capacity: Capacity, models: readonly ModelId[]): void {
    capacity.models = [...new Set(models)].sort((a, b) => a - b);
    capacity.served = new Uint32Array(Math.ceil(((capacity.models.at(-1) ?? -1) + 1) / 32));
    for (const model of capacity.models) capacity.served[model >> 5] |= 1 << (model & 31);
  }

  /** Whether the cell's provider serves the model there: one bit. */
  serves(cell: number, model: ModelId): boolean {
    return this.capacityServes(this.capacity[cell], model);
  }

  capacityServes(capacity: number, model: ModelId): boolean {
    const { served } = this.capacities[capacity];
    return model >> 5 < served.length && (served[model >> 5] & (1 << (model & 31))) !== 0;
  }

  createCell(capacity: number, hour: Hour): number {
    let row = this.free;
    if (row === NIL) {
      row = this.used++;
      if (row >= this.hour.length) this.grow();
    } else {
      this.free = this.offered[row];
    }
    this.generation[row]++;
    this.capacity[row] = capacity;
    this.hour[row] = hour;
    this.offered[row] = 0;
    this.sold[row] = 0;
    this.ledger.openOwner('cell', row);
    return row;
  }

  private grow(): void {
    const capacity = grownCapacity(this.hour.length, this.used);
    this.capacity = grownInts(this.capacity, capacity);
    this.hour = grownInts(this.hour, capacity);
    this.generation = grownInts(this.generation, capacity);
    this.offered = grownFloats(this.offered, capacity);
    this.sold = grownFloats(this.sold, capacity);
  }

  /** Frees a cell whose hour is settled; its accounts, which sum to zero, are closed with it. */
  destroyCell(row: number): void {
    this.ledger.closeCell(row);
    this.spotOccupied.delete(row);
    this.capacity[row] = NIL;
    this.offered[row] = this.free;
    this.free = row;
  }

  /** The number by which events name the cell; never used twice. */
  cellId(row: number): number {
    return this.generation[row] * CELL_ROWS + row;
  }

  /**
   * Whether `quantity` more steps may be offered. Before the hour: sold + offered + quantity <=
   * verified. In the running hour with k minutes left, in GPUs: sold before + spot occupied +
   * (offered + quantity) x 60/k <= verified.
   */
  covers(row: number, quantity: number, minutesLeft: number): boolean {
    return this.fits(row, quantity, minutesLeft, this.capacities[this.capacity[row]].verified);
  }

  /** The rule of `covers` for a number of GPUs. */
  fits(row: number, quantity: number, minutesLeft: number, gpus: number): boolean {
    const verified = gpus * STEPS_PER_GPU_HOUR;
    const offered = this.offered[row] + quantity;
    if (minutesLeft >= MINUTES) return this.sold[row] + offered <= verified;
    const sold = BigInt(this.sold[row]) * STEP_PARTS + (this.spotOccupied.get(row) ?? 0n);
    return sold + occupancy(offered, minutesLeft) <= BigInt(verified) * STEP_PARTS;
  }

  /** Counts a sale out of what was offered. */
  sell(row: number, quantity: number, minutesLeft: number): void {
    this.offered[row] -= quantity;
    if (minutesLeft >= MINUTES) this.sold[row] += quantity;
    else this.spotOccupied.set(row, (this.spotOccupied.get(row) ?? 0n) + occupancy(quantity, minutesLeft));
  }
}

/** A quantity in parts of a step, as `occupancy` counts. */
export const wholeSteps = (quantity: number): bigint => BigInt(quantity) * STEP_PARTS;

/** quantity x 60/k: what a share of the running hour occupies of a whole one. */
export function occupancy(quantity: number, minutesLeft: number): bigint {
  return (BigInt(quantity) * BigInt(MINUTES) * STEP_PARTS) / BigInt(minutesLeft);
}
