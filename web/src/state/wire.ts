/** The shapes that the screens read, from the api's schemas. Amounts, prices and quantities are decimal strings, times RFC 3339. */
import type { z } from 'zod';
import type { modelSchema } from '../../../api/gateway/routes/model_routes.ts';
import type { candleSchema, classSchema, curveDataSchema, curvePointSchema, regionSchema, statusDataSchema, tickerSchema, tradeSchema } from '../../../api/market/market_schemas.ts';
import type { allocationSchema, balancesWire, lotSchema } from '../../../api/http/routes/account_routes.ts';
import type { bandsNowSchema, bandsSchema } from '../../../api/http/routes/bands_routes.ts';
import type { confirmationsSchema } from '../../../api/http/routes/confirmations_routes.ts';
import type { incomeSchema } from '../../../api/http/routes/accounting_routes.ts';
import type { dashboardSchema, riskSchema } from '../../../api/http/routes/dashboard_routes.ts';
import type { statementSchema as payoutStatementSchema } from '../../../api/http/routes/delivery_routes.ts';
import type { bankSchema, usageSchema } from '../../../api/http/routes/feed_routes.ts';
import type { facilitySchema, scheduleRowSchema } from '../../../api/http/wire/facility_wire.ts';
import type { forecastSchema } from '../../../api/http/routes/forecast_routes.ts';
import type { keyWire } from '../../../api/http/routes/keys_routes.ts';
import type { disclosureSchema, switchSchema } from '../../../api/http/routes/loan_routes.ts';
import type { fillSchema, orderSchema } from '../../../api/http/wire/order_wire.ts';
import type { probeSchema, requestLogSchema } from '../../../api/http/routes/log_routes.ts';
import type { positionsSchema, userSchema } from '../../../api/http/routes/overview_routes.ts';
import type { cohortSchema, portfolioSchema, stressSchema } from '../../../api/http/routes/portfolio_routes.ts';
import type { projectSchema } from '../../../api/http/routes/projects_routes.ts';
import type { providerSchema } from '../../../api/http/routes/providers_routes.ts';
import type { ruleSchema as repricingRuleSchema } from '../../../api/http/routes/repricing_routes.ts';
import type { shownSchema as resalePolicySchema } from '../../../api/http/routes/resale_policy_routes.ts';
import type { deliverySchema as webhookDeliverySchema, webhookSchema } from '../../../api/http/routes/webhook_routes.ts';

export type TradingMode = 'open' | 'auction' | 'cancel_only' | 'halted';
export type Role = 'borrower' | 'provider' | 'lender' | 'operator';

export type WireConfirmation = z.infer<typeof confirmationsSchema>['data'][number];
export type WireClass = z.infer<typeof classSchema>;
export type WireRegion = z.infer<typeof regionSchema>;
export type WireModel = z.infer<typeof modelSchema>;
export type WireStatus = z.infer<typeof statusDataSchema> & { status: TradingMode; demo: boolean; clock: 'wall' | 'manual'; price_band: z.infer<typeof bandsSchema> };
export type WireCandle = z.infer<typeof candleSchema>;
export type WireTrade = z.infer<typeof tradeSchema>;
export type WireTicker = z.infer<typeof tickerSchema>;
export type WireCurvePoint = z.infer<typeof curvePointSchema>;
export type WireCurveChange = z.infer<typeof curveDataSchema>;

export type WireOrder = z.infer<typeof orderSchema>;
export type WireFill = z.infer<typeof fillSchema>;
export interface PlacedOrder {
  order: WireOrder;
  fills: WireFill[];
}
/** What only the exchange can compute of an order; see POST /orders/preview. */
export interface OrderPreview {
  average_price: string | null;
  worst_price: string | null;
  filled_quantity: string;
  resting_quantity: string;
  notional: string;
  fee: string;
  credits_before: string;
  credits_after: string;
  usd_per_gpu_hour: string | null;
  interest_usd_per_gpu_hour: string | null;
  outside_usd_per_gpu_hour: string | null;
  net_usd_per_gpu_hour: string | null;
  reject_code: string | null;
}

export type WireAllocation = z.infer<typeof allocationSchema>;
export type WireBalances = ReturnType<typeof balancesWire>;
export type WireLot = z.infer<typeof lotSchema>;
export type WireFacility = z.infer<typeof facilitySchema>;
/** The answer to an application that got no offer. */
export interface WireDeclined {
  id: null;
  state: 'declined';
  grade: string;
  reasons: string[];
}
/** What a borrower signs, as if all were drawn today. */
export type WireDisclosure = z.infer<typeof disclosureSchema>;
export type WireForecast = z.infer<typeof forecastSchema>;
export type WireDashboard = z.infer<typeof dashboardSchema>;
export type WireStress = z.infer<typeof stressSchema>;
export type WireIncome = z.infer<typeof incomeSchema>;
export type WirePayoutStatement = z.infer<typeof payoutStatementSchema>;
export type WireRequest = z.infer<typeof requestLogSchema>;
export type WireProbe = z.infer<typeof probeSchema>;
export type WirePositions = z.infer<typeof positionsSchema>;
export type WireUser = z.infer<typeof userSchema>;
export type WireSwitch = z.infer<typeof switchSchema>;
export type WireBands = z.infer<typeof bandsNowSchema>;
export type WireProvider = z.infer<typeof providerSchema>;
/** A month that a statement can be read of. */
export interface WireMonth {
  month: string;
  from: string;
  to: string;
  complete: boolean;
}
export type WireScheduleRow = z.infer<typeof scheduleRowSchema>;
export interface WireMandate {
  id: string;
  amount: string;
  committed: string;
  available: string;
  reinvest: boolean;
  state: 'open' | 'closed';
  grades: string[];
  maximum_per_borrower: string;
  minimum_annual_rate_percent: string;
}
export interface WireCapacity {
  class: string;
  region: string;
  gpus: number;
  verified_gpus: number;
  models: string[];
  status: 'pending' | 'verified';
}
export interface WireEndpoint {
  id: string;
  url: string;
  class: string;
  region: string;
  models: string[];
  status: 'pending' | 'verified' | 'failed' | 'draining' | 'removed';
  status_reason: string;
  precision: string | null;
  country: string | null;
  created_at: string;
  verified_at: string | null;
}
/** An hour that a provider sold, and what became of it. */
export interface WireDelivery {
  id: string;
  instrument: string;
  quantity: string;
  used: string;
  credits: string;
  delivered_credits: string;
  failed_credits: string;
  usd: string;
  requests: number;
  commission: string;
  status: 'scheduled' | 'delivering' | 'delivered';
}
export interface WirePayout {
  amount: string;
  sequence: number;
  at: string;
}
export interface WireStatementLine {
  sequence: number;
  at: string;
  event: string;
  amount: string;
  interest: string;
  principal: string;
  fees: string;
  reason: string;
}
export type WirePortfolio = z.infer<typeof portfolioSchema>;
export interface WireUsageLine {
  group: string | null;
  requests: number;
  prompt_tokens: number;
  completion_tokens: number;
  gpu_seconds: string;
  credits_used: string;
}
export interface WireRisk {
  exposures: { company: string; facility_id: string; state: string; principal: string; accrued_interest: string; days_past_due: number; frozen_fraction: string; utilisation_percent: string }[];
  outstanding: string;
}
/** One result of POST /orders/batch. */
export interface WireBatchResult {
  status: number;
  order?: { id: string };
  error?: { code: string; message: string };
}

export type WireRepricingRule = z.infer<typeof repricingRuleSchema>;
export type WireResalePolicy = z.infer<typeof resalePolicySchema>;
export type WireProject = z.infer<typeof projectSchema>;
/** The secret stands in the answers that make one, and there alone. */
export type WireWebhook = z.infer<typeof webhookSchema> & { secret?: string };
export type WireWebhookDelivery = z.infer<typeof webhookDeliverySchema>;
export type WireCohort = z.infer<typeof cohortSchema>['data'][number];
export type WirePriceRisk = z.infer<typeof riskSchema>;
interface Kept {
  feed: { id: string };
}
export type WireBankFeed = z.infer<typeof bankSchema> & Kept;
export type WireUsageFeed = z.infer<typeof usageSchema> & Kept;
export type WireKey = ReturnType<typeof keyWire>;
export interface WireMe {
  id: string;
  email: string;
  company: string;
  role: Role;
  csrf_token?: string;
}

export interface WireInvariants {
  ok: boolean;
  checks: { number: number; name: string; ok: boolean; detail?: string }[];
  state_hash: string;
  sequence: number;
}

/** What became of the transactions that a bank reported. */
export interface WireBankReport {
  transactions: number;
  matched: number;
  unmatched: number;
  duplicate: number;
  credited: string;
  /** What became of each, by its place in the file; the header is line 1. */
  lines: { line: number; status: 'matched' | 'unmatched' | 'duplicate' }[];
}

export interface WireAudit {
  id: string | number;
  at: string;
  actor: string;
  email: string | null;
  company: string | null;
  action: string;
  target: string;
  reason: string;
  sequence: number | null;
}

/** A company of the demo market that anybody may enter as. */
/** What the demo market lends. */
export interface WireDemo {
  data: DemoLogin[];
  /** One that a provider without GPUs may register. */
  endpoint: { url: string; models: string[] } | null;
}
export interface DemoLogin {
  name: string;
  role: Role;
  email: string;
  password: string;
}
