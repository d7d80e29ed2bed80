/**
 * What can be asked of the engine's present state. A query changes nothing and is not journalled;
 * the sequencer answers it at its place between commands, after what came before it is durable.
 * Money in micro, quantities in steps, prices in ticks, GPU time in 1e-6 GPU-seconds.
 */
import type { RejectCode } from './catalogue.ts';
import type { FacilityApplication, OverruleFacility, PlaceBlock, PlaceOrder } from './commands.ts';
import type { FacilityMethod } from './vocabulary.ts';
import type { DayCount } from './credit/day_count.ts';
import type { DueDateRoll } from './credit/due_dates.ts';
import type { OrderStatus } from './events.ts';
import type { ScheduleRow } from './events.ts';
import type { Bands } from './trading/bands.ts';
import type { Foretold } from './trading/foretold.ts';
import type { Covenant, Debt, Decision, Freezes, MoneyRules, Payments, Report, RevenueShare, Switch, SwitchName } from './lending/facility.ts';

export interface DirectoryView {
  companies: { company: number; name: string; role: string; group: string }[];
  classes: { class: number; name: string; chip: string; memoryGb: number; formFactor: string; listPrice: number; inputs: { provider: string; usd: number }[]; next: { price: number; effectiveAt: number; inputs: { provider: string; usd: number }[] } | null }[];
  regions: { region: number; name: string }[];
  models: { model: number; name: string }[];
  /** Capacity and eligibility of every provider on every market. */
  capacities: CapacityView[];
}
export interface CapacityView {
  company: number;
  market: number;
  declared: number;
  verified: number;
  models: number[];
}

export interface BalancesView {
  usd: number;
  available: number;
  held: number;
  contracted: number;
  frozen: number;
  /** Credits retired so far. */
  retired: number;
  payable: number;
  /** Owed back for what was paid and not delivered. */
  receivable: number;
  bond: number;
  /** Micro-USD of deliveries, less what was taken back, and of that paid out. */
  earned: number;
  paid: number;
  /** Of a lender; else null. */
  fund: FundView | null;
}

/** What a company's credit has become, micro-USD: list value delivered, and what the credit for it cost, its part of the fees included. */
export interface RealisedView {
  listValue: number;
  cost: number;
}

/** A lender's money in the fund, micro-USD. */
export interface FundView {
  /** All that it has brought and not taken out: committed + uncommitted + idle. */
  capital: number;
  /** Promised or lent, and not paid back; lost is a part of it. */
  committed: number;
  /** In mandates; and in none. */
  uncommitted: number;
  idle: number;
  lost: number;
  /** Interest earned and not taken out that borrowers have paid, and that they owe. */
  interestPaid: number;
  interestOwed: number;
  /** With what it has in cash beside the fund. */
  withdrawable: number;
}

export interface LotView {
  lot: number;
  company: number;
  facility: number;
  source: 'facility' | 'prepayment' | 'grant';
  usd: number;
  minted: number;
  conversionRate: number;
  available: number;
  held: number;
  contracted: number;
  retired: number;
  frozen: number;
  expiresAt: number;
}

/** An order that is in the market (resting or waiting for its trigger), or has just been. */
export interface OrderView {
  order: number;
  company: number;
  market: number;
  hour: number;
  side: number;
  orderType: number;
  price: number;
  quantity: number;
  remaining: number;
  visible: number;
  timeInForce: number;
  postOnly: boolean;
  displayQuantity: number;
  minimumQuantity: number;
  stopPrice: number;
  expiresAt: number;
  model: number;
  resaleOf: number;
  selfTradePrevention: number;
  cancelOnDisconnect: boolean;
  clientOrderId: string;
  hold: number;
  fees: number;
  /** Sum of price x quantity of its fills, micro-CR. */
  notional: number;
  status: OrderStatus;
  acceptedAt: number;
  sequence: number;
}

/** One order over consecutive hours, as long as something of it is in the market. */
export interface BlockView {
  block: number;
  company: number;
  market: number;
  fromHour: number;
  toHour: number;
  side: number;
  price: number;
  /** Steps in each hour, as placed. */
  quantity: number;
  timeInForce: number;
  minimumAcceptanceRatio: number;
  model: number;
  clientOrderId: string;
  acceptedAt: number;
  sequence: number;
  /** Steps executed over all hours, and the sum of price x quantity, micro-CR. */
  filled: number;
  notional: number;
  hold: number;
  /** Of a sell block: the asks that are still in the market. */
  asks: number[];
}

export interface AllocationView {
  allocation: number;
  company: number;
  provider: number;
  market: number;
  hour: number;
  model: number;
  price: number;
  quantity: number;
  /** 1e-6 GPU-seconds consumed, and what is offered for resale. */
  usedGpu: number;
  budgetGpu: number;
  offeredGpu: number;
  /** Micro-CR still in contract. */
  credits: number;
  status: 'open' | 'delivering' | 'delivered' | 'resold' | 'failed';
  frozen: boolean;
}

export interface FacilityView {
  facility: number;
  company: number;
  lender: number;
  state: string;
  amount: number;
  months: number;
  method: FacilityMethod;
  revenueShare: RevenueShare | null;
  grade: string;
  score: number;
  reasons: string[];
  annualRate: number;
  conversionRate: number;
  originationFee: number;
  drawn: number;
  undrawn: number;
  principal: number;
  accruedInterest: number;
  fees: number;
  frozenFraction: number;
  frozenReason: string;
  freezes: Freezes;
  daysPastDue: number;
  acceptedAt: number;
  maturesAt: number;
  /** Instalments that are left. */
  schedule: ScheduleRow[];
  shares: { mandate: number; lender: number; amount: number }[];
  dayCount: DayCount;
  dueDateRoll: DueDateRoll;
  drawOnDemand: boolean;
  application: FacilityApplication;
  decision: Decision;
  offeredAt: number;
  offerExpiresAt: number;
  payments: Payments;
  writtenOff: Debt;
  allowance: number;
  /** Net unsecured exposure, its limit, and what the lender has to expect to lose. */
  exposure: number;
  exposureLimit: number;
  /** What stands against the debt: unspent credit at cost, and hours that were bought, at their marks after the haircut. */
  unspentCost: number;
  hoursValue: number;
  /** Principal as lent and as repaid so far; interest that has accrued; what of it each lender has earned. */
  lent: number;
  repaidPrincipal: number;
  interestAccrued: number;
  earnings: { lender: number; amount: number }[];
  stage: number;
  expectedLoss: number;
  /** At cost, with providers. */
  spent30Days: number;
  /** What was planned for those days. */
  plannedUse: number;
  /** Instalments at the beginning that ask for interest alone. */
  interestOnly: number;
  refine: boolean;
  covenants: Covenant[];
  report: Report | null;
}

export interface PayoffView {
  facility: number;
  /** Interest is counted up to this day. */
  day: number;
  principal: number;
  interest: number;
  fees: number;
  total: number;
}

export interface MandateView {
  mandate: number;
  company: number;
  amount: number;
  committed: number;
  grades: string[];
  maximumPerBorrower: number;
  minimumAnnualRate: number;
  reinvest?: boolean;
  closed?: boolean;
}

/** Where a provider has sold something of an hour that is not settled. */
export interface SoldPlaceView {
  company: number;
  market: number;
  hour: number;
  /** Steps to be delivered. */
  quantity: number;
  /** Models that its buyers named. */
  models: number[];
}

export interface PayableView {
  dueAt: number;
  amount: number;
  /** Unused hours that a loan paid for. */
  financed: boolean;
  /** Not paid while that loan is past due or frozen. */
  held: boolean;
}

/** All that a reader of market data needs to start from; later events continue it. */
export interface MarketSnapshot {
  sequence: number;
  now: number;
  orders: OrderView[];
  blocks: BlockView[];
  modes: { class: number; market: number; hour: number; mode: string; reason: string }[];
  bands: Bands;
}

export interface InvariantCheck {
  number: number;
  name: string;
  ok: boolean;
  /** What is wrong, empty when ok. */
  detail: string;
}

export interface EngineStatus {
  now: number;
  sequence: number;
  stateHash: string;
}

export interface Foretelling extends Foretold {
  refusal: RejectCode | null;
  /** Micro-CR that the company can newly hold, now and afterwards. */
  spendable: { before: number; after: number };
}

/** Question and answer by name. */
export interface Queries {
  directory: { ask: object; answer: DirectoryView };
  status: { ask: object; answer: EngineStatus };
  balances: { ask: { company: number }; answer: BalancesView };
  /** null before the first delivery. */
  realised: { ask: { company: number }; answer: RealisedView | null };
  lots: { ask: { company: number }; answer: LotView[] };
  order: { ask: { order: number }; answer: OrderView | null };
  allocations: { ask: { company: number }; answer: AllocationView[] };
  /** Settled ones that still keep in contract what was authorised and not captured when their hour ended, and how much of it, 1e-6 GPU-seconds. */
  leftPending: { ask: object; answer: { allocation: number; gpu: number }[] };
  /** Whose capacity each delivers; NONE when there is none such. */
  deliverers: { ask: { allocations: readonly number[] }; answer: number[] };
  /** Of a borrower, of a lender, or with NONE of everybody; from a facility on, and so many at most, or else all. */
  facilities: { ask: { company: number; lender: boolean; from?: number; most?: number }; answer: FacilityView[] };
  facility: { ask: { facility: number }; answer: FacilityView | null };
  /** With NONE everybody's. */
  mandates: { ask: { company: number }; answer: MandateView[] };
  /** Why an order or a block would be refused if it came now, as far as that does not depend on whom it would meet. */
  refusal: { ask: { order: PlaceOrder | PlaceBlock }; answer: RejectCode | null };
  /** What an order or a block would come to if it came now, others' stops and blocks that it lets in included, and the credits that its company could spend then. */
  foretell: { ask: { order: PlaceOrder | PlaceBlock }; answer: Foretelling };
  /** Why a facility could not be offered against the scorecard if it were asked for now, whoever were to lend. */
  overruleRefusal: { ask: { command: OverruleFacility }; answer: RejectCode | null };
  /** Of the delivery hours in the range, both included. */
  soldPlaces: { ask: { fromHour: number; toHour: number }; answer: SoldPlaceView[] };
  /** What is owed to a company and when it falls due. */
  payables: { ask: { company: number }; answer: PayableView[] };
  /** Companies that are suspended, and since when. */
  suspended: { ask: object; answer: { company: number; since: number }[] };
  /** The body with which an idempotency key came first, as its hash; null: it is new. */
  keyUse: { ask: { key: string }; answer: string | null };
  market: { ask: object; answer: MarketSnapshot };
  payoff: { ask: { facility: number; day: number }; answer: PayoffView | null };
  switches: { ask: object; answer: { switches: Record<SwitchName, Switch>; money: MoneyRules } };
  bands: { ask: object; answer: Bands };
  invariants: { ask: object; answer: { checks: InvariantCheck[]; stateHash: string; sequence: number } };
  /** A part of one of them, for who lets commands in between. place: from 0 to count - 1; from: a row, 0 or the last answer's next, which is 0 after the last part. */
  invariantPart: { ask: { place: number; from: number }; answer: { check: InvariantCheck; next: number; count: number } };
  stateHash: { ask: object; answer: { stateHash: string; sequence: number } };
}
export type QueryName = keyof Queries;
export type Ask<Q extends QueryName> = Queries[Q]['ask'];
export type Answer<Q extends QueryName> = Queries[Q]['answer'];
