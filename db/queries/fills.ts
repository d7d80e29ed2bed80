/** Fills as one of their sides sees them, the other unnamed. Reads the projection `trades`. */
import type { Knex } from 'knex';
import { isResale } from '../projections/trades.ts';
import type { RawRow } from './fields.ts';
import { columnsOf, number, oneOf, readRow } from './fields.ts';
import { readPage } from './pages.ts';
import type { Page, PageAsk } from './pages.ts';

const TABLE = 'projections.fills';
const ORDERS = 'projections.orders';
const FIELDS = {
  fill: number('fill'), sequence: number('sequence'), allocation: number('allocation'), maker: number('maker'), taker: number('taker'),
  takerSide: oneOf('taker_side', ['buy', 'sell']), buyer: number('buyer'), seller: number('seller'), provider: number('provider'), market: number('market'), hour: number('hour'),
  price: number('price'), quantity: number('quantity'), fee: number('fee'), commission: number('commission'), at: number('at'),
} as const;

export interface FillRecord {
  fill: number;
  sequence: number;
  order: number;
  side: 'buy' | 'sell';
  liquidity: 'maker' | 'taker';
  market: number;
  hour: number;
  price: number;
  quantity: number;
  /** Buyer and reseller: micro-CR charged. Provider: micro-USD of commission, owed as it is delivered. */
  fee: number;
  feeCurrency: 'CR' | 'USD';
  /** What the buyer got; null for the seller. */
  allocation: number | null;
  at: number;
}

function seenFrom(side: 'buy' | 'sell', row: RowOfFill): FillRecord {
  const { fill, sequence, market, hour, price, quantity, at } = row;
  const takes = row.takerSide === side;
  const shared = { fill, sequence, order: takes ? row.taker : row.maker, side, liquidity: takes ? 'taker' as const : 'maker' as const, market, hour, price, quantity, at };
  if (side === 'buy') return { ...shared, fee: row.fee, feeCurrency: 'CR', allocation: row.allocation };
  return { ...shared, fee: row.commission, feeCurrency: isResale(row) ? 'CR' : 'USD', allocation: null };
}
type RowOfFill = ReturnType<typeof readRow<typeof FIELDS>>;

export interface FillsAsk extends PageAsk {
  company: number;
  instrument?: { market: number; hour: number };
}

/** Newest first. A company never trades with itself, so each fill shows it on one side. @throws InvalidCursor */
export async function listFills(db: Knex, { company, instrument, ...page }: FillsAsk): Promise<Page<FillRecord>> {
  // Two ways into the table, each in order, that Postgres merges.
  const query = db<Knex.QueryBuilder, RawRow[]>(db.raw('(select * from ?? where buyer = ? union all select * from ?? where seller = ?) as fills', [TABLE, company, TABLE, company]));
  if (instrument !== undefined) void query.where(instrument);
  const { rows, nextCursor } = await readPage(query, FIELDS, ['fill'], page);
  return { rows: rows.map((row) => seenFrom(row.buyer === company ? 'buy' : 'sell', row)), nextCursor };
}

/** Of one company after one command, up to another; oldest first. */
export async function listFillsBetween(db: Knex, { company, after, upTo, limit }: { company: number; after: number; upTo: number; limit: number }): Promise<FillRecord[]> {
  const raw = (await db(TABLE).whereRaw('? in (buyer, seller)', [company]).andWhere('sequence', '>', after).andWhere('sequence', '<=', upTo)
    .select(columnsOf(FIELDS)).orderBy('fill').limit(limit)) as RawRow[];
  return raw.map((one) => readRow(FIELDS, one)).map((row) => seenFrom(row.buyer === company ? 'buy' : 'sell', row));
}

/** Fills of one order, oldest first, as its company sees them; of a sell block those of its asks. */
export async function listFillsOfOrder(db: Knex, order: number, limit = 1_000): Promise<FillRecord[]> {
  const asks = (await db(ORDERS).where({ block_id: order }).whereNot({ block_id: 0 }).pluck('order_id')) as string[];
  const own = [order, ...asks.map(Number)];
  const raw = (await db(TABLE).whereIn('maker', own).orWhereIn('taker', own).select(columnsOf(FIELDS)).orderBy('fill').limit(limit)) as RawRow[];
  return raw.map((one) => readRow(FIELDS, one)).map((row) => {
    const takes = own.includes(row.taker);
    return seenFrom(takes === (row.takerSide === 'buy') ? 'buy' : 'sell', row);
  });
}
