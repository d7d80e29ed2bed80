/** Every fill, once for both sides, and the candles of every instrument. */
import { MICRO, MILLIS_PER_DAY, MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../../engine/numbers/units.ts';
import type { EngineEvent, EventOf } from '../../engine/events.ts';
import { mulDiv } from '../../engine/numbers/muldiv.ts';
import { FEE_SCALE, PARAMETERS } from '../../engine/parameters.ts';
import type { CommandEvents } from './commands_of.ts';
import { CopyBuffer } from './copy_buffer.ts';
import { SCHEMA } from './projection.ts';
import type { Projection, ProjectionWriter, Transaction } from './projection.ts';
import { RowBuffer, insertInto } from './row_buffer.ts';
import type { Row } from './row_buffer.ts';

const FILLS = `${SCHEMA}.fills`;
const CANDLES = `${SCHEMA}.candles`;

/** Lengths of the candles that are kept, in milliseconds. */
export const CANDLE_INTERVALS = {
  '1m': MILLIS_PER_MINUTE, '5m': 5 * MILLIS_PER_MINUTE, '15m': 15 * MILLIS_PER_MINUTE, '1h': MILLIS_PER_HOUR, '1d': MILLIS_PER_DAY,
} as const;
export type CandleInterval = keyof typeof CANDLE_INTERVALS;

/**
 * fee: micro-CR charged to the buyer. commission: the seller's; micro-USD that a provider will owe when
 * all of it is delivered, micro-CR that a reseller was charged.
 */
const FILL = {
  fill: 'bigint', sequence: 'bigint', allocation: 'bigint', maker: 'bigint', taker: 'bigint', taker_side: 'smallint', buyer: 'int', seller: 'int',
  provider: 'int', market: 'int', hour: 'int', price: 'bigint', quantity: 'bigint', fee: 'bigint', commission: 'bigint', at: 'bigint',
} as const;
const CANDLE = {
  market: 'int', hour: 'int', length: 'bigint', start: 'bigint', open: 'bigint', high: 'bigint', low: 'bigint', close: 'bigint', volume: 'bigint',
  notional: 'bigint', trades: 'bigint',
} as const;

const DEFINITION = `
  create table ${FILLS} (
    fill bigint primary key, sequence bigint not null, allocation bigint not null, maker bigint not null, taker bigint not null,
    taker_side smallint not null, buyer int not null, seller int not null, provider int not null, market int not null, hour int not null,
    price bigint not null, quantity bigint not null, fee bigint not null, commission bigint not null, at bigint not null
  );
  create index fills_of_buyer on ${FILLS} (buyer, fill);
  create index fills_of_seller on ${FILLS} (seller, fill);
  create index fills_of_maker on ${FILLS} (maker);
  create index fills_of_taker on ${FILLS} (taker);
  create index fills_of_instrument on ${FILLS} (hour, market, fill);
  create index fills_by_time on ${FILLS} using brin (at);
  create table ${CANDLES} (
    market int not null, hour int not null, length bigint not null, start bigint not null, open bigint not null, high bigint not null, low bigint not null,
    close bigint not null, volume bigint not null, notional bigint not null, trades bigint not null, primary key (market, hour, length, start)
  ) with (fillfactor = 80);
`;

/** The candle in the table came first: it keeps its opening price. */
const MERGE = `on conflict (market, hour, length, start) do update set
  high = greatest(candles.high, excluded.high), low = least(candles.low, excluded.low), close = excluded.close, volume = candles.volume + excluded.volume,
  notional = candles.notional + excluded.notional, trades = candles.trades + excluded.trades`;

/** CREDIT.md section 3: the rate follows liquidity, the currency the side; providers in USD at delivery. */
function commissionOf({ price, quantity, takerSide }: Pick<EventOf<'fill'>, 'price' | 'quantity' | 'takerSide'>): number {
  const rate = takerSide === 'sell' ? PARAMETERS.takerFee : PARAMETERS.makerFee;
  return mulDiv(price * quantity, PARAMETERS.redemptionRate * rate, MICRO * FEE_SCALE);
}

type CandleRow = { -readonly [N in keyof typeof CANDLE]: number };

class TradesWriter implements ProjectionWriter {
  private candles = new Map<string, CandleRow>();
  private readonly fillRows = new CopyBuffer(FILLS, FILL);
  private readonly candleRows = new RowBuffer('candles_merge', CANDLE, insertInto(CANDLES, CANDLE, MERGE));

  apply({ sequence, events }: CommandEvents): void {
    events.forEach((event, index) => {
      if (event.kind !== 'fill') return;
      this.fillRows.add(rowOf(event, sequence, isResale(event) ? resaleFee(events, index, event.allocation) : commissionOf(event)));
      for (const length of Object.values(CANDLE_INTERVALS)) this.addToCandle(event, length);
    });
  }

  private addToCandle({ market, hour, price, quantity, now }: EventOf<'fill'>, length: number): void {
    const start = Math.floor(now / length) * length;
    const key = `${market}:${hour}:${length}:${start}`;
    const notional = price * quantity;
    const candle = this.candles.get(key);
    if (candle === undefined) {
      this.candles.set(key, { market, hour, length, start, open: price, high: price, low: price, close: price, volume: quantity, notional, trades: 1 });
      return;
    }
    candle.high = Math.max(candle.high, price);
    candle.low = Math.min(candle.low, price);
    candle.close = price;
    candle.volume += quantity;
    candle.notional += notional;
    candle.trades++;
  }

  async write(transaction: Transaction): Promise<void> {
    for (const candle of this.candles.values()) this.candleRows.add(candle);
    this.candles = new Map();
    await this.fillRows.write(transaction);
    await this.candleRows.write(transaction);
  }
}

/** Whether a buyer has sold what it bought. */
export const isResale = ({ seller, provider }: Pick<EventOf<'fill'>, 'seller' | 'provider'>): boolean => seller !== provider;

/** What follows a resale's fill tells what the seller was charged. */
function resaleFee(events: readonly EngineEvent[], fill: number, allocation: number): number {
  for (const event of events.slice(fill + 1)) if (event.kind === 'allocationResold' && event.to === allocation) return event.fee;
  return 0;
}

function rowOf(event: EventOf<'fill'>, sequence: number, commission: number): Row<typeof FILL> {
  const { fill, allocation, maker, taker, takerSide, buyer, seller, provider, market, hour, price, quantity, fee, now } = event;
  return {
    fill, sequence, allocation, maker, taker, taker_side: takerSide === 'buy' ? 0 : 1, buyer, seller, provider, market, hour, price, quantity, fee,
    commission, at: now,
  };
}

export const trades: Projection = { name: 'trades', version: 2, tables: ['fills', 'candles'], definition: DEFINITION, open: () => new TradesWriter() };
