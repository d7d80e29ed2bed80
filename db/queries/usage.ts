/** Metered inference. Micro-CR, 1e-6 GPU-seconds, tokens. Reads the projection `delivery`. */
import type { Knex } from 'knex';
import { flag, number, text } from './fields.ts';
import type { RowOf } from './fields.ts';
import { readPage } from './pages.ts';
import type { Page, PageAsk } from './pages.ts';

const USAGE = {
  sequence: number('sequence'), at: number('at'), company: number('company'), provider: number('provider'), allocation: number('allocation'),
  model: number('model'), key: text('key'), endpoint: text('endpoint'), request: text('request'), promptTokens: number('prompt_tokens'),
  completionTokens: number('completion_tokens'), gpu: number('gpu'), credits: number('credits'), spotFees: number('spot_fees'), payable: number('payable'),
  estimated: flag('estimated'),
} as const;

export type UsageRecord = RowOf<typeof USAGE>;

export interface UsageAsk extends PageAsk {
  company: number;
  /** Milliseconds, `end` excluded. */
  start?: number;
  end?: number;
}

/** Newest first. @throws InvalidCursor */
export async function listUsage(db: Knex, { company, start, end, ...page }: UsageAsk): Promise<Page<UsageRecord>> {
  const query = db('projections.usage').where({ company });
  if (start !== undefined) void query.where('at', '>=', start);
  if (end !== undefined) void query.where('at', '<', end);
  return readPage(query, USAGE, ['sequence'], page);
}

export const USAGE_GROUPS = ['model', 'provider', 'day', 'key'] as const;
export type UsageGroup = (typeof USAGE_GROUPS)[number];

export interface UsageReportAsk {
  company: number;
  /** Days since 1970, both included. */
  startDay: number;
  endDay: number;
  /** undefined: one line for all. */
  groupBy?: UsageGroup;
}
export interface UsageLine {
  /** Number of the model, provider or day; id of the key; null when not grouped. */
  group: number | string | null;
  requests: number;
  promptTokens: number;
  completionTokens: number;
  gpu: bigint;
  credits: bigint;
  spotFees: bigint;
}

const SUMMED = ['requests', 'prompt_tokens', 'completion_tokens', 'gpu', 'credits', 'spot_fees'] as const;
type Summed = Record<(typeof SUMMED)[number], string> & { group?: number | string };

/** Sums by group, in the group's order; no line where nothing was used. */
export async function usageReport(db: Knex, { company, startDay, endDay, groupBy }: UsageReportAsk): Promise<UsageLine[]> {
  const query = db('projections.usage_days').where({ company }).whereBetween('day', [startDay, endDay]).sum(Object.fromEntries(SUMMED.map((name) => [name, name])));
  if (groupBy !== undefined) void query.select({ group: groupBy }).groupBy(groupBy).orderBy(groupBy);
  const rows = (await query) as Summed[];
  return rows.filter(({ requests }) => requests !== null).map((row) => ({
    group: row.group ?? null, requests: Number(row.requests), promptTokens: Number(row.prompt_tokens), completionTokens: Number(row.completion_tokens),
    gpu: BigInt(row.gpu), credits: BigInt(row.credits), spotFees: BigInt(row.spot_fees),
  }));
}
