/** Lists in pages, newest first: a page begins after the last row of the one before, whatever was added meanwhile. */
import type { Knex } from 'knex';
import { columnsOf, readRow } from './fields.ts';
import type { Fields, RawRow, RowOf } from './fields.ts';

export interface PageAsk {
  limit: number;
  /** As the page before gave it; undefined: the first page. */
  cursor?: string;
}
export interface Page<Row> {
  rows: Row[];
  /** null: there are no more. */
  nextCursor: string | null;
}

/** The cursor is not one of this list. */
export class InvalidCursor extends Error {
  constructor() {
    super('the cursor is not one of this list');
    this.name = 'InvalidCursor';
  }
}

const FORM = /^p1(:(0|-?[1-9][0-9]{0,15}))+$/;

const encodeCursor = (values: readonly number[]): string => Buffer.from(['p1', ...values].join(':')).toString('base64url');

/** @throws InvalidCursor */
function decodeCursor(cursor: string, count: number): number[] {
  const text = Buffer.from(cursor, 'base64url').toString();
  const values = text.split(':').slice(1).map(Number);
  if (!FORM.test(text) || values.length !== count || !values.every(Number.isSafeInteger)) throw new InvalidCursor();
  return values;
}

/**
 * One page of a query. @param keys whole-number fields that together name a row and grow with time
 * @throws InvalidCursor
 */
export async function readPage<F extends Fields>(query: Knex.QueryBuilder, fields: F, keys: readonly (keyof F & string)[], ask: PageAsk): Promise<Page<RowOf<F>>> {
  const columns = keys.map((key) => fields[key].column);
  if (ask.cursor !== undefined) {
    const values = decodeCursor(ask.cursor, keys.length);
    void query.whereRaw(`(${columns.map(() => '??').join(', ')}) < (${columns.map(() => '?').join(', ')})`, [...columns, ...values]);
  }
  void query.select(columnsOf(fields)).orderBy(columns.map((column) => ({ column, order: 'desc' as const }))).limit(ask.limit + 1);
  const found = ((await query) as RawRow[]).map((raw) => readRow(fields, raw));
  const rows = found.slice(0, ask.limit);
  const last = rows.at(-1);
  return { rows, nextCursor: found.length > ask.limit && last !== undefined ? encodeCursor(keys.map((key) => last[key] as number)) : null };
}

/** All rows of a query. */
export async function readAll<F extends Fields>(query: Knex.QueryBuilder, fields: F): Promise<RowOf<F>[]> {
  void query.select(columnsOf(fields));
  return ((await query) as RawRow[]).map((raw) => readRow(fields, raw));
}

/** The only row of a query, undefined when there is none. */
export async function readOne<F extends Fields>(query: Knex.QueryBuilder, fields: F): Promise<RowOf<F> | undefined> {
  return (await readAll(query.limit(1), fields))[0];
}
