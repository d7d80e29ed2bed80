import { AMOUNT_PLACES, parseScaled, toMicro, typed, type WireFacility } from '../../state/index.ts';

export const isFrozen = (facility: WireFacility): boolean => toMicro(facility.frozen_fraction) > 0n;

export function toneOfState(state: string): string {
  if (state === 'active') return 'good';
  if (state === 'offered' || state === 'watch' || state === 'cancel_only' || state === 'applied') return 'warn';
  return state === 'closed' ? '' : 'bad';
}

export const TERMS = ['3', '6', '12', '18', '24'].map((value) => ({ value, label: `${value} months` }));
export const METHODS = [
  { value: 'annuity', label: 'Equal instalments' },
  { value: 'equal_principal', label: 'Equal principal' },
  { value: 'bullet', label: 'All at the end' },
  { value: 'flat', label: 'Flat' },
  { value: 'revenue_share', label: 'Share of revenue' },
];

/** How an asked-for facility is repaid, as the form holds it. */
export interface Repayment {
  months: string;
  method: string;
  /** Instalments at the beginning that ask for interest alone. */
  interestOnly: string;
  refine: boolean;
}
export const USUAL_REPAYMENT: Repayment = { months: '12', method: 'annuity', interestOnly: '0', refine: false };

/** Whether principal may wait; at the end it waits anyway, and a share of revenue has no instalments. */
export const canWait = (method: string): boolean => method === 'annuity' || method === 'equal_principal' || method === 'flat';

/** What the exchange is asked for: of what was chosen, that which the term and the method still allow. */
export function repaymentBody({ months, method, interestOnly, refine }: Repayment): { months: number; method: string; interest_only_periods: number; refine: boolean } {
  return { months: Number(months), method, interest_only_periods: canWait(method) ? Math.min(Number(interestOnly), Number(months) - 1) : 0, refine: refine && method === 'annuity' };
}

const monthsOf = (count: number): string => `${count} ${count === 1 ? 'month' : 'months'}`;

/** As the borrower reads it on the offer and on the card. */
export function repaymentLabel({ method, interest_only_periods: wait }: Pick<WireFacility, 'method' | 'interest_only_periods'>): string {
  const label = METHODS.find(({ value }) => value === method)?.label ?? method;
  return wait === 0 ? label : `${label}, after ${monthsOf(wait)} of interest alone`;
}

const PLAN_MONTHS_MAX = 60;
/** An amount in a row of amounts: a comma stands between thousands only, so that no two months are read as one. */
const PLANNED = /^(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?$/;

/** The amounts of a plan of compute, month by month, typed in one row; empty when nothing is. */
export function planOf(text: string): { months: string[]; problem?: string } {
  const words = text.split(/[\s;]+/).map((word) => word.replace(/,$/, '')).filter((word) => word !== '');
  const wrong = words.find((word) => !PLANNED.test(word) || parseScaled(typed(word), AMOUNT_PLACES) === undefined);
  if (wrong !== undefined) return { months: [], problem: `"${wrong}" is no amount; put a space between months` };
  if (words.length > PLAN_MONTHS_MAX) return { months: [], problem: `At most ${PLAN_MONTHS_MAX} months` };
  return { months: words.map(typed) };
}

/** What happens to a facility that is not paid, by days past due. */
export const NO_DRAWS_DAYS = 5;
const LADDER = [
  { days: 1, name: 'Notice' },
  { days: NO_DRAWS_DAYS, name: 'No more draws' },
  { days: 10, name: 'Cancel only' },
  { days: 15, name: 'Half frozen' },
  { days: 30, name: 'Frozen' },
  { days: 60, name: 'Acceleration notice' },
  { days: 90, name: 'Default' },
  { days: 180, name: 'Write-off' },
] as const;
const WARNING_STEPS = 3;

export interface Health {
  label: string;
  tone: 'good' | 'warn' | 'bad';
  next: string;
  steps: { name: string; reached: boolean; tone: 'good' | 'warn' | 'bad' }[];
}

/** Where a facility stands on the ladder of late payment. */
export function healthOf(facility: Pick<WireFacility, 'days_past_due'>): Health {
  const days = facility.days_past_due;
  const reached = LADDER.filter((step) => days >= step.days).length;
  const next = LADDER[reached];
  const tone: Health['tone'] = reached === 0 ? 'good' : reached <= WARNING_STEPS ? 'warn' : 'bad';
  return {
    label: days === 0 ? 'Paid on time' : `${days} ${days === 1 ? 'day' : 'days'} past due: ${LADDER[reached - 1]?.name.toLowerCase() ?? ''}`,
    tone,
    next: next === undefined ? '' : `Next step at ${next.days} ${next.days === 1 ? 'day' : 'days'}: ${next.name.toLowerCase()}`,
    steps: [{ name: 'On time', reached: true, tone }, ...LADDER.map((step) => ({ name: `${step.days} days: ${step.name.toLowerCase()}`, reached: days >= step.days, tone }))],
  };
}

const MARGIN_WARNS_PERCENT = 80;
const MARGIN_CALL_PERCENT = 100;

/** How much of the unsecured exposure that its grade allows is used; undefined where nothing limits it. */
export function marginOf(facility: Pick<WireFacility, 'exposure' | 'exposure_limit'>): { percent: number; tone: 'good' | 'warn' | 'bad' } | undefined {
  const limit = toMicro(facility.exposure_limit);
  if (limit <= 0n) return undefined;
  const used = toMicro(facility.exposure);
  const percent = used <= 0n ? 0 : Number((used * 100n) / limit);
  return { percent, tone: percent < MARGIN_WARNS_PERCENT ? 'good' : percent < MARGIN_CALL_PERCENT ? 'warn' : 'bad' };
}
