/** Lists in pages: newest first, continued after the last row of the page before. */
import { InvalidCursor } from '../../../db/queries/pages.ts';
import { ApiError } from '../../errors.ts';

export const LIMIT_DEFAULT = 100;

export interface PageAsk {
  limit?: number;
  cursor?: string;
}
export interface Page<Row> {
  data: Row[];
  next_cursor: string | null;
}
/** Where a row stands: compared part by part, unique in its list. */
export type Position = readonly (string | number)[];

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

function compare(a: Position, b: Position): number {
  for (let part = 0; part < a.length; part++) {
    if (a[part] === b[part]) continue;
    return a[part] < b[part] ? -1 : 1;
  }
  return 0;
}

/** @throws ApiError invalid_cursor */
function decodePosition(cursor: string, parts: readonly string[]): Position {
  const texts = decodeCursor(cursor).split(',');
  if (texts.length !== parts.length) throw new ApiError('invalid_cursor', { field: 'cursor' });
  return texts.map((text, part) => (parts[part] === 'number' ? Number(text) : text));
}

/** A page of rows that are all at hand, highest position first. Positions hold numbers and ids without commas. */
export function pageOfRows<Row, Wire>(rows: readonly Row[], ask: PageAsk, positionOf: (row: Row) => Position, wire: (row: Row) => Wire): Page<Wire> {
  const limit = ask.limit ?? LIMIT_DEFAULT;
  const sorted = rows.map((row) => ({ row, position: positionOf(row) })).sort((a, b) => compare(b.position, a.position));
  const after = ask.cursor === undefined || sorted.length === 0 ? undefined : decodePosition(ask.cursor, sorted[0].position.map((part) => typeof part));
  const rest = after === undefined ? sorted : sorted.filter(({ position }) => compare(position, after) < 0);
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  return { data: page.map(({ row }) => wire(row)), next_cursor: rest.length > limit && last !== undefined ? encodeCursor(last.position.join(',')) : null };
}

/** A page of a query of db/queries. @throws ApiError invalid_cursor */
export async function pageOfQuery<Row, Wire>(
  ask: PageAsk, read: (page: { limit: number; cursor?: string }) => Promise<{ rows: Row[]; nextCursor: string | null }>, wire: (row: Row) => Wire,
): Promise<Page<Wire>> {
  try {
    const { rows, nextCursor } = await read({ limit: ask.limit ?? LIMIT_DEFAULT, cursor: ask.cursor });
    return { data: rows.map(wire), next_cursor: nextCursor };
  } catch (error) {
    throw error instanceof InvalidCursor ? new ApiError('invalid_cursor', { field: 'cursor' }) : error;
  }
}
