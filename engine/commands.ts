/**
 * Everything that can change the state of the market. A command is plain data: it carries no
 * clock and no randomness, so that executing the journal again gives the same state and events.
 *
 * Names refer to things by number (company, market, class, model ...); the directory maps them to
 * the names used on the wire. Amounts are integers in the units of units.ts.
 */
import type { Day, Hour, Micro, MicroGpuSeconds, Millis, Ppm } from './numbers/units.ts';

export const SIDES = ['buy', 'sell'] as const;
export const BUY = 0;
export const SELL = 1;
export type Side = 0 | 1;

export const ORDER_TYPES = ['limit', 'market', 'stop', 'stop_limit'] as const;
export const LIMIT = 0;
export const MARKET = 1;
export const STOP = 2;
export const STOP_LIMIT = 3;

export const TIMES_IN_FORCE = ['gtc', 'gtd', 'ioc', 'fok'] as const;
export const GTC = 0;
export const GTD = 1;
export const IOC = 2;
export const FOK = 3;

export const SELF_TRADE_PREVENTIONS = ['cancel_newest', 'cancel_oldest', 'cancel_both', 'decrement'] as const;
export const CANCEL_NEWEST = 0;
export const CANCEL_OLDEST = 1;
export const CANCEL_BOTH = 2;
export const DECREMENT = 3;

export const ROLES = ['borrower', 'provider', 'lender', 'operator'] as const;
export type Role = (typeof ROLES)[number];
export const GRADES = ['A', 'B', 'C', 'D'] as const;
export type Grade = (typeof GRADES)[number];
export const SCHEDULE_METHODS = ['annuity', 'bullet', 'equal_principal', 'flat'] as const;
export type ScheduleMethod = (typeof SCHEDULE_METHODS)[number];
/** A facility's instalments may also be a share of revenue, of which no calendar knows beforehand how much it is. */
export const FACILITY_METHODS = [...SCHEDULE_METHODS, 'revenue_share'] as const;
export type FacilityMethod = (typeof FACILITY_METHODS)[number];

/** Indexes into the directory. market = class x 16 + region. */
export type CompanyId = number;
export type ClassId = number;
export type RegionId = number;
export type MarketId = number;
export type ModelId = number;
export type OrderId = number;
export type AllocationId = number;
export type LotId = number;
export type FacilityId = number;
export type MandateId = number;

export const REGIONS_PER_CLASS = 16;
export const marketOf = (classId: ClassId, region: RegionId): MarketId => classId * REGIONS_PER_CLASS + region;
export const classOf = (market: MarketId): ClassId => Math.floor(market / REGIONS_PER_CLASS);
export const regionOf = (market: MarketId): RegionId => market % REGIONS_PER_CLASS;

/** What an absent optional number is in the fixed-size commands. */
export const NONE = -1;

export interface PlaceOrder {
  type: 'place';
  company: CompanyId;
  /** NONE when the name was not known. */
  market: MarketId;
  hour: Hour;
  side: Side;
  /** Index into ORDER_TYPES. */
  orderType: number;
  /** Limit, or protection of a market order; NONE for a market order without; NOT_A_MULTIPLE and OUT_OF_RANGE are refused in place. */
  price: number;
  quantity: number;
  timeInForce: number;
  postOnly: boolean;
  /** 0: the whole quantity is shown. */
  displayQuantity: number;
  /** 0: none. */
  minimumQuantity: number;
  /** 0: none. */
  stopPrice: number;
  /** 0: none. */
  expiresAt: Millis;
  /** Bids only; NONE: any provider. */
  model: ModelId;
  /** Asks only; 0: the provider's own capacity. */
  resaleOf: AllocationId;
  selfTradePrevention: number;
  cancelOnDisconnect: boolean;
  /** '' when the client gave none. */
  clientOrderId: string;
  /** Resales alone: GPU time of the allocation that is held for requests under way. The sequencer writes it, so that replay does not need to know. */
  held?: MicroGpuSeconds;
  /** Bids that trade at once or not at all: only this provider's capacity will do. */
  provider?: CompanyId;
}

export interface CancelOrder {
  type: 'cancel';
  company: CompanyId;
  order: OrderId;
}

export interface AmendOrder {
  type: 'amend';
  company: CompanyId;
  order: OrderId;
  /** New limit; 0 keeps it. */
  price: number;
  /** New remaining quantity; 0 keeps it. */
  quantity: number;
}

export type OrderCommand = PlaceOrder | CancelOrder | AmendOrder;

/** Up to 500 order commands of one company, applied in order, each with its own result. */
export interface BatchOrders {
  type: 'batch';
  company: CompanyId;
  operations: OrderCommand[];
}

export interface CancelAll {
  type: 'cancelAll';
  company: CompanyId;
  /** NONE: every market. */
  market: MarketId;
  /** NONE: every hour. */
  hour: Hour;
  /** NONE: both. */
  side: number;
  /** Only orders that asked for cancellation when their session ends. */
  onDisconnect: boolean;
}

/** The dead-man timer: unless renewed, all orders are cancelled at engine time now + after; 0 disarms. */
export interface CancelAfter {
  type: 'cancelAfter';
  company: CompanyId;
  after: Millis;
}

export interface PlaceBlock {
  type: 'placeBlock';
  company: CompanyId;
  market: MarketId;
  /** First delivery hour and one past the last. */
  fromHour: Hour;
  toHour: Hour;
  side: Side;
  /** Bounds the average over all hours. */
  price: number;
  /** Steps in each hour. */
  quantity: number;
  timeInForce: number;
  minimumAcceptanceRatio: Ppm;
  model: ModelId;
  clientOrderId: string;
}

/** Moves engine time; every timer due on the way runs, in order. Never goes back. */
export interface Tick {
  type: 'tick';
  now: Millis;
}

/** Settles a delivery hour. Sent once per hour, at its end, by the sequencer. */
export interface EndHour {
  type: 'endHour';
  hour: Hour;
  /** GPU time authorised and not yet captured; it stays in contract. */
  pending: { allocation: AllocationId; gpu: MicroGpuSeconds }[];
}

export interface RegisterCompany {
  type: 'registerCompany';
  name: string;
  role: Role;
  /** Beneficial owner; companies with the same name never trade with each other. '' = a group of its own. */
  group: string;
}

export interface AddClass {
  type: 'addClass';
  name: string;
  chip: string;
  memoryGb: number;
  formFactor: string;
  /** Ticks per GPU-hour, effective at once for a class that is new. */
  listPrice: number;
  /** The published inputs of the list price: one line per provider, USD micro per GPU-hour. */
  listInputs: { provider: string; usd: Micro }[];
}
export interface AddRegion {
  type: 'addRegion';
  name: string;
}
/** Models are known by name; ratings belong to the gateway's catalogue. */
export interface AddModel {
  type: 'addModel';
  name: string;
}
/** Announces a recomputed list price. */
export interface SetListPrice {
  type: 'setListPrice';
  class: ClassId;
  price: number;
  effectiveAt: Millis;
  inputs: { provider: string; usd: Micro }[];
}

export interface DeclareCapacity {
  type: 'declareCapacity';
  company: CompanyId;
  market: MarketId;
  gpus: number;
}
/** What verification has proven of the declared capacity. */
export interface VerifyCapacity {
  type: 'verifyCapacity';
  company: CompanyId;
  market: MarketId;
  gpus: number;
}
/** Models the provider serves on a market, whole list. */
export interface SetEligibility {
  type: 'setEligibility';
  company: CompanyId;
  market: MarketId;
  models: ModelId[];
}

export interface Deposit {
  type: 'deposit';
  company: CompanyId;
  amount: Micro;
  reference: string;
}
export interface Withdraw {
  type: 'withdraw';
  company: CompanyId;
  amount: Micro;
}
/** Buys credits for cash of `unapplied:company`. */
export interface Prepay {
  type: 'prepay';
  company: CompanyId;
  amount: Micro;
}
export interface PostBond {
  type: 'postBond';
  company: CompanyId;
  amount: Micro;
}
/** Pays out what is due to a provider. */
export interface Payout {
  type: 'payout';
  company: CompanyId;
}

export interface CreateMandate {
  type: 'createMandate';
  company: CompanyId;
  amount: Micro;
  grades: Grade[];
  maximumPerBorrower: Micro;
  minimumAnnualRate: Ppm;
}

/** All ratios are percentages in units of 0.0001 percent (ppm of 1); months and days are counts. */
export interface FacilityApplication {
  cash: Micro;
  monthlyBurn: Micro;
  monthlyRevenue: Micro;
  cashTrend3m: Ppm;
  revenueGrowth: Ppm;
  grossMargin: Ppm;
  computeShare: Ppm;
  forecastError: Ppm;
  topCustomer: Ppm;
  pastDaysOverdue: number;
}
/** Terms that a borrower may choose. */
export interface FacilityOptions {
  /** Absent: ACT/365. */
  dayCount?: 'ACT/365' | 'ACT/360' | '30/360' | '30E/360';
  /** Where due dates go that fall on a weekend or holiday; absent: they stay. */
  dueDateRoll?: 'none' | 'following' | 'modified_following' | 'preceding';
  /** A bid short of credit draws what is missing. */
  drawOnDemand?: boolean;
  /** Which of LOAN_RULES it lives by; absent: the first, so that what was journalled under them stays as it was. */
  loanRules?: number;
  /** Uploads that the application's figures were taken from, each with its SHA-256. */
  evidence?: Evidence[];
}
export interface Evidence {
  feed: string;
  sha256: string;
}
/** From 2 on: the origination fee is earned by the day, what is expected to be lost is provisioned from the first draw on, no hour begins after maturity. */
export const LOAN_RULES = 2;
export interface ApplyFacility extends FacilityOptions {
  type: 'applyFacility';
  company: CompanyId;
  amount: Micro;
  months: number;
  method: FacilityMethod;
  application: FacilityApplication;
}
/** The borrower asks for other terms on the same application: a new offer replaces the old. */
export interface CounterOffer {
  type: 'counterOffer';
  company: CompanyId;
  facility: FacilityId;
  amount: Micro;
  months: number;
  method: FacilityMethod;
}
/** Two operators decide otherwise than the scorecard; the api has seen both. */
export interface OverruleFacility extends FacilityOptions {
  type: 'overruleFacility';
  company: CompanyId;
  borrower: CompanyId;
  amount: Micro;
  months: number;
  method: FacilityMethod;
  grade: Grade;
  annualRate: Ppm;
  application: FacilityApplication;
  reason: string;
  /** Of this facility instead of the usual ones. */
  covenants?: CovenantTerms[];
}
/** What a borrower promises. Runway in millionths of a month, cash in micro-USD, use as a share of plan in ppm. */
export interface CovenantTerms {
  kind: 'runway' | 'minimum_cash' | 'use';
  threshold: number;
  cureDays: number;
  consequence: 'watch' | 'cancel_only' | 'frozen';
}
/** A lender will not fund what its mandate took; another may. */
export interface DeclineFacility {
  type: 'declineFacility';
  company: CompanyId;
  facility: FacilityId;
  reason: string;
}
export interface SetFacilityOption {
  type: 'setFacilityOption';
  company: CompanyId;
  facility: FacilityId;
  drawOnDemand: boolean;
}
/** What a covenant's test goes by. By the borrower, its lender or an operator. */
export interface ReportFinancials {
  type: 'reportFinancials';
  company: CompanyId;
  facility: FacilityId;
  cash: Micro;
  monthlyBurn: Micro;
  /** What a share of is due of it when instalments are a share of revenue; absent: as before. */
  monthlyRevenue?: Micro;
}
/** A sponsor pays for another company's credit. */
export interface GrantCredits {
  type: 'grantCredits';
  company: CompanyId;
  recipient: CompanyId;
  amount: Micro;
}
/** A kill switch; two persons undo it, which the api sees to. */
export interface SetSwitch {
  type: 'setSwitch';
  company: CompanyId;
  name: 'mint' | 'draw' | 'payout';
  on: boolean;
  reason: string;
}
/** The market's prices of money. conversionRate 0: the tiers. */
export interface SetMoneyRules {
  type: 'setMoneyRules';
  company: CompanyId;
  redemptionRate: Ppm;
  spreadMinimum: Ppm;
  conversionRate: Ppm;
}
/** Price bands of the whole market, in millionths of the reference price. Orders that rest stay where they are. */
export interface SetBands {
  type: 'setBands';
  company: CompanyId;
  /** Bids at most this much of it, or list price where that is more. */
  above: Ppm;
  /** Asks at least this much of it. */
  below: Ppm;
}
/** What hours are worth by their trades, and classes by their index, in ticks: all that is known. What is not named has no such mark. */
export interface SetMarks {
  type: 'setMarks';
  classes: { class: ClassId; price: number }[];
  hours: { market: MarketId; hour: Hour; price: number }[];
}
export interface AcceptFacility {
  type: 'acceptFacility';
  company: CompanyId;
  facility: FacilityId;
}
export interface Draw {
  type: 'draw';
  company: CompanyId;
  facility: FacilityId;
  amount: Micro;
}
export const PREPAYMENT_MODES = ['shorten', 'lower', 'advance'] as const;
export type PrepaymentMode = (typeof PREPAYMENT_MODES)[number];
export interface Repay {
  type: 'repay';
  company: CompanyId;
  facility: FacilityId;
  amount: Micro;
  mode: PrepaymentMode;
  /** Money that arrives with the command covers what `unapplied` lacks: the demo's bank pays at once. Elsewhere it must be there. */
  bankCovers: boolean;
}
export interface ReturnCredits {
  type: 'returnCredits';
  company: CompanyId;
  facility: FacilityId;
  lot: LotId;
  credits: Micro;
}
/** `company` is who acts: the facility's lender, or an operator. fraction of 1 in ppm. */
export interface Freeze {
  type: 'freeze';
  company: CompanyId;
  facility: FacilityId;
  fraction: Ppm;
  reason: string;
}
export interface Unfreeze {
  type: 'unfreeze';
  company: CompanyId;
  facility: FacilityId;
}

/** Each stricter than those before. In an auction orders are taken and collect; they execute at one price when the mode becomes open. */
export const TRADING_MODES = ['open', 'auction', 'cancel_only', 'halted'] as const;
export type TradingMode = (typeof TRADING_MODES)[number];
/** scope: everything, one class, one market or one instrument (NONE where not narrowed). */
export interface SetTradingMode {
  type: 'setTradingMode';
  company: CompanyId;
  class: ClassId;
  market: MarketId;
  hour: Hour;
  mode: TradingMode;
  reason: string;
  /** With mode auction: after so long the call ends by itself. Absent or 0: with the next change of mode. */
  call?: Millis;
}

/** A metered inference, final. Retires credit from the allocation at its fill price. */
export interface Capture {
  type: 'capture';
  company: CompanyId;
  allocation: AllocationId;
  gpu: MicroGpuSeconds;
  /** Unique per client request: a second capture of the same request has no effect. */
  request: string;
  model: ModelId;
  promptTokens: number;
  completionTokens: number;
  /** Opaque to the engine, kept in the event: key id, endpoint id, fees of spot fills bought for it. */
  detail: CaptureDetail;
}
export interface CaptureDetail {
  key: string;
  endpoint: string;
  /** Micro-CR of fees of spot fills bought for this request. */
  spotFees: Micro;
  estimated: boolean;
}
/** Gives back GPU time that endHour had kept in contract. */
export interface ReleasePending {
  type: 'releasePending';
  allocation: AllocationId;
  gpu: MicroGpuSeconds;
}

/** What is known of one minute of a provider on a market. */
export interface MinuteOutcome {
  company: CompanyId;
  market: MarketId;
  /** NONE: of all that it sold there; else of what named this model. */
  model: ModelId;
  canary: 'passed' | 'failed' | 'none';
  /** Requests of the minute that have ended, and those that failed by the provider's fault. */
  requests: number;
  failures: number;
  /** What a load test could not reach of the rate sold. */
  shortfall: Ppm;
  /** A model that was promised is not served. */
  notServed: boolean;
}
/** What probes and requests have shown of a minute that has begun. The engine decides whether it failed; a minute of which nothing is told was delivered. */
export interface ReportMinute {
  type: 'reportMinute';
  /** Minutes since 1970. */
  minute: number;
  outcomes: MinuteOutcome[];
  /** GPU time that is held for requests under way: it is not bought elsewhere. The sequencer writes it, so that replay does not need to know. */
  held?: { allocation: AllocationId; gpu: MicroGpuSeconds }[];
}
export const ANNULMENTS = ['wrong_answers', 'operator'] as const;
/** Nothing that the provider delivered there from `since` until now counts. `company` is who says so: an operator, or NONE for the market's own probes. */
export interface AnnulDelivery {
  type: 'annulDelivery';
  company: CompanyId;
  provider: CompanyId;
  market: MarketId;
  model: ModelId;
  since: Millis;
  reason: (typeof ANNULMENTS)[number];
}
/** The platform could not serve in the whole minutes between: they are refunded without damages. */
export interface PlatformDown {
  type: 'platformDown';
  from: Millis;
  to: Millis;
}
/** `company` is who acts: an operator, or NONE for the market's own probes. */
export interface SuspendProvider {
  type: 'suspendProvider';
  company: CompanyId;
  provider: CompanyId;
  reason: string;
}
export interface ReinstateProvider {
  type: 'reinstateProvider';
  company: CompanyId;
  provider: CompanyId;
  reason: string;
}

export type Command =
  | PlaceOrder | CancelOrder | AmendOrder | BatchOrders | CancelAll | CancelAfter | PlaceBlock
  | Tick | EndHour
  | RegisterCompany | AddClass | AddRegion | AddModel | SetListPrice
  | DeclareCapacity | VerifyCapacity | SetEligibility
  | Deposit | Withdraw | Prepay | PostBond | Payout
  | CreateMandate | ApplyFacility | AcceptFacility | Draw | Repay | ReturnCredits | Freeze | Unfreeze
  | SetTradingMode | Capture | ReleasePending | ReportMinute | AnnulDelivery | PlatformDown | SuspendProvider | ReinstateProvider
  | CounterOffer | OverruleFacility | DeclineFacility | SetFacilityOption | ReportFinancials | GrantCredits | SetSwitch | SetMoneyRules | SetMarks | SetBands;

/** Every command's name; its place stands for it in events. New ones come last. */
export const COMMAND_TYPES = [
  'place', 'cancel', 'amend', 'batch', 'cancelAll', 'cancelAfter', 'placeBlock', 'tick', 'endHour', 'registerCompany', 'addClass', 'addRegion', 'addModel',
  'setListPrice', 'declareCapacity', 'verifyCapacity', 'setEligibility', 'deposit', 'withdraw', 'prepay', 'postBond', 'payout', 'createMandate', 'applyFacility',
  'acceptFacility', 'draw', 'repay', 'returnCredits', 'freeze', 'unfreeze', 'setTradingMode', 'capture', 'releasePending', 'reportMinute', 'annulDelivery',
  'platformDown', 'suspendProvider', 'reinstateProvider', 'counterOffer', 'overruleFacility', 'declineFacility', 'setFacilityOption', 'reportFinancials', 'grantCredits', 'setSwitch', 'setMoneyRules', 'setMarks', 'setBands',
] as const;
export type CommandType = Command['type'];

/**
 * A command with the client's idempotency key: the engine remembers key and body for 24 h of engine
 * time. A repeat has no effect and names the sequence of the original.
 */
export interface Envelope {
  command: Command;
  /** Scoped by the caller (company, route); '' = none. */
  idempotencyKey: string;
  /** Digest of the request's body. */
  bodyHash: string;
}

export type { Day, Hour, Micro, Millis };
