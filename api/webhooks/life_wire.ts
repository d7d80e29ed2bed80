/** Events of the lives of loans, lots and money as clients read them, in lists and in webhooks. */
import type { LifeEventRecord } from '../../db/queries/life_events.ts';
import { LIFE_EVENT_KINDS } from '../../db/projections/life_events.ts';
import type { LifeEventKind } from '../../db/projections/life_events.ts';
import { formatUnits } from '../../engine/numbers/units.ts';
import { idOf } from '../ids.ts';
import type { NumberedThing } from '../ids.ts';

export const LIFE_EVENT_TYPES = {
  deposited: 'deposit.credited', withdrawn: 'withdrawal.sent', bondPosted: 'bond.posted', payoutMade: 'payout.made', mandateCreated: 'mandate.created',
  facilityOffered: 'facility.offered', facilityDeclined: 'facility.declined', facilityStateChanged: 'facility.state_changed', facilityFrozen: 'facility.frozen',
  facilityReassigned: 'facility.reassigned', facilityOptionSet: 'facility.option_set', facilityNotice: 'facility.notice', facilityDrawn: 'facility.drawn', lotMinted: 'lot.minted',
  lotExpiring: 'lot.expiring', lotExpired: 'lot.expired', lotExtended: 'lot.extended', creditsReturned: 'credits.returned', returnSettled: 'return.settled', creditsGranted: 'credits.granted',
  repaid: 'repayment.applied', instalmentDue: 'instalment.due', instalmentPaid: 'instalment.paid', lateFeeCharged: 'late_fee.charged', provisioned: 'facility.provisioned',
  facilityWrittenOff: 'facility.written_off', recovered: 'facility.recovered', financialsReported: 'financials.reported', covenantTested: 'covenant.tested', resaleForced: 'resale.forced',
  switchSet: 'switch.set', moneyRulesSet: 'money_rules.set', providerSuspended: 'provider.suspended', providerReinstated: 'provider.reinstated', revenueShareSet: 'facility.revenue_share_set',
  bandsSet: 'bands.set',
} as const satisfies Record<LifeEventKind, string>;
export type LifeEventType = (typeof LIFE_EVENT_TYPES)[LifeEventKind];
export const LIFE_EVENT_TYPE_NAMES = LIFE_EVENT_KINDS.map((kind) => LIFE_EVENT_TYPES[kind]);
export const kindOfType = (type: string): LifeEventKind | undefined => LIFE_EVENT_KINDS.find((kind) => LIFE_EVENT_TYPES[kind] === type);

/** Fields that name something: `facility` is sent as `facility_id: fac_0`. Whoever is not a company of the market is null. */
const IDS: Readonly<Record<string, NumberedThing>> = {
  company: 'company', lender: 'company', by: 'company', sponsor: 'company', facility: 'facility', lot: 'lot', mandate: 'mandate', order: 'order', allocation: 'allocation',
};
const MONEY: ReadonlySet<string> = new Set([
  'amount', 'withheld', 'usd', 'credits', 'maximumPerBorrower', 'fee', 'fees', 'interest', 'principal', 'unapplied', 'left', 'allowance', 'deduction', 'feeRefund', 'cash', 'monthlyBurn', 'revenue',
]);
/** In ppm, sent as fractions of one. */
const RATES: ReadonlySet<string> = new Set(['annualRate', 'conversionRate', 'redemptionRate', 'originationFee', 'minimumAnnualRate', 'fraction', 'spreadMinimum', 'share', 'cap', 'above', 'below']);
const TIMES: ReadonlySet<string> = new Set(['expiresAt']);
const DAYS: ReadonlySet<string> = new Set(['due', 'breachedOn']);
const TICKS: ReadonlySet<string> = new Set(['mark']);
/** What a borrower told of itself goes to nobody else. */
const PRIVATE: ReadonlySet<string> = new Set(['application', 'shares']);
const MILLIS_PER_DAY = 86_400_000;

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function fieldOf(name: string, value: unknown): [string, unknown] {
  if (typeof value !== 'number') return [snake(name), value];
  if (name in IDS) return [`${snake(name)}_id`, value < 0 ? null : idOf(IDS[name], value)];
  if (MONEY.has(name)) return [snake(name), formatUnits(value, 6, 2)];
  if (RATES.has(name)) return [snake(name), formatUnits(value, 6, 2)];
  if (TIMES.has(name)) return [snake(name), value > 0 ? new Date(value).toISOString() : null];
  if (DAYS.has(name)) return [snake(name), value > 0 ? new Date(value * MILLIS_PER_DAY).toISOString().slice(0, 10) : null];
  return [snake(name), TICKS.has(name) ? formatUnits(value, 4, 4) : value];
}

export interface LifeEventWire {
  /** The same for all who are told of it, and at every repetition. */
  id: string;
  type: LifeEventType;
  timestamp: string;
  data: Record<string, unknown>;
}

export const lifeEventWire = ({ sequence, place, kind, at, data }: LifeEventRecord): LifeEventWire => ({
  id: `evt_${sequence}_${place}`,
  type: LIFE_EVENT_TYPES[kind],
  timestamp: new Date(at).toISOString(),
  data: Object.fromEntries(Object.entries(data).filter(([name]) => !PRIVATE.has(name)).map(([name, value]) => fieldOf(name, value))),
});
