/** What a client holds between two pages names the list it is of: another list refuses it. */
import { ApiError } from '../errors.ts';

const hasText = <K extends string>(value: unknown, key: K): value is Record<K, string> =>
  typeof value === 'object' && value !== null && key in value && typeof (value as Record<K, unknown>)[key] === 'string';

/** The body of an answer; the cursor of a page is sealed with the name of its list. */
export function withSealedCursor(list: string, body: unknown): unknown {
  if (!hasText(body, 'next_cursor')) return body;
  return { ...body, next_cursor: Buffer.from(`${list}:${body.next_cursor}`).toString('base64url') };
}

/** A query as the list itself wrote its cursor. @throws ApiError invalid_cursor */
export function withOpenedCursor(list: string, query: unknown): unknown {
  if (!hasText(query, 'cursor')) return query;
  const text = Buffer.from(query.cursor, 'base64url').toString();
  if (!text.startsWith(`${list}:`)) throw new ApiError('invalid_cursor', { field: 'cursor' });
  return { ...query, cursor: text.slice(list.length + 1) };
}
