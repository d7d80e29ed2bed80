/** Rows on their way into one SQL statement: a statement per row would cost more than all else. */
import type { Transaction } from './projection.ts';
import { storableJson, storableText } from './storable.ts';

export type ColumnType = 'bigint' | 'int' | 'smallint' | 'boolean' | 'text' | 'jsonb' | 'numeric';
export type Columns = Readonly<Record<string, ColumnType>>;
/** Numbers must be whole; jsonb is given as JSON text. */
export type Row<C extends Columns> = { -readonly [N in keyof C]: ValueOf<C[N]> | null };
type ValueOf<T extends ColumnType> = T extends 'boolean' ? boolean : T extends 'text' | 'jsonb' ? string : number;
type Value = string | number | boolean | null;

/** How values of a column are made fit to be stored; undefined: they are as they are. */
export const STORABLE: Readonly<Partial<Record<ColumnType, (text: string) => string>>> = { text: storableText, jsonb: storableJson };

export class RowBuffer<C extends Columns> {
  private readonly statement: { name: string; text: string };
  private readonly names: readonly string[];
  private readonly types: readonly ColumnType[];
  private values: Value[][];
  private count = 0;

  /**
   * @param name of the prepared statement, unique among all
   * @param columns of the rows, in this order
   * @param statement given the rows as a table expression `given`, with these columns
   */
  constructor(name: string, columns: C, statement: (given: string) => string) {
    this.names = Object.keys(columns);
    this.types = Object.values(columns);
    const arrays = this.types.map((type, index) => `$${index + 1}::${type}[]`).join(', ');
    this.statement = { name, text: statement(`unnest(${arrays}) as given (${this.names.join(', ')})`) };
    this.values = this.names.map(() => []);
  }

  get size(): number {
    return this.count;
  }

  add(row: Row<C>): void {
    for (let index = 0; index < this.names.length; index++) this.values[index].push(row[this.names[index]] as Value);
    this.count++;
  }

  /** Writes the rows, if there are any, and is empty again. */
  async write(transaction: Transaction): Promise<void> {
    if (this.count === 0) return;
    const values = this.values.map((column, index) => {
      const storable = STORABLE[this.types[index]];
      return storable === undefined ? arrayLiteral(column) : column.map((value) => (value === null ? null : storable(value as string)));
    });
    this.values = this.names.map(() => []);
    this.count = 0;
    await transaction.query({ ...this.statement, values });
  }
}

/** Numbers and booleans need no quotes: far cheaper than the driver's way, which must look at each. */
function arrayLiteral(values: readonly Value[]): string {
  let text = '{';
  for (let index = 0; index < values.length; index++) text += (index === 0 ? '' : ',') + (values[index] === null ? 'null' : String(values[index]));
  return text + '}';
}

/** `insert into table`, of all columns; `conflict` begins with `on conflict`. */
export const insertInto = (table: string, columns: Columns, conflict = '') => (given: string): string =>
  `insert into ${table} (${Object.keys(columns).join(', ')}) select * from ${given} ${conflict}`;
