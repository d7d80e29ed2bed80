/** Which lines of the bank's the market has booked: a line is booked once, however late it is reported again. */
import type { CommandEvents } from './commands_of.ts';
import { SCHEMA } from './projection.ts';
import type { Projection, ProjectionWriter, Transaction } from './projection.ts';
import { RowBuffer, insertInto } from './row_buffer.ts';

const LINES = `${SCHEMA}.bank_lines`;
/** kind: the money was credited, or what of it was due was paid. */
const LINE = { line: 'text', kind: 'text', sequence: 'bigint', company: 'int', amount: 'bigint' } as const;

const DEFINITION = `
  create table ${LINES} (line text not null, kind text not null, sequence bigint not null, company int not null, amount bigint not null, primary key (line, kind));
`;

class BankWriter implements ProjectionWriter {
  private readonly lines = new RowBuffer('bank_lines_insert', LINE, insertInto(LINES, LINE, 'on conflict do nothing'));

  apply({ sequence, events }: CommandEvents): void {
    for (const event of events) if (event.kind === 'bankLineBooked') this.lines.add({ line: event.line, kind: event.as, sequence, company: event.company, amount: event.amount });
  }

  write(transaction: Transaction): Promise<void> {
    return this.lines.write(transaction);
  }
}

export const bank: Projection = { name: 'bank', version: 1, tables: ['bank_lines'], definition: DEFINITION, open: () => new BankWriter() };
