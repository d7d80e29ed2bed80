/** One side of the ladder as lines from top to bottom. */
import { format, type LadderRow } from '../../state/index.ts';

export const LADDER_ROW_PIXELS = 20;

/** Undefined where the book is shorter than the ladder. @param best the side's rows, best first; the best ask stands lowest, the best bid highest */
export const linesOf = (best: readonly LadderRow[], count: number, side: 'bid' | 'ask'): (LadderRow | undefined)[] => Array.from({ length: count }, (_, line) => best[rankOf(line, count, side)]);

/** How far from the best price a line stands. */
export const rankOf = (line: number, count: number, side: 'bid' | 'ask'): number => (side === 'ask' ? count - 1 - line : line);

/** A row for those who hear it. */
export function nameOf(row: LadderRow | undefined, side: 'bid' | 'ask'): string | undefined {
  if (row === undefined) return undefined;
  const own = row.own > 0 ? `, ${format.quantity(row.own)} of it yours` : '';
  return `${side} ${format.price(row.price)}, ${format.quantity(row.quantity)} GPU-hours${own}, ${format.quantity(row.total)} in all`;
}
