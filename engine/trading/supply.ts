/**
 * What providers can sell: verified capacity per market, the models they serve there, and for each
 * delivery hour a cell that counts what is offered and sold, so that no supply is phantom.
 */
import type { CompanyId, MarketId, ModelId } from '../vocabulary.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { CELL_ROWS } from '../ledger/supply_cells.ts';
import type { SupplyCells } from '../ledger/supply_cells.ts';
import type { ColumnView } from '../numbers/column_views.ts';
import { grownCapacity, grownFloats } from '../numbers/columns.ts';
import { STEPS_PER_GPU_HOUR } from '../numbers/units.ts';
import type { Hour } from '../numbers/units.ts';

/** A provider on a market. */
export interface Capacity {
  readonly company: CompanyId;
  readonly market: MarketId;
  declared: number;
  models: ModelId[];
  /** One bit per model. */
  served: Uint32Array;
}

const MINUTES = 60;
/** lcm(1..60): in this many parts of a step, quantity x 60/k is a whole number for every k. */
const STEP_PARTS = 9_690_712_164_777_231_700_912_728_800n;
const NOTHING = new Int32Array(0);
const CAPACITIES_FIRST = 16;

export class Supply {
  readonly capacities: Capacity[] = [];
  /** By company and market: one more than the index into `capacities`. Every company before the last provider has a list: a sparse array would be a table to be searched. */
  private byProvider: Int32Array[] = [];
  /** GPUs of each that are proven: every ask looks, and would fetch the capacity's own object for it. */
  private gpus = new Float64Array(CAPACITIES_FIRST);

  /** One row per provider, market and hour with anything offered or sold. */
  private readonly cells: SupplyCells;
  /** What sales of the running hour occupy, quantity x 60/k at each, in parts of a step; exact. */
  readonly spotOccupied = new Map<number, bigint>();
  used = 0;
  free = NIL;
  private readonly ledger: Ledger;

  constructor(ledger: Ledger, cells: SupplyCells) {
    this.ledger = ledger;
    this.cells = cells;
  }

  /** Index into `capacities`, NIL when the provider has declared nothing there. */
  find(company: CompanyId, market: MarketId): number {
    const markets: Int32Array | undefined = this.byProvider[company];
    return markets !== undefined && market < markets.length ? markets[market] - 1 : NIL;
  }

  open(company: CompanyId, market: MarketId): Capacity {
    const index = this.find(company, market);
    if (index !== NIL) return this.capacities[index];
    const capacity: Capacity = { company, market, declared: 0, models: [], served: new Uint32Array(0) };
    this.add(capacity, 0);
    return capacity;
  }

  /** Lists a capacity (also when a snapshot is restored). */
  add(capacity: Capacity, verified: number): void {
    const { company, market } = capacity;
    while (this.byProvider.length <= company) this.byProvider.push(NOTHING);
    const before = this.byProvider[company];
    if (market >= before.length) {
      this.byProvider[company] = new Int32Array(market + 1);
      this.byProvider[company].set(before);
    }
    const count = this.capacities.push(capacity);
    this.byProvider[company][market] = count;
    if (count > this.gpus.length) this.gpus = grownFloats(this.gpus, grownCapacity(this.gpus.length, count));
    this.gpus[count - 1] = verified;
  }

  /** GPUs of a capacity that are proven. */
  verified(capacity: number): number {
    return this.gpus[capacity];
  }
  verify(capacity: number, gpus: number): void {
    this.gpus[capacity] = gpus;
  }

  /** Has another market's capacities, only to be read. */
  adoptCapacities(from: Supply): void {
    for (const capacity of from.capacities) this.capacities.push(capacity);
    this.byProvider = from.byProvider;
    this.gpus = from.gpus;
  }

  /** A cell with what another market's has offered and sold. */
  adoptCell(from: Supply, row: number): number {
    const cell = this.createCell(from.capacityOf(row), from.hourOf(row));
    this.cells.setOffered(cell, from.cells.offered(row));
    this.cells.setSold(cell, from.cells.sold(row));
    const occupied = from.spotOccupied.get(row);
    if (occupied !== undefined) this.spotOccupied.set(cell, occupied);
    return cell;
  }

  setModels(capacity: Capacity, models: readonly ModelId[]): void {
    capacity.models = [...new Set(models)].sort((a, b) => a - b);
    capacity.served = new Uint32Array(Math.ceil(((capacity.models.at(-1) ?? -1) + 1) / 32));
    for (const model of capacity.models) capacity.served[model >> 5] |= 1 << (model & 31);
  }

  /** Whether the cell's provider serves the model there: one bit. */
  serves(cell: number, model: ModelId): boolean {
    return this.capacityServes(this.cells.capacity(cell), model);
  }

  capacityServes(capacity: number, model: ModelId): boolean {
    const { served } = this.capacities[capacity];
    return model >> 5 < served.length && (served[model >> 5] & (1 << (model & 31))) !== 0;
  }

  createCell(capacity: number, hour: Hour): number {
    const { cells } = this;
    let row = this.free;
    if (row === NIL) {
      row = this.used++;
      this.ledger.openOwner('cell', row);
    } else {
      this.free = cells.offered(row);
    }
    cells.setGeneration(row, cells.generation(row) + 1);
    cells.setCapacity(row, capacity);
    cells.setHour(row, hour);
    cells.setOffered(row, 0);
    cells.setSold(row, 0);
    return row;
  }

  /** Steps on offer. */
  offered(row: number): number {
    return this.cells.offered(row);
  }
  /** Offers more steps, or fewer; nothing is checked. */
  offer(row: number, change: number): void {
    this.cells.setOffered(row, this.cells.offered(row) + change);
  }
  /** Index into `capacities`. */
  capacityOf(row: number): number {
    return this.cells.capacity(row);
  }
  hourOf(row: number): Hour {
    return this.cells.hour(row);
  }

  /** The rows in use, for snapshots. */
  columns(): ColumnView[] {
    return this.cells.columns(this.used);
  }

  /** Makes room for the rows of a snapshot. */
  reserve(rows: number): void {
    this.used = rows;
    if (rows > 0) this.ledger.openOwner('cell', rows - 1);
  }

  /** Frees a cell whose hour is settled; its accounts, which sum to zero, are closed with it. */
  destroyCell(row: number): void {
    this.ledger.closeCell(row);
    this.spotOccupied.delete(row);
    this.cells.setCapacity(row, NIL);
    this.cells.setOffered(row, this.free);
    this.free = row;
  }

  /** The number by which events name the cell; never used twice. */
  cellId(row: number): number {
    return this.cells.generation(row) * CELL_ROWS + row;
  }

  /**
   * Whether `quantity` more steps may be offered. Before the hour: sold + offered + quantity <=
   * verified. In the running hour with k minutes left, in GPUs: sold before + spot occupied +
   * (offered + quantity) x 60/k <= verified.
   */
  covers(row: number, quantity: number, minutesLeft: number): boolean {
    return this.fits(row, quantity, minutesLeft, this.gpus[this.cells.capacity(row)]);
  }

  /** The rule of `covers` for a number of GPUs. */
  fits(row: number, quantity: number, minutesLeft: number, gpus: number): boolean {
    const verified = gpus * STEPS_PER_GPU_HOUR;
    const offered = this.cells.offered(row) + quantity;
    return minutesLeft >= MINUTES ? this.cells.sold(row) + offered <= verified : this.fitsNow(row, offered, minutesLeft, verified);
  }

  private fitsNow(row: number, offered: number, minutesLeft: number, verified: number): boolean {
    const sold = BigInt(this.cells.sold(row)) * STEP_PARTS + (this.spotOccupied.get(row) ?? 0n);
    return sold + occupancy(offered, minutesLeft) <= BigInt(verified) * STEP_PARTS;
  }

  /** Counts a sale out of what was offered. */
  sell(row: number, quantity: number, minutesLeft: number): void {
    const { cells } = this;
    cells.setOffered(row, cells.offered(row) - quantity);
    if (minutesLeft >= MINUTES) cells.setSold(row, cells.sold(row) + quantity);
    else this.occupy(row, occupancy(quantity, minutesLeft));
  }

  private occupy(row: number, parts: bigint): void {
    this.spotOccupied.set(row, (this.spotOccupied.get(row) ?? 0n) + parts);
  }
}

/** A quantity in parts of a step, as `occupancy` counts. */
export const wholeSteps = (quantity: number): bigint => BigInt(quantity) * STEP_PARTS;

/** quantity x 60/k: what a share of the running hour occupies of a whole one. */
export function occupancy(quantity: number, minutesLeft: number): bigint {
  return (BigInt(quantity) * BigInt(MINUTES) * STEP_PARTS) / BigInt(minutesLeft);
}
