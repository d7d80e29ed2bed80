/**
 * One side of the ladder as it is drawn: one text for each column, not one for each number. A book that changes in every
 * frame so changes three texts instead of a hundred, which takes a third off what the frame costs.
 */
import { format, type LadderRow } from '../../state/index.ts';

export const LADDER_ROW_PIXELS = 20;

export interface LadderSide {
  /** Top to bottom; undefined where the book is shorter than the ladder. */
  rows: (LadderRow | undefined)[];
  prices: string;
  quantities: string;
  totals: string;
}

/** @param best the side's rows, best first; the best ask stands lowest, the best bid highest */
export function ladderSide(best: readonly LadderRow[], count: number, side: 'bid' | 'ask'): LadderSide {
  const rows = Array.from({ length: count }, (_, line) => best[side === 'ask' ? count - 1 - line : line]);
  const column = (text: (row: LadderRow) => string): string => rows.map((row) => (row === undefined ? '' : text(row))).join('\n');
  return {
    rows,
    prices: column((row) => format.price(row.price)),
    quantities: column((row) => format.quantity(row.quantity)),
    totals: column((row) => format.quantity(row.total)),
  };
}

/** A row for those who hear it. */
export function nameOf(row: LadderRow | undefined, side: 'bid' | 'ask'): string | undefined {
  if (row === undefined) return undefined;
  const own = row.own > 0 ? `, ${format.quantity(row.own)} of it yours` : '';
  return `${side} ${format.price(row.price)}, ${format.quantity(row.quantity)} GPU-hours${own}, ${format.quantity(row.total)} in all`;
}
