/** Orders of the past and present. Ticks, steps, micro-CR. Reads the projection `orders`. */
import type { Knex } from 'knex';
import { SELL } from '../../engine/vocabulary.ts';
import type { OrderStatus } from '../../engine/events.ts';
import type { OrderView } from '../../engine/queries.ts';
import { flag, number, text } from './fields.ts';
import type { RowOf } from './fields.ts';
import { readAll, readOne, readPage } from './pages.ts';
import type { Page, PageAsk } from './pages.ts';

const TABLE = 'projections.orders';
const FIELDS = {
  order: number('order_id'), sequence: number('sequence'), place: number('place'), company: number('company'), market: number('market'),
  hour: number('hour'), side: number('side'), orderType: number('order_type'), timeInForce: number('time_in_force'),
  selfTradePrevention: number('self_trade_prevention'), postOnly: flag('post_only'), cancelOnDisconnect: flag('cancel_on_disconnect'),
  displayQuantity: number('display_quantity'), minimumQuantity: number('minimum_quantity'), stopPrice: number('stop_price'), expiresAt: number('expires_at'),
  model: number('model'), resaleOf: number('resale_of'), clientOrderId: text('client_order_id'), acceptedAt: number('accepted_at'), price: number('price'),
  remaining: number('remaining'), visible: number('visible'), filled: number('filled'), notional: number('notional'), fees: number('fees'),
  blockId: number('block_id'), toHour: number('to_hour'), acceptanceRatio: number('acceptance_ratio'), hold: number('hold'), status: text<OrderStatus>('status'), reason: text('reason'), updatedAt: number('updated_at'),
} as const;

/** As the engine views it, `quantity` being filled + remaining. `reason` is empty while it is in the market, `place` its rank among those its command brought in. */
export type OrderRecord = OrderView & {
  place: number;
  filled: number;
  reason: string;
  updatedAt: number;
  /** The sell block that an ask is of; 0: none. */
  blockId: number;
  /** Of a block: its hours, the steps in each, and the least part it takes in ppm. */
  block: { fromHour: number; toHour: number; quantity: number; minimumAcceptanceRatio: number } | null;
};

function orderOf({ toHour, acceptanceRatio, ...row }: RowOf<typeof FIELDS>): OrderRecord {
  const quantity = row.filled + row.remaining;
  const block = toHour === 0 ? null : { fromHour: row.hour, toHour, quantity: quantity / (toHour - row.hour), minimumAcceptanceRatio: acceptanceRatio };
  return { ...row, quantity, block };
}

export interface OrdersAsk extends PageAsk {
  company: number;
  status?: OrderStatus;
  /** BUY or SELL. */
  side?: number;
  /** An instrument. */
  instrument?: { market: number; hour: number };
}

const LIVE: readonly OrderStatus[] = ['open', 'partially_filled', 'untriggered'];

/** Newest first. @throws InvalidCursor */
export async function listOrders(db: Knex, { company, status, side, instrument, ...page }: OrdersAsk): Promise<Page<OrderRecord>> {
  const query = db(TABLE).where({ company });
  if (status !== undefined) void query.where({ status });
  // The few that are in the market have an index of their own.
  if (status !== undefined && LIVE.includes(status)) void query.where({ reason: '' });
  if (side !== undefined) void query.where({ side });
  if (instrument !== undefined) void query.where(instrument);
  const { rows, nextCursor } = await readPage(query, FIELDS, ['sequence', 'place'], page);
  return { rows: rows.map(orderOf), nextCursor };
}

/** A provider's offers are its sell orders. */
export const listOffers = (db: Knex, ask: Omit<OrdersAsk, 'side'>): Promise<Page<OrderRecord>> => listOrders(db, { ...ask, side: SELL });

/** Of any company: the caller checks whose it is. */
export async function getOrder(db: Knex, order: number): Promise<OrderRecord | undefined> {
  const row = await readOne(db(TABLE).where({ order_id: order }), FIELDS);
  return row === undefined ? undefined : orderOf(row);
}

/** Which of some orders are the company's own and not in the market any more. */
export async function closedOrders(db: Knex, ask: { company: number; orders: readonly number[] }): Promise<Set<number>> {
  const rows = await readAll(db(TABLE).where({ company: ask.company }).whereIn('order_id', [...ask.orders]).whereNot({ reason: '' }), { order: FIELDS.order });
  return new Set(rows.map(({ order }) => order));
}

/** The company's newest order of that client id, however old. */
export async function findOrderByClientId(db: Knex, ask: { company: number; clientOrderId: string }): Promise<OrderRecord | undefined> {
  if (ask.clientOrderId === '') return undefined;
  const query = db(TABLE).where({ company: ask.company, client_order_id: ask.clientOrderId }).whereNot({ client_order_id: '' }).orderBy('sequence', 'desc');
  const row = await readOne(query, FIELDS);
  return row === undefined ? undefined : orderOf(row);
}
