/** The words and numbers that commands, events and state share: kinds, identifiers, and what an absent number is. */

export const SIDES = ['buy', 'sell'] as const;
export const BUY = 0;
export const SELL = 1;
export type Side = 0 | 1;

export const ORDER_TYPES = ['limit', 'market', 'stop', 'stop_limit'] as const;
export const LIMIT = 0;
export const MARKET = 1;
export const STOP = 2;
export const STOP_LIMIT = 3;
/** Whether an order of the type waits for its trigger. */
export const isStop = (orderType: number): boolean => orderType >= STOP;

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

/** Each stricter than those before. In an auction orders are taken and collect; they execute at one price when the mode becomes open. */
export const TRADING_MODES = ['open', 'auction', 'cancel_only', 'halted'] as const;
export type TradingMode = (typeof TRADING_MODES)[number];

export const ROLES = ['borrower', 'provider', 'lender', 'operator'] as const;
export type Role = (typeof ROLES)[number];
export const GRADES = ['A', 'B', 'C', 'D'] as const;
export type Grade = (typeof GRADES)[number];
export const SCHEDULE_METHODS = ['annuity', 'bullet', 'equal_principal', 'flat'] as const;
export type ScheduleMethod = (typeof SCHEDULE_METHODS)[number];
/** A facility's instalments may also be a share of revenue, of which no calendar knows beforehand how much it is. */
export const FACILITY_METHODS = [...SCHEDULE_METHODS, 'revenue_share'] as const;
export type FacilityMethod = (typeof FACILITY_METHODS)[number];

export const PREPAYMENT_MODES = ['shorten', 'lower', 'advance'] as const;
/** `next`: of a payment that names no mode the next instalment comes first, paid before its day; what is more shortens. */
export const REPAYMENT_MODES = [...PREPAYMENT_MODES, 'next'] as const;
export type RepaymentMode = (typeof REPAYMENT_MODES)[number];
/** From 2 on: the origination fee is earned by the day, what is expected to be lost is provisioned from the first draw on, no hour begins after maturity.
 * From 3 on: in months of 30 days a due date that February cuts short counts as the day it stands for, and instalments are planned on the days that are billed. */
export const LOAN_RULES = 3;

export const ANNULMENTS = ['wrong_answers', 'operator'] as const;

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
