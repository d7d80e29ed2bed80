/** What a side of a book shows: its levels, those of some providers only, its queue. */
import { NONE } from '../../engine/vocabulary.ts';
import { viewOf } from './instrument_state.ts';
import type { BookLevels } from './levels.ts';
import type { LiveOrder } from './live_orders.ts';
import type { LevelView } from './market_data.ts';

/** Of the best `depth` prices. */
export const levelsOf = (side: BookLevels, depth: number): LevelView[] => Array.from(side.fromBest(depth), (level) => viewOf(level) as LevelView);

/** Takes the prices that changed, with what stands there now. */
export function changedLevels(side: BookLevels): LevelView[] {
  const { changes } = side;
  const levels = Array.from(changes ?? [], (price) => viewOf(side.at(price)) ?? { price, quantity: 0, orders: 0 });
  changes?.clear();
  return levels;
}

/** Whether an ask sells capacity of one of the providers. */
const isOf = ({ resaleOf, company, deliverer }: LiveOrder, providers: ReadonlySet<number>): boolean => providers.has(resaleOf === 0 ? company : (deliverer ?? NONE));

/** Levels made of the asks of some providers only. */
export function levelsServing(side: BookLevels, depth: number, providers: ReadonlySet<number>): LevelView[] {
  const levels: LevelView[] = [];
  for (const order of side.orders()) {
    if (!isOf(order, providers)) continue;
    const last = levels.at(-1);
    if (last?.price === order.price) {
      last.quantity += order.visible;
      last.orders++;
    } else {
      if (levels.length === depth) break;
      levels.push({ price: order.price, quantity: order.visible, orders: 1 });
    }
  }
  return levels;
}

/** Orders of the best `depth` levels. */
export function queueOf(side: BookLevels, depth: number, providers?: ReadonlySet<number>): LiveOrder[] {
  const found: LiveOrder[] = [];
  let levels = 0;
  for (const order of side.orders()) {
    if (providers !== undefined && !isOf(order, providers)) continue;
    if (found.at(-1)?.price !== order.price && ++levels > depth) break;
    found.push(order);
  }
  return found;
}
