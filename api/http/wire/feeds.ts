/** What a bank's or a cloud's own export says of a company, line by line; what cannot be read is told by its line, the rest counts. */
import { parseDate } from '../../../engine/credit/dates.ts';
import { mulDiv } from '../../../engine/numbers/muldiv.ts';
import { MICRO, isDecimal, parseMicro } from '../../../engine/numbers/units.ts';
import { cellsOf } from '../routes/bank_routes.ts';
import { ApiError } from '../../errors.ts';

const LINES_MAX = 100_000;
const ERRORS_MAX = 1_000;
/** Of which the present is judged. */
const MONTHS = 3;

export interface FeedError {
  /** 1-based, the header being line 1. */
  line: number;
  detail: string;
}
export interface Feed<Row> {
  lines: number;
  rows: Row[];
  errors: FeedError[];
}

type Cells<Column extends string> = Record<Column, string>;

/** @throws ApiError csv_invalid when there is no header that names the needed columns */
function readFeed<Column extends string, Row>(text: string, needed: readonly Column[], optional: readonly Column[], rowOf: (cells: Cells<Column>) => Row): Feed<Row> {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  while (lines.at(-1)?.trim() === '') lines.pop();
  if (lines.length > LINES_MAX + 1) throw new ApiError('csv_invalid', { values: { line: LINES_MAX + 2, detail: `at most ${LINES_MAX} lines in one file` } });
  const header = cellsOf(lines[0] ?? '', 1).map((cell) => cell.trim().toLowerCase());
  if (needed.some((column) => !header.includes(column))) throw new ApiError('csv_invalid', { values: { line: 1, detail: `the header must name ${needed.join(', ')}` } });
  const columns = [...needed, ...optional];
  const feed: Feed<Row> = { lines: lines.length - 1, rows: [], errors: [] };
  lines.slice(1).forEach((content, index) => {
    try {
      const cells = cellsOf(content, index + 2, header.length);
      feed.rows.push(rowOf(Object.fromEntries(columns.map((column) => [column, (cells[header.indexOf(column)] ?? '').trim()])) as Cells<Column>));
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (feed.errors.length < ERRORS_MAX) feed.errors.push({ line: index + 2, detail: error.message.replace(/^Line \d+: /, '') });
    }
  });
  return feed;
}

function dayOf(date: string): number {
  const day = parseDate(date);
  if (day === undefined) throw new Error('the date is not of the form 2026-12-01');
  return day;
}

function amountOf(name: string, text: string): number {
  const negative = text.startsWith('-');
  const digits = negative ? text.slice(1) : text;
  const value = isDecimal(digits) ? parseMicro(digits) : -1;
  if (value < 0) throw new Error(`the ${name} is not a decimal with at most 6 places`);
  return negative ? -value : value;
}

const monthOf = (day: number): string => new Date(day * 86_400_000).toISOString().slice(0, 7);

export interface BankLine {
  day: number;
  /** Micro-USD; below zero: paid out. */
  amount: number;
  balance: number | null;
}

export const readBankFeed = (text: string): Feed<BankLine> =>
  readFeed(text, ['date', 'amount'], ['balance'], ({ date, amount, balance }) => ({ day: dayOf(date), amount: amountOf('amount', amount), balance: balance === '' ? null : amountOf('balance', balance) }));

export interface BankMonth {
  month: string;
  inflow: number;
  outflow: number;
  /** After its last line; null when no line tells one. */
  balance: number | null;
}

/** Oldest first. */
export function bankMonths(rows: readonly BankLine[]): BankMonth[] {
  const months = new Map<string, BankMonth>();
  // Of one day the later line is the later one.
  for (const { day, amount, balance } of rows.toSorted((a, b) => a.day - b.day)) {
    const month = months.get(monthOf(day)) ?? { month: monthOf(day), inflow: 0, outflow: 0, balance: null };
    months.set(month.month, month);
    if (amount > 0) month.inflow += amount;
    else month.outflow -= amount;
    month.balance = balance ?? month.balance;
  }
  return [...months.values()];
}

export interface BankFigures {
  cash: number | null;
  monthlyBurn: number;
  monthlyRevenue: number;
  /** ppm; null where too little is known. */
  cashTrend: number | null;
  revenueGrowth: number | null;
}

/** What the application asks for, by the last three months. */
export function bankFigures(months: readonly BankMonth[]): BankFigures {
  const recent = months.slice(-MONTHS);
  const before = months.slice(-2 * MONTHS, -MONTHS);
  const mean = (some: readonly BankMonth[], of: (month: BankMonth) => number): number => (some.length === 0 ? 0 : mulDiv(some.reduce((sum, month) => sum + of(month), 0), 1, some.length));
  const cash = months.at(-1)?.balance ?? null;
  const start = months.at(-MONTHS - 1)?.balance ?? null;
  const earlier = mean(before, ({ inflow }) => inflow);
  const revenue = mean(recent, ({ inflow }) => inflow);
  return {
    cash, monthlyRevenue: revenue, monthlyBurn: Math.max(0, mean(recent, ({ inflow, outflow }) => outflow - inflow)),
    cashTrend: cash === null || start === null || start <= 0 ? null : Math.max(-MICRO, mulDiv(cash - start, MICRO, start)),
    revenueGrowth: earlier === 0 ? null : mulDiv(revenue - earlier, MICRO, earlier),
  };
}

export interface UsageLine {
  day: number;
  /** Micro-USD. */
  cost: number;
  planned: number | null;
}

export const readUsageFeed = (text: string): Feed<UsageLine> =>
  readFeed(text, ['date', 'cost'], ['planned'], ({ date, cost, planned }) => {
    const line = { day: dayOf(date), cost: amountOf('cost', cost), planned: planned === '' ? null : amountOf('plan', planned) };
    if (line.cost < 0 || (line.planned ?? 0) < 0) throw new Error('what was used or planned cannot be below zero');
    return line;
  });

export interface UsageMonth {
  month: string;
  cost: number;
  planned: number | null;
}

export function usageMonths(rows: readonly UsageLine[]): UsageMonth[] {
  const months = new Map<string, UsageMonth>();
  for (const { day, cost, planned } of rows.toSorted((a, b) => a.day - b.day)) {
    const month = months.get(monthOf(day)) ?? { month: monthOf(day), cost: 0, planned: null };
    months.set(month.month, month);
    month.cost += cost;
    if (planned !== null) month.planned = (month.planned ?? 0) + planned;
  }
  return [...months.values()];
}

/** Errors by what was used, in ppm, at most all of it; null without a plan. */
export function forecastError(months: readonly UsageMonth[]): number | null {
  const planned = months.filter((month) => month.planned !== null);
  const cost = planned.reduce((sum, month) => sum + month.cost, 0);
  return cost === 0 ? null : Math.min(MICRO, mulDiv(planned.reduce((sum, month) => sum + Math.abs(month.cost - (month.planned ?? 0)), 0), MICRO, cost));
}
