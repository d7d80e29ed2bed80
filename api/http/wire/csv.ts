/** Lists as comma-separated text: the fields of the first row name the columns. */
import type { Reply } from '../route.ts';

const FORMULA = /^[=+\-@\t\r]/;
const PLAIN_NUMBER = /^-?[0-9]+(\.[0-9]+)?$/;

/** A cell that a spreadsheet will not take for a formula. */
function cellOf(value: unknown): string {
  const text = value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value as string | number | boolean);
  const safe = FORMULA.test(text) && !PLAIN_NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function csvOf(columns: readonly string[], rows: readonly object[]): string {
  const lines = rows.map((row) => columns.map((column) => cellOf((row as Record<string, unknown>)[column])).join(','));
  return [columns.join(','), ...lines, ''].join('\r\n');
}

/** A file for the browser to keep. */
export const csvReply = (name: string, columns: readonly string[], rows: readonly object[], nextCursor: string | null): Reply => ({
  status: 200,
  body: csvOf(columns, rows),
  headers: {
    'content-type': 'text/csv; charset=utf-8', 'content-disposition': `attachment; filename="${name}.csv"`, ...(nextCursor === null ? {} : { 'x-next-cursor': nextCursor }),
  },
});
