/**
 * The whole state as bytes and back: one JSON head, then the columns, packed (little-endian). Also the canonical form of the state: the
 * hash is taken over the same bytes. Two formats before are still read: the last has no list that its order or allocation has as a whole, in the
 * first columns are written as they are.
 */
import { ROWS_MOST } from '../numbers/columns.ts';
import { bytesIn, copied, numbersIn, partsOf, roomOf } from '../numbers/column_views.ts';
import type { ColumnView } from '../numbers/column_views.ts';
import { fill, packed, unpack } from '../numbers/packed_columns.ts';
import { ExactSum } from '../numbers/exact_sum.ts';
import { ACCOUNT_NAMES } from '../ledger/accounts.ts';
import { USUAL_BANDS } from '../trading/bands.ts';
import type { Bands } from '../trading/bands.ts';
import type { Block } from '../trading/block.ts';
import type { CompanyImage } from '../company.ts';
import type { Facility, ForcedResale, Mandate, MoneyRules, Spending } from '../lending/facility.ts';
import type { Payable, Remembered, Room } from '../state.ts';
import type { Call, GpuClass, MarketImage } from '../trading/markets.ts';
import { State } from '../state.ts';
import { HourBook } from '../trading/markets.ts';
import type { LotImage } from '../ledger/lots.ts';
import type { Chain, FailedPlace, Outage, Replacement } from '../delivery/records.ts';
import type { OrderExtra } from '../book/orders.ts';
import type { Capacity } from '../trading/supply.ts';
import type { Timer } from '../time/timers.ts';
import type { TradingMode } from '../vocabulary.ts';

const SNAPSHOT_FORMAT = 4;
const LISTS_FORMAT = 3;
const UNPACKED_FORMAT = 2;
const MAGIC = 0x58434331;
const HEADER_BYTES = 12;
const WORD = 8;
const HEAD_PIECE = 1 << 18;
const BLANK = 0x20;

interface BookImage {
  row: number;
  market: number;
  hour: number;
  mode: TradingMode;
  reason: string;
  lastPrice: number;
  auction: boolean;
  firstAllocation: number;
  openAllocations: number;
  /** Rows in queue order, best price first. */
  bids: number[];
  asks: number[];
  stops: number[];
  cells: [number, number][];
}

type FacilityImage = Omit<Facility, 'accrualExact'> & { accrualExact: string };

interface Head {
  format: number;
  scalars: { now: number; sequence: number; mode: TradingMode; reason: string; fills: number; settledThrough: number; minutesRun: number; daysRun: number };
  companies: CompanyImage[];
  groups: [string, number][];
  perCompany: { groupIds: number[]; orderLimits: number[]; dayLimits: number[]; firstOrder: number[]; openOrders: number[]; firstAllocation: number[]; usable: number[][]; rates: number[] };
  classes: GpuClass[];
  regions: string[];
  models: string[];
  markets: MarketImage[];
  books: BookImage[];
  freeBooks: number[];
  lots: LotImage[];
  facilities: FacilityImage[];
  mandates: Mandate[];
  switches: State['switches'];
  money: MoneyRules;
  forced: ForcedResale[];
  dayEnd: State['dayEnd'];
  armed: State['armed'];
  payables: [string, Payable][];
  idempotency: [string, Remembered][];
  clientOrderIds: [string, number][];
  captured: [string, number][];
  timers: { heap: Timer[]; arrivals: number };
  /** Absent in snapshots of before there were such calls. */
  calls?: [number, Call][];
  /** Absent while none was told. */
  marks?: [string, number][];
  /** Absent until they are set. */
  bands?: Bands;
  capacities: (Omit<Capacity, 'served'> & { verified: number })[];
  /** Supply cells with sales in the running hour, exact amounts as digits. */
  spotOccupied: [number, string][];
  orderExtras: [number, OrderExtra][];
  bars: [number, 'facility_not_active' | 'past_due'][];
  spending: [number, Spending][];
  blocks: Block[];
  chains: [number, Chain][];
  spotResales: [number, { bought: number; occupied: string }][];
  failedPlaces: [string, FailedPlace][];
  outages: Outage[];
  replacements: [number, Replacement][];
  pools: Record<PoolName, { used: number; free: number; count: number }>;
  columns: { name: string; kind: 'f64' | 'i32'; length: number }[];
}

type PoolName = 'orders' | 'amounts' | 'allocations' | 'supply';

/** Every column of the state, cut to the rows in use. */
function columnsOf(state: State): ColumnView[] {
  const { orders, amounts, allocations, supply, ledger } = state;
  const owners = { company: state.companies.length, lot: state.lots.rows.length, facility: state.facilities.length, cell: supply.used };
  const balances = ACCOUNT_NAMES.map((name, account) => ledger.view(name, owners[ledger.ownerKind(account)]));
  const tables = { orders: orders.columns(), amounts: amounts.columns(), allocations: allocations.columns(), supply: supply.columns(), ledger: balances };
  return Object.entries(tables).flatMap(([prefix, views]) => views.map((view) => ({ ...view, name: `${prefix}.${view.name}` })));
}

function bookImage(state: State, book: HourBook): BookImage {
  const image: BookImage = {
    row: book.row, market: book.market, hour: book.hour, mode: book.mode, reason: book.reason, lastPrice: book.lastPrice, auction: book.auction,
    firstAllocation: book.firstAllocation, openAllocations: book.openAllocations, bids: [], asks: [], stops: book.stops.rows(), cells: state.providerCells.entries(book.row),
  };
  book.bids.forEach(state.orders, (row) => image.bids.push(row) > 0);
  book.asks.forEach(state.orders, (row) => image.asks.push(row) > 0);
  return image;
}

function headOf(state: State, columns: readonly ColumnView[], format: number): Head {
  const { orders, amounts, allocations, supply, standing } = state;
  return {
    format,
    scalars: {
      now: state.now, sequence: state.sequence, mode: state.mode, reason: state.reason, fills: state.fills,
      settledThrough: state.settledThrough, minutesRun: state.minutesRun, daysRun: state.daysRun,
    },
    companies: state.companies.map((company) => company.toJSON()),
    groups: [...state.groups],
    perCompany: {
      groupIds: standing.each((company) => standing.group(company)),
      orderLimits: standing.each((company) => standing.orderLimit(company)),
      dayLimits: standing.each((company) => standing.dayLimit(company)),
      firstOrder: standing.each((company) => standing.firstOrder(company)),
      openOrders: standing.each((company) => standing.openOrders(company)),
      firstAllocation: standing.each((company) => standing.firstAllocation(company)),
      usable: state.lots.usable,
      rates: standing.each((company) => standing.rate(company)),
    },
    classes: state.classes,
    regions: state.regions,
    models: state.models,
    markets: [...state.markets.values()].map(({ market, mode, reason }) => ({ market, mode, reason })),
    books: state.books.filter((book) => book !== undefined).map((book) => bookImage(state, book)),
    freeBooks: state.freeBooks,
    lots: state.lots.rows.map((lot) => lot.toJSON()),
    facilities: state.facilities.map((row) => ({ ...row, accrualExact: row.accrualExact.toJSON() })),
    mandates: state.mandates,
    switches: state.switches,
    money: state.money,
    forced: [...state.forced.values()],
    dayEnd: state.dayEnd,
    armed: state.armed,
    payables: [...state.payables],
    idempotency: [...state.idempotency],
    clientOrderIds: [...state.clientOrderIds],
    captured: [...state.captured],
    timers: { heap: state.timers.heap, arrivals: state.timers.arrivals },
    calls: [...state.calls],
    ...(state.marks.size === 0 ? {} : { marks: [...state.marks] }),
    ...(state.bands === USUAL_BANDS ? {} : { bands: state.bands }),
    capacities: supply.capacities.map(({ company, market, declared, models }, index) => ({ company, market, declared, verified: supply.verified(index), models })),
    spotOccupied: [...supply.spotOccupied].map(([cell, occupied]) => [cell, occupied.toString()]),
    bars: [...state.bars],
    spending: [...state.spending],
    blocks: [...state.blocks.values()],
    chains: [...state.chains].sort(([a], [b]) => a - b),
    spotResales: [...state.spotResales].sort(([a], [b]) => a - b).map(([row, { bought, occupied }]) => [row, { bought, occupied: occupied.toString() }]),
    failedPlaces: [...state.failedPlaces],
    outages: state.outages,
    replacements: [...state.replacements].sort(([a], [b]) => a - b),
    orderExtras: [...orders.extras].sort(([a], [b]) => a - b),
    pools: {
      orders: { used: orders.used, free: orders.free, count: orders.count },
      amounts: { used: amounts.used, free: amounts.free, count: 0 },
      allocations: { used: allocations.used, free: allocations.free, count: 0 },
      supply: { used: supply.used, free: supply.free, count: 0 },
    },
    columns: columns.map((column) => ({ name: column.name, kind: column.kind, length: numbersIn(column) })),
  };
}

/** A head's bytes, and blanks behind it so that what follows it begins at a whole word. */
function headBytes(head: Head): Uint8Array {
  const text = JSON.stringify(head);
  const bytes = new TextEncoder().encode(text);
  if (head.format === UNPACKED_FORMAT) return bytes;
  const padded = new Uint8Array(Math.ceil((HEADER_BYTES + bytes.length) / WORD) * WORD - HEADER_BYTES).fill(BLANK);
  padded.set(bytes);
  return padded;
}

/** What a snapshot consists of: its head, and the columns as they stand or in a copy of their tables. */
export class Image {
  private readonly head: Uint8Array;
  private readonly columns: readonly ColumnView[];
  private readonly format: number;

  private constructor(head: Uint8Array, columns: readonly ColumnView[], format: number) {
    this.head = head;
    this.columns = columns;
    this.format = format;
  }

  /** Of the state itself: it holds until that moves on. */
  static of(state: State, format = SNAPSHOT_FORMAT): Image {
    const columns = columnsOf(state);
    return new Image(headBytes(headOf(state, columns, format)), columns, format);
  }

  /** One that holds. @param room as `copied` has it */
  copy(room?: Uint8Array<ArrayBuffer>): Image {
    return new Image(this.head, copied(this.columns, room), this.format);
  }

  /** The bytes, piece after piece. */
  *pieces(): Generator<Uint8Array> {
    const header = new Uint8Array(HEADER_BYTES);
    const view = new DataView(header.buffer);
    view.setUint32(0, MAGIC);
    view.setUint32(4, this.format);
    view.setUint32(8, this.head.length);
    yield header;
    for (let at = 0; at < this.head.length; at += HEAD_PIECE) yield this.head.subarray(at, at + HEAD_PIECE);
    if (this.format !== UNPACKED_FORMAT) yield* packed(this.columns);
    else for (const column of this.columns) yield* partsOf(column);
  }
}

/** Bytes in which a copy of the state's tables finds room. */
export const tablesRoom = (state: State): number => roomOf(columnsOf(state));

export function writeSnapshot(state: State): Uint8Array {
  const pieces = [...Image.of(state).pieces()];
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** @throws Error when the bytes are not a snapshot of a known format */
export function snapshotFormat(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_BYTES || view.getUint32(0) !== MAGIC) throw new Error('not a snapshot');
  const format = view.getUint32(4);
  if (format !== SNAPSHOT_FORMAT && format !== LISTS_FORMAT && format !== UNPACKED_FORMAT) throw new Error(`snapshot format ${format} is not known`);
  return format;
}

/** @throws Error when the bytes are not a snapshot of a known format */
export function readSnapshot(bytes: Uint8Array, room: Room): State {
  const format = snapshotFormat(bytes);
  const headEnd = HEADER_BYTES + new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(8);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(HEADER_BYTES, headEnd))) as Head;
  const state = stateFrom(head, room);
  const views = new Map(columnsOf(state).map((view) => [view.name, view]));
  const columns = head.columns.map(({ name, length }) => {
    const view = views.get(name);
    if (view === undefined || numbersIn(view) !== length) throw new Error(`snapshot has ${length} numbers of ${name}`);
    return view;
  });
  if (format === UNPACKED_FORMAT) fillUnpacked(columns, bytes.subarray(headEnd));
  else unpack(columns, bytes.subarray(headEnd));
  for (const row of head.freeBooks) state.books[row] = undefined;
  for (const row of head.freeBooks) state.freeBooks.push(row);
  for (const image of head.books) restoreBook(state, image);
  return state;
}

function fillUnpacked(columns: readonly ColumnView[], bytes: Uint8Array): void {
  let at = 0;
  for (const view of columns) {
    const size = bytesIn(view);
    if (at + size > bytes.length) throw new Error('snapshot is cut short');
    const copy = bytes.slice(at, at + size).buffer;
    fill(view, view.kind === 'f64' ? new Float64Array(copy) : new Int32Array(copy));
    at += size;
  }
}

/** All but the columns, for which there is room then, and the books, whose orders stand in them. */
function stateFrom(head: Head, room: Room): State {
  const { orders, amounts, allocations, supply } = head.pools;
  // With some to go on with: what grows is copied.
  const roomFor = (used: number): number => Math.min(2 * used, ROWS_MOST);
  const state = new State({ ...room, orders: Math.max(room.orders, roomFor(orders.used)), allocations: Math.max(room.allocations, roomFor(allocations.used)) });
  Object.assign(state, head.scalars);
  state.setNow(head.scalars.now);
  restoreParties(state, head);
  state.orders.reserve(orders.used);
  state.amounts.reserve(amounts.used);
  state.supply.reserve(supply.used);
  if (head.facilities.length > 0) state.ledger.openOwner('facility', head.facilities.length - 1);
  Object.assign(state.orders, orders);
  Object.assign(state.amounts, { used: amounts.used, free: amounts.free });
  Object.assign(state.allocations, { used: allocations.used, free: allocations.free });
  Object.assign(state.supply, { used: supply.used, free: supply.free });
  return state;
}

function restoreParties(state: State, head: Head): void {
  const fill = <T>(target: T[], source: readonly T[]): void => {
    for (const value of source) target.push(value);
  };
  for (const [company, image] of head.companies.entries()) {
    state.addCompany(image, head.perCompany.orderLimits[company]);
    state.standing.setDayLimit(company, head.perCompany.dayLimits[company]);
    state.standing.setFirstOrder(company, head.perCompany.firstOrder[company]);
    state.standing.setOpenOrders(company, head.perCompany.openOrders[company]);
    state.standing.setFirstAllocation(company, head.perCompany.firstAllocation[company]);
    state.standing.setRate(company, head.perCompany.rates[company]);
  }
  for (const [name, id] of head.groups) state.groups.set(name, id);
  for (const lot of head.lots) state.lots.add(lot);
  for (const [company, usable] of head.perCompany.usable.entries()) {
    state.lots.usable[company] = usable;
    state.lots.chain(company);
  }
  fill(state.classes, head.classes);
  fill(state.regions, head.regions);
  fill(state.models, head.models);
  for (const market of head.markets) state.addMarket(market);
  fill(state.facilities, head.facilities.map((row) => ({ ...row, accrualExact: new ExactSum(BigInt(row.accrualExact)) })));
  fill(state.mandates, head.mandates);
  Object.assign(state.switches, head.switches);
  Object.assign(state.money, head.money);
  for (const forced of head.forced) state.forced.set(forced.order, forced);
  Object.assign(state.dayEnd, head.dayEnd);
  Object.assign(state.armed, head.armed);
  for (const [key, value] of head.payables) state.payables.set(key, value);
  for (const [key, value] of head.idempotency) state.idempotency.set(key, value);
  for (const [key, value] of head.clientOrderIds) state.clientOrderIds.set(key, value);
  for (const [key, value] of head.captured) state.captured.set(key, value);
  fill(state.timers.heap, head.timers.heap);
  state.timers.arrivals = head.timers.arrivals;
  for (const [id, call] of head.calls ?? []) state.calls.set(id, call);
  for (const [key, price] of head.marks ?? []) state.marks.set(key, price);
  if (head.bands !== undefined) state.bands = head.bands;
  for (const { verified, ...capacity } of head.capacities) {
    const row: Capacity = { ...capacity, served: new Uint32Array(0) };
    state.supply.add(row, verified);
    state.supply.setModels(row, capacity.models);
  }
  for (const [cell, occupied] of head.spotOccupied) state.supply.spotOccupied.set(cell, BigInt(occupied));
  for (const [facility, bar] of head.bars) state.bars.set(facility, bar);
  for (const [facility, spending] of head.spending) state.spending.set(facility, spending);
  for (const block of head.blocks) state.blocks.set(block.block, block);
  for (const [row, chain] of head.chains) state.chains.set(row, chain);
  for (const [row, { bought, occupied }] of head.spotResales) state.spotResales.set(row, { bought, occupied: BigInt(occupied) });
  for (const [key, place] of head.failedPlaces) state.failedPlaces.set(key, place);
  state.outages = head.outages;
  for (const [row, replacement] of head.replacements) state.replacements.set(row, replacement);
  for (const [row, extra] of head.orderExtras) state.orders.extras.set(row, extra);
}

function restoreBook(state: State, image: BookImage): void {
  const book = new HourBook(state.levels, image.row, image.market, image.hour);
  Object.assign(book, {
    mode: image.mode, reason: image.reason, lastPrice: image.lastPrice, auction: image.auction, firstAllocation: image.firstAllocation, openAllocations: image.openAllocations,
  });
  for (const [provider, cell] of image.cells) state.providerCells.add(book.row, provider, cell);
  for (const row of image.stops) book.addStop(row, state.orders.isSell(row), state.orders.extra(row)?.stopPrice ?? 0);
  for (const row of image.bids) book.bids.append(state.orders, row);
  for (const row of image.asks) book.asks.append(state.orders, row);
  const market = state.findMarket(image.market);
  if (market === undefined) throw new Error(`no market ${image.market} for the book in row ${image.row}`);
  state.listBook(market, book);
}
