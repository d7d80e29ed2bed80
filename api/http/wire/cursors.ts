/** What a client holds between two pages names the list it is of: another list refuses it. */
import { ApiError } from '../../errors.ts';
import type { Reply } from '../route.ts';

const hasText = <K extends string>(value: unknown, key: K): value is Record<K, string> =>
  typeof value === 'object' && value !== null && key in value && typeof (value as Record<K, unknown>)[key] === 'string';

const sealed = (list: string, cursor: string): string => Buffer.from(`${list}:${cursor}`).toString('base64url');
const CURSOR_HEADER = 'x-next-cursor';

/** The cursor of a page, in its body or beside a file, is sealed with the name of its list. */
export function sealedReply(list: string, reply: Reply): Reply {
  const { body, headers = {} } = reply;
  if (CURSOR_HEADER in headers) return { ...reply, headers: { ...headers, [CURSOR_HEADER]: sealed(list, headers[CURSOR_HEADER]) } };
  return hasText(body, 'next_cursor') ? { ...reply, body: { ...body, next_cursor: sealed(list, body.next_cursor) } } : reply;
}

/** A query as the list itself wrote its cursor. @throws ApiError invalid_cursor */
export function withOpenedCursor(list: string, query: unknown): unknown {
  if (!hasText(query, 'cursor')) return query;
  const text = Buffer.from(query.cursor, 'base64url').toString();
  if (!text.startsWith(`${list}:`)) throw new ApiError('invalid_cursor', { field: 'cursor' });
  return { ...query, cursor: text.slice(list.length + 1) };
}
