/** What hours are worth: their own trades, else the index of their class, else half of list price. */
import type { RejectCode } from '../catalogue.ts';
import { classOf } from '../vocabulary.ts';
import type { SetMarks } from '../commands.ts';
import type { State } from '../state.ts';
import type { HourBook } from '../trading/markets.ts';
import { PRICE_TICKS_MAX } from '../numbers/units.ts';
import type { Hour, Ticks } from '../numbers/units.ts';

/** What marks are known from now on. */
export function setMarks(state: State, { classes, hours }: SetMarks): RejectCode | undefined {
  const valid = [...classes, ...hours].every(({ price }) => Number.isSafeInteger(price) && price > 0 && price <= PRICE_TICKS_MAX)
    && classes.every(({ class: id }) => state.classes[id] !== undefined) && hours.every(({ market }) => state.findMarket(market) !== undefined);
  if (!valid) return 'invalid_parameter';
  state.marks.clear();
  for (const { class: id, price } of classes) state.marks.set(String(id), price);
  for (const { market, hour, price } of hours) state.marks.set(`${market}:${hour}`, price);
  state.buffer.emit('marksSet', { classes, hours });
  return undefined;
}

/** Never above list price, at which one can always buy. */
export function markOf({ classes, marks }: State, market: number, hour: Hour): Ticks {
  const { listPrice } = classes[classOf(market)];
  const told = marks.size === 0 ? undefined : (marks.get(`${market}:${hour}`) ?? marks.get(String(classOf(market))));
  return Math.min(listPrice, told ?? Math.floor(listPrice / 2));
}

/** What a lender reckons with: the lower of mark and best bid. */
export function collateralMark(state: State, market: number, hour: Hour, book: HourBook | undefined): Ticks {
  const mark = markOf(state, market, hour);
  return book === undefined || book.bids.isEmpty ? mark : Math.min(mark, book.bids.best());
}
