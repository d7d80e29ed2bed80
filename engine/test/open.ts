/** What a company has in the market, as a reader of market data starts from it. */
import type { Engine } from '../engine.ts';
import type { BlockView, OrderView } from '../queries.ts';

export const openOrders = (engine: Engine, company: number): OrderView[] => engine.query('market', {}).orders.filter((order) => order.company === company);

export const openBlocks = (engine: Engine, company: number): BlockView[] => engine.query('market', {}).blocks.filter((block) => block.company === company);
