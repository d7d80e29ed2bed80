/** Events of the lives of loans, lots and money, and of what was not delivered, as clients read them, in lists and in webhooks. */
import type { LifeEventRecord } from '../../db/queries/life_events.ts';
import { LIFE_EVENT_KINDS } from '../../db/projections/life_events.ts';
import type { LifeEventKind } from '../../db/projections/life_events.ts';
import { NONE, classOf, regionOf } from '../../engine/vocabulary.ts';
import { MILLIS_PER_DAY, MILLIS_PER_MINUTE, formatSteps, formatUnits } from '../../engine/numbers/units.ts';
import type { Directory } from '../directory.ts';
import { formatGpuHours, formatPercent } from '../http/wire/amounts.ts';
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
  bandsSet: 'bands.set', repaymentTermsSet: 'facility.repayment_terms_set', minuteFailed: 'delivery.minute_failed', boughtMinuteFailed: 'delivery.minute_failed', deliveryFailed: 'delivery.failed', deliveryAnnulled: 'delivery.annulled', replacementSought: 'delivery.replacement_sought',
  mandateChanged: 'mandate.changed', fundWithdrawn: 'withdrawal.of_fund', eligibilitySet: 'delivery.models_served',
} as const satisfies Record<LifeEventKind, string>;
export type LifeEventType = (typeof LIFE_EVENT_TYPES)[LifeEventKind];
export const LIFE_EVENT_TYPE_NAMES = [...new Set(LIFE_EVENT_KINDS.map((kind) => LIFE_EVENT_TYPES[kind]))];
/** One thing may be told to each side of it as an event of its own. */
export const kindsOfType = (type: string): LifeEventKind[] => LIFE_EVENT_KINDS.filter((kind) => LIFE_EVENT_TYPES[kind] === type);

/** Fields that name something: `facility` is sent as `facility_id: fac_0`. Whoever is not a company of the market is null. */
const IDS: Readonly<Record<string, NumberedThing>> = {
  company: 'company', provider: 'company', lender: 'company', by: 'company', sponsor: 'company', facility: 'facility', lot: 'lot', mandate: 'mandate', order: 'order', allocation: 'allocation',
};
const MONEY: ReadonlySet<string> = new Set([
  'amount', 'withheld', 'usd', 'credits', 'maximumPerBorrower', 'fee', 'fees', 'interest', 'principal', 'unapplied', 'left', 'allowance', 'deduction', 'feeRefund', 'cash', 'monthlyBurn', 'revenue',
  'damages', 'clawedBack', 'commission', 'replacementCost', 'committed',
]);
/** GPU time in 1e-6 GPU-seconds, and in steps, sent as GPU-hours. */
const GPU_TIMES: ReadonlySet<string> = new Set(['gpuHours', 'faultGpuHours']);
const STEPS: ReadonlySet<string> = new Set(['wantedGpuHours', 'replacedGpuHours']);
/** Fields whose names only the engine's own events make clear. */
const CLEARER: Readonly<Record<string, string>> = { gpu: 'gpuHours', penal: 'faultGpuHours', wanted: 'wantedGpuHours', replaced: 'replacedGpuHours', extra: 'replacementCost' };
/** What buyer and provider of the same hour need not know of each other. */
const OF_BUYER: ReadonlySet<string> = new Set(['company', 'fee', 'order']);
const OF_PROVIDER: ReadonlySet<string> = new Set(['clawedBack', 'commission']);
/** In ppm, sent as fractions of one. */
const RATES: ReadonlySet<string> = new Set(['annualRate', 'conversionRate', 'redemptionRate', 'originationFee', 'minimumAnnualRate', 'fraction', 'spreadMinimum', 'share', 'cap', 'above', 'below']);
const TIMES: ReadonlySet<string> = new Set(['expiresAt', 'since']);
const DAYS: ReadonlySet<string> = new Set(['due', 'breachedOn']);
const TICKS: ReadonlySet<string> = new Set(['mark']);
/** Of a covenant: months of runway and USD of cash in millionths, use in ppm of the plan. */
const BOUNDS: ReadonlySet<string> = new Set(['value', 'threshold']);
/** What a borrower told of itself goes to nobody else. */
const PRIVATE: ReadonlySet<string> = new Set(['application', 'shares']);

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Who reads, and the names of what has only a number in the market. */
export interface Reader {
  company: number;
  directory: Pick<Directory, 'className' | 'regionName' | 'modelName'>;
}

function fieldsOf(name: string, value: unknown, { directory }: Reader, { covenant, reason, gpu }: Record<string, unknown>): [string, unknown][] {
  // What was bought elsewhere its provider did not deliver, though it pays no damages for it.
  if (name === 'penal' && reason === 'replaced') return [fieldOf(CLEARER[name], gpu)];
  if (covenant !== undefined && typeof value === 'number' && BOUNDS.has(name)) return [[name, covenant === 'use' ? formatPercent(value) : formatUnits(value, 6, 2)]];
  if (name === 'market' && typeof value === 'number') return [['class', directory.className(classOf(value))], ['region', directory.regionName(regionOf(value))]];
  if (name === 'model' && typeof value === 'number') return [['model', value === NONE ? null : directory.modelName(value)]];
  if (name === 'models' && Array.isArray(value)) return [['models', value.map((model) => directory.modelName(Number(model)))]];
  return [fieldOf(CLEARER[name] ?? name, value)];
}

function fieldOf(name: string, value: unknown): [string, unknown] {
  if (typeof value !== 'number') return [snake(name), value];
  if (name === 'order' && value === 0) return ['order_id', null];
  if (name in IDS) return [`${snake(name)}_id`, value < 0 ? null : idOf(IDS[name], value)];
  if (GPU_TIMES.has(name)) return [snake(name), formatGpuHours(value)];
  if (STEPS.has(name)) return [snake(name), formatSteps(value)];
  if (name === 'minute') return [name, new Date(value * MILLIS_PER_MINUTE).toISOString()];
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

/** Whether the reader may see the field: of an event between a buyer and a provider each sees its own side. */
function isFor({ company: reader }: Reader, name: string, { company, provider }: Record<string, unknown>): boolean {
  if (PRIVATE.has(name)) return false;
  if (company === undefined || provider === undefined) return true;
  return (reader === company || !OF_BUYER.has(name)) && (reader === provider || !OF_PROVIDER.has(name));
}

export const lifeEventWire = ({ sequence, place, kind, at, data }: LifeEventRecord, reader: Reader): LifeEventWire => ({
  id: `evt_${sequence}_${place}`,
  type: LIFE_EVENT_TYPES[kind],
  timestamp: new Date(at).toISOString(),
  data: Object.fromEntries(Object.entries(data).filter(([name]) => isFor(reader, name, data)).flatMap(([name, value]) => fieldsOf(name, value, reader, data))),
});
