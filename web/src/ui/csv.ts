/** Tables as files: RFC 4180, digits without grouping, times as the wire gives them. */
import { format } from '../state/index.ts';

export interface CsvColumn<Row> {
  header: string;
  unit?: string;
  align?: 'left' | 'right';
  text: (row: Row) => string;
  csv?: (row: Row) => string;
}

/** Cells that begin so are formulas to a spreadsheet; a leading apostrophe keeps them text. */
const FORMULA = /^[=+@\t\r]|^-(?![0-9.])/;

function cellOf(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** As a program reads it: no thousands apart, a plain minus, nothing where there is no value. */
const plain = (text: string): string => (text === format.NO_VALUE ? '' : text.replace(/(\d),(?=\d{3})/g, '$1').replaceAll('−', '-'));

export function csvOf<Row>(columns: readonly CsvColumn<Row>[], rows: readonly Row[]): string {
  const header = columns.map(({ header, unit }) => cellOf(unit === undefined ? header : `${header} (${unit})`));
  const lines = rows.map((row) => columns.map((column) => cellOf(column.csv?.(row) ?? (column.align === 'right' ? plain(column.text(row)) : column.text(row)))));
  return [header, ...lines].map((line) => line.join(',')).join('\r\n') + '\r\n';
}

/** Hands the table to the browser as a download. */
export function saveCsv<Row>(name: string, columns: readonly CsvColumn<Row>[], rows: readonly Row[]): void {
  const address = URL.createObjectURL(new Blob([csvOf(columns, rows)], { type: 'text/csv;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = `${name.toLowerCase().replace(/[^a-z0-9]+/g, '_')}.csv`;
  link.click();
  URL.revokeObjectURL(address);
}
