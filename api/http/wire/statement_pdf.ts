/** A monthly statement on paper. */
import type { Statement } from '../statements.ts';

const MARGIN = 48;
const LINE = 13;
const TITLE_SIZE = 16;
const TEXT_SIZE = 8.5;
/** Of each table's columns, in points from the left margin; amounts end where the next column begins. */
const ACCOUNT_COLUMNS = [0, 150, 240, 330, 420, 500];
const LINE_COLUMNS = [0, 62, 190, 320, 370, 500];

/** Drawn when first needed: what draws it is large, and few processes ever do. */
export async function statementPdf(statement: Statement): Promise<Buffer> {
  const { default: Document } = await import('pdfkit');
  const document = new Document({ size: 'A4', margin: MARGIN, bufferPages: true, info: { Title: `Statement ${statement.month}`, Author: 'Compute credit exchange' } });
  const chunks: Buffer[] = [];
  const ended = new Promise<void>((resolve) => document.once('end', resolve));
  document.on('data', (chunk: Buffer) => chunks.push(chunk));
  let top = MARGIN;
  const row = (cells: readonly string[], columns: readonly number[], bold = false): void => {
    if (top > document.page.height - MARGIN - 2 * LINE) {
      document.addPage();
      top = MARGIN;
    }
    document.font(bold ? 'Helvetica-Bold' : 'Helvetica').fontSize(TEXT_SIZE);
    cells.forEach((cell, index) => {
      const width = (columns[index + 1] ?? columns[index]) - columns[index] - 6;
      document.text(cell, MARGIN + columns[index], top, { width, height: LINE, lineBreak: false, ellipsis: true, align: NUMERIC.test(cell) ? 'right' : 'left' });
    });
    top += LINE;
  };
  document.font('Helvetica-Bold').fontSize(TITLE_SIZE).text('Compute credit exchange', MARGIN, top);
  top += 24;
  row([`Statement of ${statement.company} (${statement.company_id})`], [0, 500], true);
  row([`${statement.from} to ${statement.to}${statement.complete ? '' : ', the month is not over'}`], [0, 500]);
  top += LINE;
  row(['Account', 'Opening', 'In', 'Out', 'Closing'], ACCOUNT_COLUMNS, true);
  for (const { title, unit, opening, increase, decrease, closing } of statement.accounts) row([`${title}, ${unit}`, opening, increase, decrease, closing], ACCOUNT_COLUMNS);
  if (statement.accounts.length === 0) row(['Nothing was held or owed.'], [0, 500]);
  top += LINE;
  row(['Date', 'What happened', 'Account', 'Count', 'Amount'], LINE_COLUMNS, true);
  for (const { date, event, account, count, amount, unit } of statement.lines) row([date, event, account, String(count), `${amount} ${unit}`], LINE_COLUMNS);
  if (statement.lines.length === 0) row(['Nothing moved.'], [0, 500]);
  number(document);
  document.end();
  await ended;
  return Buffer.concat(chunks);
}

const NUMERIC = /^-?[0-9.]+( (USD|CR))?$/;

function number(document: PDFKit.PDFDocument): void {
  const { start, count } = document.bufferedPageRange();
  for (let page = start; page < start + count; page++) {
    document.switchToPage(page);
    // Below the margin a line would begin a page of its own.
    document.page.margins.bottom = 0;
    document.font('Helvetica').fontSize(TEXT_SIZE).text(`${page - start + 1} / ${count}`, MARGIN, document.page.height - MARGIN + LINE, { align: 'right', lineBreak: false });
  }
}
