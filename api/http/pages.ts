/** Lists in pages: newest first, continued after the last row of the page before. */
import { ApiError } from '../errors.ts';

export const LIMIT_DEFAULT = 100;

export interface PageAsk {
  limit?: number;
  cursor?: string;
}
export interface Page<Row> {
  data: Row[];
  next_cursor: string | null;
}

export const encodeCursor = (position: string | number): string => Buffer.from(`c1:${position}`).toString('base64url');

/** @throws ApiError invalid_cursor */
export function decodeCursor(cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString();
  if (!text.startsWith('c1:')) throw new ApiError('invalid_cursor', { field: 'cursor' });
  return text.slice(3);
}

/** A cursor that is a number. @throws ApiError invalid_cursor */
export function decodeNumberCursor(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  const number = Number(decodeCursor(cursor));
  if (!Number.isSafeInteger(number)) throw new ApiError('invalid_cursor', { field: 'cursor' });
  return number;
}

/** A page of rows that are all at hand. @param positionOf a number that falls along the list */
export function pageOfRows<Row, Wire>(rows: readonly Row[], ask: PageAsk, positionOf: (row: Row) => number, wire: (row: Row) => Wire): Page<Wire> {
  const limit = ask.limit ?? LIMIT_DEFAULT;
  const after = decodeNumberCursor(ask.cursor);
  const sorted = [...rows].sort((a, b) => positionOf(b) - positionOf(a));
  const rest = after === undefined ? sorted : sorted.filter((row) => positionOf(row) < after);
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  return { data: page.map(wire), next_cursor: rest.length > limit && last !== undefined ? encodeCursor(positionOf(last)) : null };
}
