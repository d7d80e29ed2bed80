/** Trades from before this process began, for market data. */
import type { Knex } from 'knex';
import type { ProjectionWaiter } from '../db/queries/positions.ts';
import { listTrades, recentTrades } from '../db/queries/trades.ts';
import type { TradeHistory } from './market/trade_history.ts';

const BEHIND_MILLIS = 10_000;

/** Candles and last prices start from what the projection has when it does not catch up in time: trading does not wait for them. */
export const pastTrades = (database: Knex, projections: ProjectionWaiter): TradeHistory => ({
  async recent(now, sequence) {
    await projections.waitFor(sequence, BEHIND_MILLIS, ['trades']);
    return recentTrades(database, now, sequence);
  },
  ofInstrument: (market, hour, before, limit) => listTrades(database, { market, hour, before, limit }),
});
