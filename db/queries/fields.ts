/**
 * How a table's columns become an object's fields. Postgres sends a bigint as text; all of ours are
 * within the safe range (engine/numbers/units.ts), sums may not be and are read as BigInt.
 */
export interface Field<T> {
  readonly column: string;
  readonly read: (value: unknown) => T;
}
export type Fields = Readonly<Record<string, Field<unknown>>>;
export type RowOf<F extends Fields> = { -readonly [N in keyof F]: F[N] extends Field<infer T> ? T : never };
export type RawRow = Record<string, unknown>;

export const number = (column: string): Field<number> => ({ column, read: Number });
export const numberOrNull = (column: string): Field<number | null> => ({ column, read: (value) => (value === null ? null : Number(value)) });
export const bigint = (column: string): Field<bigint> => ({ column, read: (value) => BigInt(value as string) });
export const text = <T extends string = string>(column: string): Field<T> => ({ column, read: (value) => value as T });
export const flag = (column: string): Field<boolean> => ({ column, read: (value) => value === true });
export const json = <T>(column: string): Field<T> => ({ column, read: (value) => value as T });
/** A number that stands for a name in a list. */
export const oneOf = <const T extends readonly string[]>(column: string, names: T): Field<T[number]> => ({ column, read: (value) => names[Number(value)] });

/** `column as "field"` for each field. */
export const columnsOf = (fields: Fields): Record<string, string> => Object.fromEntries(Object.entries(fields).map(([name, { column }]) => [name, column]));

export function readRow<F extends Fields>(fields: F, raw: RawRow): RowOf<F> {
  return Object.fromEntries(Object.entries(fields).map(([name, { read }]) => [name, read(raw[name])])) as RowOf<F>;
}
