/** New rows, many of them, on their way into a table by COPY: half the cost of an insert. */
import { from as copyFrom } from 'pg-copy-streams';
import type { Transaction } from './projection.ts';
import { STORABLE } from './row_buffer.ts';
import type { Columns, Row } from './row_buffer.ts';

const NULL = '\\N';
/** What stands for itself no longer in COPY's text form. */
const SPECIAL = /[\\\t\n\r]/g;
const ESCAPED: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

export class CopyBuffer<C extends Columns> {
  private readonly statement: string;
  private readonly names: readonly string[];
  private readonly storable: readonly (((text: string) => string) | undefined)[];
  private text = '';

  constructor(table: string, columns: C) {
    this.names = Object.keys(columns);
    this.storable = Object.values(columns).map((type) => STORABLE[type]);
    this.statement = `copy ${table} (${this.names.join(', ')}) from stdin`;
  }

  /** Whole numbers only; jsonb as JSON text. Fields that are no columns are left out. */
  add(row: Row<C>): void {
    for (let index = 0; index < this.names.length; index++) {
      const field = this.fieldOf(row[this.names[index]], this.storable[index]);
      this.text += index === 0 ? field : `\t${field}`;
    }
    this.text += '\n';
  }

  private fieldOf(value: unknown, storable: ((text: string) => string) | undefined): string {
    if (value === null) return NULL;
    return storable === undefined ? String(value) : storable(value as string).replace(SPECIAL, (found) => ESCAPED[found]);
  }

  /** Writes the rows, if there are any, and is empty again. */
  async write(transaction: Transaction): Promise<void> {
    if (this.text === '') return;
    const { text } = this;
    this.text = '';
    const stream = transaction.query(copyFrom(this.statement));
    await new Promise<void>((resolve, reject) => {
      stream.once('error', reject).once('finish', resolve).end(text);
    });
  }
}
