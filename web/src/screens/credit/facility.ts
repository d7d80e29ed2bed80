import { toMicro, type WireFacility } from '../../state/index.ts';

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

/** What happens to a facility that is not paid, by days past due. */
const LADDER = [
  { days: 1, name: 'Notice' },
  { days: 5, name: 'No more draws' },
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
