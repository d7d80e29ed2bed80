/** What the bank reports, matched with what companies announced. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { bookedLines } from '../../../db/queries/bank_lines.ts';
import type { BookedLine } from '../../../db/queries/bank_lines.ts';
import type { FacilityView } from '../../../engine/queries.ts';
import { formatMicro, isDecimal, parseMicro } from '../../../engine/numbers/units.ts';
import { ApiError } from '../../errors.ts';
import { idOf, parseId } from '../../ids.ts';
import type { Services } from '../../services.ts';
import { projectionsCaughtUp } from '../history.ts';
import { recordAudit } from '../middleware/audit.ts';
import { principalIn } from '../middleware/caller.ts';
import { once } from '../middleware/idempotency.ts';
import { pageOf, pageQuery } from '../wire/schemas.ts';
import { pageOfRows } from '../wire/pages.ts';
import { route } from '../route.ts';
import type { Principal } from '../../auth/principal.ts';
import type { Reply, Route } from '../route.ts';
import { submit } from '../submit.ts';

const COLUMNS = ['date', 'amount', 'reference'];
const LINES_MAX = 10_000;
const DATE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/;
const REFERENCE_MAX = 140;

export interface BankTransaction {
  /** 1-based, the header being line 1. */
  line: number;
  date: string;
  /** Micro-USD. */
  amount: number;
  reference: string;
  /** Which of those alike in the file: from 1. */
  occurrence: number;
}

const invalid = (line: number, detail: string): ApiError => new ApiError('csv_invalid', { values: { line, detail } });

/** Comma-separated, quoted where needed, with a header that names date, amount and reference. @throws ApiError csv_invalid */
export function parseBankCsv(text: string): BankTransaction[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  while (lines.at(-1)?.trim() === '') lines.pop();
  if (lines.length > LINES_MAX + 1) throw invalid(LINES_MAX + 2, `at most ${LINES_MAX} transactions in one file`);
  const header = cellsOf(lines[0] ?? '', 1).map((cell) => cell.trim().toLowerCase());
  const places = COLUMNS.map((column) => header.indexOf(column));
  if (places.includes(-1)) throw invalid(1, `the header must name ${COLUMNS.join(', ')}`);
  const seen = new Map<string, number>();
  return readAll(lines.slice(1), (content, line) => {
    const cells = cellsOf(content, line, header.length);
    const told = transactionOf(line, places.map((place) => (cells[place] ?? '').trim()));
    const occurrence = (seen.get(alikeOf(told)) ?? 0) + 1;
    seen.set(alikeOf(told), occurrence);
    return { ...told, occurrence };
  });
}

const ERRORS_TOLD = 20;

/** Every line, or what is wrong with those that cannot be read: a file is corrected once. @throws ApiError csv_invalid */
function readAll<Row>(contents: readonly string[], read: (content: string, line: number) => Row): Row[] {
  const rows: Row[] = [];
  const wrong: { line: number; detail: string }[] = [];
  contents.forEach((content, index) => {
    try {
      rows.push(read(content, index + 2));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      wrong.push({ line: index + 2, detail: error.message.replace(/^Line [0-9]+: /, '') });
    }
  });
  if (wrong.length === 0) return rows;
  const [first, ...more] = wrong.slice(0, ERRORS_TOLD);
  const others = more.map(({ line, detail }) => `; line ${line}: ${detail}`).join('');
  throw invalid(first.line, `${first.detail}${others}${wrong.length > ERRORS_TOLD ? `; and ${wrong.length - ERRORS_TOLD} more` : ''}`);
}

type Told = Omit<BankTransaction, 'occurrence'>;

/** What two payments have in common that a bank tells no difference of. */
const alikeOf = ({ date, amount, reference }: Told): string => `${date}\0${amount}\0${reference}`;

function transactionOf(line: number, [date, amount, reference]: string[]): Told {
  if (!DATE.test(date) || new Date(`${date}T00:00:00Z`).toJSON()?.slice(0, 10) !== date) throw invalid(line, 'the date is not of the form 2026-12-01');
  const micro = isDecimal(amount) ? parseMicro(amount) : -1;
  if (micro <= 0) throw invalid(line, 'the amount is not a positive decimal with at most 6 places');
  if (reference === '' || reference.length > REFERENCE_MAX) throw invalid(line, `the reference must have 1 to ${REFERENCE_MAX} characters`);
  return { line, date, amount: micro, reference };
}

/** @throws ApiError csv_invalid, also where there is more in it than the header has columns: an amount with a comma for thousands would be read short */
export function cellsOf(content: string, line: number, width = Infinity): string[] {
  const cells: string[] = [];
  let at = 0;
  while (at <= content.length) {
    const quoted = content[at] === '"';
    const match = quoted ? /"((?:[^"]|"")*)"(?=,|$)/y : /[^",]*(?=,|$)/y;
    match.lastIndex = at;
    const found = match.exec(content);
    if (found === null) throw invalid(line, 'a quote is not closed or stands inside a cell');
    cells.push(quoted ? found[1].replaceAll('""', '"') : found[0]);
    at = match.lastIndex + 1;
  }
  if (cells.slice(width).some((cell) => cell.trim() !== '')) throw invalid(line, `there are ${cells.length} cells under ${width} columns`);
  return cells;
}

const OUTCOMES = ['matched', 'unmatched', 'duplicate'] as const;
type Outcome = (typeof OUTCOMES)[number];

const reportSchema = z.object({
  transactions: z.number().int(), matched: z.number().int(), unmatched: z.number().int(), duplicate: z.number().int(), credited: z.string(),
  lines: z.array(z.object({ line: z.number().int().describe('The header is line 1'), status: z.enum(OUTCOMES) })),
});

const upload = route({
  method: 'post', path: '/api/v1/bank-transactions', operationId: 'uploadBankTransactions', summary: 'Report incoming money; what a company announced is credited', tag: 'operator',
  scope: 'operate', roles: ['operator'], contentType: 'text/csv', bodyLimit: 2 * 1024 * 1024, body: z.string().min(1, 'must not be empty'),
  responses: { 200: { description: 'What became of the transactions. Sending a file again changes nothing but what matched nothing before and has been announced since.', schema: reportSchema } },
  handle(context) {
    const { services, body } = context;
    const actor = principalIn(context);
    let transactions: BankTransaction[] = [];
    const read = (): void => {
      transactions = parseBankCsv(body);
    };
    const report = async (): Promise<Reply> => ({ status: 200, body: await bookAll(services, actor, transactions) });
    if (context.idempotencyKey !== '') return once(context, async () => ({ reply: await report() }), { read });
    read();
    return report();
  },
});

const LINES_SHOWN = 10_000;
const STATUSES = ['matched', 'unmatched'] as const;

const lineSchema = z.object({
  id: z.string(), date: z.string(), amount: z.string(), reference: z.string(), status: z.enum(STATUSES),
  occurrence: z.number().int().describe('Which of those of a day that are alike: from 1'),
  company_id: z.string().nullable().describe('Whose money it was found to be; null while nobody has announced it'),
  company: z.string().nullable(), reported_at: z.string(),
});
interface LineRow {
  id: string;
  date: string;
  amount: string;
  reference: string;
  status: (typeof STATUSES)[number];
  occurrence: number;
  company: number | null;
  created_at: Date;
}

const list = route({
  method: 'get', path: '/api/v1/bank-transactions', operationId: 'listBankTransactions', summary: 'Incoming money that was reported, and whose it was', tag: 'operator', scope: 'operate',
  roles: ['operator'], query: z.strictObject({ status: z.enum(STATUSES).optional(), ...pageQuery }),
  responses: { 200: { description: 'Newest first, the last ten thousand. What is unmatched is nobody\'s: it is tried again when the file is sent again after somebody has announced it.', schema: pageOf(lineSchema) } },
  async handle({ services, query }) {
    await projectionsCaughtUp(services, 'bank');
    const rows = services.database('bank_transactions as b').leftJoin('projections.bank_lines as l', (on) => on.on('l.line', 'b.id').andOnVal('l.kind', 'credited'))
      .orderBy([{ column: 'b.created_at', order: 'desc' }, { column: 'b.id', order: 'desc' }]).limit(LINES_SHOWN);
    if (query.status !== undefined) void rows.where('b.status', query.status);
    const found: LineRow[] = await rows.select('b.id', services.database.raw('b.booked_on::text as date'), 'b.amount', 'b.reference', 'b.status', 'b.occurrence', 'l.company', 'b.created_at');
    return { status: 200, body: pageOfRows(found, query, (row) => [row.created_at.getTime(), row.id], (row) => lineWire(services, row)) };
  },
});

const lineWire = ({ directory }: Services, { id, date, amount, reference, status, occurrence, company, created_at: reported }: LineRow): z.infer<typeof lineSchema> => ({
  id, date, amount: formatMicro(BigInt(amount)), reference, status, occurrence, company_id: company === null ? null : idOf('company', company),
  company: company === null ? null : directory.companyName(company), reported_at: reported.toISOString(),
});

/** Of payments that are alike in a file each has an id of its own; in another file they are the same again. */
const idOfLine = (reported: BankTransaction): string =>
  `btx_${createHash('sha256').update(alikeOf(reported)).update(reported.occurrence === 1 ? '' : `\0${reported.occurrence}`).digest('base64url').slice(0, 16)}`;

async function bookAll(services: Services, actor: Principal, transactions: readonly BankTransaction[]): Promise<z.infer<typeof reportSchema>> {
  const outcomes: Outcome[] = [];
  let credited = 0n;
  // What the journal says was credited before is so, whatever became of the row that was to say it.
  await projectionsCaughtUp(services, 'bank');
  const booked = await bookedLines(services.database, transactions.map(idOfLine));
  for (const transaction of transactions) {
    const outcome = await book(services, transaction, booked);
    outcomes.push(outcome);
    if (outcome === 'matched') credited += BigInt(transaction.amount);
  }
  const count = (outcome: Outcome): number => outcomes.filter((other) => other === outcome).length;
  const report = { transactions: outcomes.length, matched: count('matched'), unmatched: count('unmatched'), duplicate: count('duplicate'), credited: formatMicro(credited) };
  await recordAudit(services.database, { at: services.committed.now, actor, action: 'bank_transactions', target: '', reason: 'upload', details: report });
  const lines = transactions.map(({ line }, index) => ({ line, status: outcomes[index] }));
  return { ...report, lines };
}

/**
 * Books one transaction once, however often and however late it is reported: the row is written with the credit, and the credit carries the row's
 * id, by which the journal knows it for ever, and within a day as its idempotency key too.
 */
function book(services: Services, reported: BankTransaction, booked: ReadonlyMap<string, BookedLine>): Promise<Outcome> {
  const { date, amount, reference, occurrence } = reported;
  const id = idOfLine(reported);
  return services.database.transaction(async (transaction) => {
    const added = await transaction('bank_transactions').insert({ id, booked_on: date, amount, reference, occurrence, status: 'unmatched' })
      .onConflict(['booked_on', 'amount', 'reference', 'occurrence']).ignore().returning<{ id: string }[]>('id');
    // What matched nothing when it was first reported is tried again: it may have been announced since.
    const waits = added.length > 0 || (await transaction('bank_transactions').where({ id, status: 'unmatched' }).forUpdate().first<{ id: string } | undefined>('id')) !== undefined;
    if (!waits) return 'duplicate';
    const known = booked.get(id);
    const of = (status: string) => transaction('deposits').where({ reference, status }).orderBy('created_at').first<{ id: string; company: number } | undefined>('id', 'company');
    const announced = await of('pending');
    const named = facilityNamedIn(reference);
    const facility = named === undefined ? null : await services.sequencer.query('facility', { facility: named });
    // A reference goes on naming who announced it: what was announced may come in parts.
    const company = announced?.company ?? facility?.company ?? companyNamedIn(services, reference) ?? (await of('credited'))?.company;
    if (company === undefined) return added.length > 0 && known === undefined ? 'unmatched' : 'duplicate';
    const sequence = known?.sequence ?? (await submit({ services, idempotencyKey: `bank:${id}`, bodyHash: reference }, { type: 'deposit', company, amount, reference, bankLine: id })).sequence;
    if (facility !== null && facility.company === company && known?.paid !== true) await payDue(services, id, facility, amount);
    await transaction('bank_transactions').where({ id }).update({ status: 'matched', deposit: announced?.id ?? null });
    if (announced !== undefined) await transaction('deposits').where({ id: announced.id }).update({ status: 'credited', sequence });
    return known === undefined ? 'matched' : 'duplicate';
  });
}

/** A reference may be a facility's id: what is due of it is paid, the remainder stays unapplied. */
const facilityNamedIn = (reference: string): number | undefined => parseId('facility', reference);

async function payDue(services: Services, transaction: string, view: FacilityView, amount: number): Promise<void> {
  const { facility, company } = view;
  const due = dueOf(view);
  if (due === 0) return;
  await submit({ services, idempotencyKey: `bank:${transaction}:pay`, bodyHash: transaction }, { type: 'repay', company, facility, amount: Math.min(amount, due), mode: 'shorten', bankCovers: false, bankLine: transaction });
}

/** What has fallen due and is not paid; of a debt that was given up, what has not come back of it. */
function dueOf({ state, schedule, writtenOff, payments }: FacilityView): number {
  if (state === 'written_off') return writtenOff.principal + writtenOff.interest + writtenOff.fees - payments.recovered;
  return schedule.reduce((sum, row) => (row.billed ? sum + row.principal + row.interest + row.fee : sum), 0);
}

/** A reference may be the company's id itself. */
function companyNamedIn(services: Services, reference: string): number | undefined {
  const company = parseId('company', reference);
  return company === undefined || services.directory.company(company) === undefined ? undefined : company;
}

export const bankRoutes: Route[] = [upload, list];
