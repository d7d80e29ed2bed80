/** The pieces of which bodies are made. Amounts stay text until engine/numbers/units.ts reads them. */
import { z } from 'zod';
import { isDecimal } from '../../../engine/numbers/units.ts';

/** Plain digits, at most one point, no sign, no exponent. */
export const decimal = z.string().max(62).refine(isDecimal, 'must be a decimal string such as "2.15"').meta({ pattern: '^(0|[1-9][0-9]*)(\\.[0-9]+)?$', examples: ['2.1500'] });
/** As above, and may be negative: growth rates and trends, and amounts that are refused for it. */
export const signedDecimal = z.string().max(63).refine((text) => isDecimal(text.replace(/^-/, '')), 'must be a decimal string such as "-2.5"')
  .meta({ pattern: '^-?(0|[1-9][0-9]*)(\\.[0-9]+)?$', examples: ['12.5'] });
/** Percent of a whole. */
export const atMost100 = (text: string): boolean => Number(text) <= 100;
export const sharePercent = decimal.refine(atMost100, 'must be at most 100').meta({ examples: ['40'] });
/** By how much something has changed that is never below zero. */
export const changePercent = signedDecimal.refine((text) => Number(text) >= -100, 'must be at least -100');
/** ISO 8601 has a year 0, no calendar of people does, and neither has Postgres. */
const hasYear = (text: string): boolean => !text.startsWith('0000');
/** RFC 3339 with an offset. */
export const instant = z.iso.datetime({ offset: true, error: 'must be a time such as "2026-12-01T14:00:00Z"' }).refine(hasYear, 'is not a time of the calendar');
export const calendarDay = z.iso.date({ error: 'must be a date such as "2026-12-01"' }).refine(hasYear, 'is not a day of the calendar');
/** One line of text that a person reads. */
export const line = (maximum: number) =>
  z.string().trim().min(1, 'must not be empty').max(maximum).regex(/^\P{Cc}*$/u, 'must be one line of text');
/** Without control characters, which no id has, and of which Postgres takes not every one. */
export const identifier = z.string().min(1).max(100).regex(/^\P{Cc}*$/u, 'must be an id');
export const idParams = z.object({ id: identifier });
export const noBody = z.strictObject({});

/** What lists are asked for. */
export const pageQuery = {
  limit: z.string().regex(/^[0-9]{1,4}$/, 'must be a whole number').transform(Number).refine((value) => value >= 1 && value <= 1000, 'must be between 1 and 1000').optional(),
  cursor: z.string().min(1).max(200).optional(),
};

export const pageOf = <Row extends z.ZodType>(row: Row) => z.object({ data: z.array(row), next_cursor: z.string().nullable() });

export const errorSchema = z.object({
  error: z.object({ code: z.string(), message: z.string(), field: z.string().optional(), request_id: z.string() }),
});
export const gatewayErrorSchema = z.object({
  error: z.object({ message: z.string(), type: z.string(), param: z.string().nullable(), code: z.string().nullable() }),
});
