/** The books for people who keep books: statements, the trial balance, the general ledger, balances of the past, the operator's income. */
import { z } from 'zod';
import { generalLedger, sequenceAt, sumsByDay, sumsUntil } from '../../../db/queries/accounting.ts';
import type { DaySum, JournalEntry } from '../../../db/queries/accounting.ts';
import { accountBalances } from '../../../db/queries/ledger.ts';
import { LEDGERS } from '../../../engine/ledger/accounts.ts';
import type { AccountName, OwnerKind } from '../../../engine/ledger/accounts.ts';
import { parseDate } from '../../../engine/credit/dates.ts';
import { MILLIS_PER_DAY, formatMicro, formatUnits } from '../../../engine/numbers/units.ts';
import { ApiError } from '../../errors.ts';
import { idOf } from '../../ids.ts';
import type { Services } from '../../services.ts';
import { formatDay, formatGpuHours, formatTime, microGpuHours } from '../wire/amounts.ts';
import { principalIn } from '../middleware/caller.ts';
import { csvReply } from '../wire/csv.ts';
import { projectionsCaughtUp } from '../history.ts';
import { trialRows } from '../trial_balance.ts';
import { decodeCursor, encodeCursor } from '../wire/pages.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';
import { calendarDay, instant } from '../wire/schemas.ts';
import { statementPdf } from '../wire/statement_pdf.ts';
import { STATEMENT_LINE_COLUMNS, monthOf, statementMonths, statementOf, statementRows, statementSchema } from '../statements.ts';

const text = z.string();
const tag = 'accounting';
const operator = ['operator'] as const;
const format = z.enum(['json', 'csv']).optional();

const todayOf = (services: Services): number => Math.floor(services.committed.now / MILLIS_PER_DAY);
const dayOf = (value: string | undefined, otherwise: number): number => (value === undefined ? otherwise : (parseDate(value) ?? otherwise));

// Statements.

const listStatements = route({
  method: 'get', path: '/api/v1/statements', operationId: 'listStatements', summary: 'Months there is a statement of', tag, scope: 'read',
  responses: { 200: { description: 'Newest first.', schema: z.object({ data: z.array(z.object({ month: text, from: text, to: text, complete: z.boolean() })) }) } },
  async handle(context) {
    const months = await statementMonths(context.services, principalIn(context).company);
    return { status: 200, body: { data: months.map(({ month, from, to, complete }) => ({ month, from: formatDay(from), to: formatDay(to), complete })) } };
  },
});

const readStatement = route({
  method: 'get', path: '/api/v1/statements/{month}', operationId: 'getMonthlyStatement', summary: "A month (2026-12) of one's company: balances, and what moved them by day", tag, scope: 'read',
  params: z.object({ month: text }), query: z.strictObject({ format: z.enum(['json', 'csv', 'pdf']).optional() }),
  responses: { 200: { description: 'As JSON, as a file of its lines, or on paper.', schema: statementSchema } },
  async handle(context) {
    const { services, params, query } = context;
    const month = monthOf(params.month);
    if (month === undefined) throw new ApiError('not_found');
    const statement = await statementOf(services, principalIn(context).company, month);
    const name = `statement-${month.month}`;
    if (query.format === 'csv') return csvReply(name, STATEMENT_LINE_COLUMNS, statementRows(statement), null);
    if (query.format !== 'pdf') return { status: 200, body: statement };
    return {
      status: 200, body: await statementPdf(statement), headers: { 'content-type': 'application/pdf', 'content-disposition': `attachment; filename="${name}.pdf"` },
    };
  },
});

// Balances of the past.

const balanceSchema = z.object({ ledger: z.enum(LEDGERS), account: text, owner: text, balance: text.describe('Debit positive') });

const ownerIdOf = (kind: OwnerKind, owner: number): string => (kind === 'cell' ? `cell_${owner}` : idOf(kind, owner));
const amountOf = (ledger: string, amount: number): string => (ledger === 'CAP' ? formatGpuHours(amount) : formatMicro(amount));

const balancesAt = route({
  method: 'get', path: '/api/v1/ledger/balances', operationId: 'getBalancesAt', summary: "Every account of one's company as it stood at a time", tag, scope: 'read',
  query: z.strictObject({ at: instant.optional() }),
  responses: { 200: { description: 'Accounts that were not at zero.', schema: z.object({ at: text, sequence: z.number().int(), data: z.array(balanceSchema) }) } },
  async handle(context) {
    const { services, query } = context;
    const { company } = principalIn(context);
    await projectionsCaughtUp(services, 'ledger');
    const at = query.at === undefined ? services.committed.now : Date.parse(query.at);
    const sequence = await sequenceAt(services.database, { company, at });
    const rows = await accountBalances(services.database, { company, sequence });
    const data = rows.filter(({ balance }) => balance !== 0)
      .map(({ ledger, account, ownerKind, owner, balance }) => ({ ledger, account, owner: ownerIdOf(ownerKind, owner), balance: amountOf(ledger, balance) }));
    return { status: 200, body: { at: formatTime(at), sequence, data } };
  },
});

// Trial balance and general ledger.

const trialRow = z.object({ ledger: z.enum(LEDGERS), account: text, debits: text, credits: text, balance: text.describe('Debit positive') });
const totalsSchema = z.object(Object.fromEntries(LEDGERS.map((ledger) => [ledger, text])));

const trialBalance = route({
  method: 'get', path: '/api/v1/trial-balance', operationId: 'getTrialBalance', summary: 'Every kind of account at the end of a day; each ledger sums to zero', tag, scope: 'operate', roles: operator,
  query: z.strictObject({ on: calendarDay.optional(), format }),
  responses: { 200: { description: 'In the order of the chart of accounts.', schema: z.object({ on: text, balanced: z.boolean(), totals: totalsSchema, data: z.array(trialRow) }) } },
  async handle({ services, query }) {
    await projectionsCaughtUp(services, 'ledger');
    const day = dayOf(query.on, todayOf(services));
    const sums = await sumsUntil(services.database, day);
    const data = trialRows(sums);
    if (query.format === 'csv') return csvReply(`trial-balance-${formatDay(day)}`, Object.keys(trialRow.shape), data, null);
    const totals = LEDGERS.map((ledger) => [ledger, sums.filter((sum) => sum.ledger === ledger).reduce((total, { debit, credit }) => total + debit - credit, 0n)] as const);
    return {
      status: 200,
      body: { on: formatDay(day), balanced: totals.every(([, total]) => total === 0n), totals: Object.fromEntries(totals.map(([ledger, total]) => [ledger, ledger === 'CAP' ? formatUnits(microGpuHours(total), 6) : formatMicro(total)])), data },
    };
  },
});

const ledgerRow = z.object({
  sequence: z.number().int(), entry: z.number().int(), at: text, ledger: z.enum(LEDGERS), account: text, owner: text, company: text, amount: text.describe('Debit positive; of CAP in GPU-hours, to the nearest millionth'),
  event: text, gpu_seconds: text.nullable().describe('Of CAP, exactly'),
});
const LEDGER_PAGE_MAX = 10_000;

const generalLedgerRoute = route({
  method: 'get', path: '/api/v1/general-ledger', operationId: 'exportGeneralLedger', summary: 'Every posting of the house between two dates, in order', tag, scope: 'operate', roles: operator,
  query: z.strictObject({ from: calendarDay.optional(), to: calendarDay.optional(), format, cursor: z.string().max(200).optional(), limit: z.coerce.number().int().min(1).max(LEDGER_PAGE_MAX).optional() }),
  responses: { 200: { description: 'Oldest first. csv: the page as a file, the next cursor in x-next-cursor.', schema: z.object({ data: z.array(ledgerRow), next_cursor: text.nullable() }) } },
  async handle({ services, query }) {
    await projectionsCaughtUp(services, 'ledger');
    const limit = query.limit ?? LEDGER_PAGE_MAX;
    const to = dayOf(query.to, todayOf(services));
    const after = query.cursor === undefined ? undefined : entryAfter(query.cursor);
    const rows = await generalLedger(services.database, { from: dayOf(query.from, 0), to, after, limit: limit + 1 });
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const next = rows.length > limit && last !== undefined ? encodeCursor(`${last.sequence},${last.entry}`) : null;
    const data = page.map(entryWire(services));
    return query.format === 'csv' ? csvReply('general-ledger', Object.keys(ledgerRow.shape), data, next) : { status: 200, body: { data, next_cursor: next } };
  },
});

/** @throws ApiError invalid_cursor */
function entryAfter(cursor: string): { sequence: number; entry: number } {
  const [sequence, entry, ...more] = decodeCursor(cursor).split(',').map(Number);
  if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(entry) || more.length > 0) throw new ApiError('invalid_cursor', { field: 'cursor' });
  return { sequence, entry };
}

const entryWire = ({ directory }: Services) => (row: JournalEntry): z.infer<typeof ledgerRow> => ({
  sequence: row.sequence, entry: row.entry, at: formatTime(row.at), ledger: row.ledger, account: row.account, owner: ownerIdOf(row.ownerKind, row.owner),
  company: directory.companyName(row.company), amount: amountOf(row.ledger, row.amount), event: row.event,
  gpu_seconds: row.ledger === 'CAP' ? formatMicro(row.amount) : null,
});

// Income.

/** What the operator earns, and what it costs it: by the accounts they stand in. Above zero: income. */
const INCOME = {
  interest_earned: ['income.interest'], cost_of_funds: ['expense.fund_interest'], commissions_buyers: ['commission.buyer'], commissions_sellers: ['commission.seller'],
  redemption_spread: ['income.spread'], origination_fees: ['income.origination'], late_fees: ['income.late_fee'], recoveries: ['income.recovery'], provisions: ['expense.provision'],
  grants: ['expense.grant'],
} as const satisfies Record<string, readonly AccountName[]>;
type IncomeLine = keyof typeof INCOME;
const INCOME_LINES = Object.keys(INCOME) as IncomeLine[];
const FUND_SPREAD: readonly IncomeLine[] = ['interest_earned', 'cost_of_funds'];
const COMMISSIONS: readonly IncomeLine[] = ['commissions_buyers', 'commissions_sellers'];

const incomeShape = {
  fund_spread: text.describe('Interest of borrowers less what lenders earn of it'), commissions: text, ...(Object.fromEntries(INCOME_LINES.map((line) => [line, text])) as Record<IncomeLine, typeof text>),
  total: text,
};
const incomeDay = z.object({ date: text, ...incomeShape });
export const incomeSchema = z.object({ from: text, to: text, totals: z.object(incomeShape), data: z.array(incomeDay) });
const INCOME_DAYS = 30;
const INCOME_DAYS_MAX = 3_660;

function incomeOf(sums: readonly DaySum[]): Omit<z.infer<typeof incomeDay>, 'date'> {
  const earned = (lines: readonly IncomeLine[]): bigint => {
    const accounts: readonly AccountName[] = lines.flatMap((line) => INCOME[line]);
    return sums.reduce((total, { account, debit, credit }) => (accounts.includes(account) ? total + credit - debit : total), 0n);
  };
  return {
    fund_spread: formatMicro(earned(FUND_SPREAD)), commissions: formatMicro(earned(COMMISSIONS)),
    ...(Object.fromEntries(INCOME_LINES.map((line) => [line, formatMicro(earned([line]))])) as Record<IncomeLine, string>),
    total: formatMicro(earned(INCOME_LINES)),
  };
}

const income = route({
  method: 'get', path: '/api/v1/income', operationId: 'getIncome', summary: "The operator's income by day: fund spread, commissions, spread of redemption, fees, less provisions", tag, scope: 'operate',
  roles: operator, query: z.strictObject({ from: calendarDay.optional(), to: calendarDay.optional(), format }),
  responses: {
    200: {
      description: 'Days (UTC) on which something was earned, oldest first; costs are below zero. The last 30 days unless told.',
      schema: incomeSchema,
    },
  },
  async handle({ services, query }) {
    await projectionsCaughtUp(services, 'ledger');
    const to = dayOf(query.to, todayOf(services));
    const from = Math.max(dayOf(query.from, to - INCOME_DAYS + 1), to - INCOME_DAYS_MAX);
    const sums = await sumsByDay(services.database, { accounts: INCOME_LINES.flatMap((line) => INCOME[line]), from, to });
    const days = [...new Set(sums.map(({ day }) => day))];
    const data = days.map((day) => ({ date: formatDay(day), ...incomeOf(sums.filter((sum) => sum.day === day)) }));
    if (query.format === 'csv') return csvReply('income', Object.keys(incomeDay.shape), data, null);
    return { status: 200, body: { from: formatDay(from), to: formatDay(to), totals: incomeOf(sums), data } };
  },
});

export const accountingRoutes: Route[] = [listStatements, readStatement, balancesAt, trialBalance, generalLedgerRoute, income];
