/** The market's numbers, in one table. Rates in ppm, money in micro, time in milliseconds. */
import type { Grade } from './vocabulary.ts';
import { MICRO, MILLIS_PER_DAY } from './numbers/units.ts';

export const PARAMETERS = {
  takerFee: 5_000,
  makerFee: 2_000,
  redemptionRate: 620_000,
  /** The spread a redemption rate must leave at the best conversion on offer. */
  spreadMinimum: 20_000,
  prepaidConversion: 1_500_000,
  originationFee: 15_000,
  /** Share of each draw that the operator funds. */
  firstLoss: 50_000,
  /** Damages, and what a bond must cover, of the redemption value sold and undelivered. */
  damages: 250_000,
  /** Share of the commitment a single draw may take. */
  drawShareMaximum: 400_000,
  /** Share of the commitment that may be bought in a day. */
  dayPurchaseShare: 250_000,
  /** Of a facility's spend in so many days, and of its commitment: the larger of both may go to one provider group. */
  concentrationDays: 30,
  concentrationShare: 400_000,
  concentrationFloor: 50_000,
  /** Less than so many micro-USD of that is nothing. */
  concentrationLeast: 1_000_000,
  /** Net unsecured exposure, of the commitment. */
  exposureShare: { A: 600_000, B: 450_000, C: 300_000, D: 0 } satisfies Record<Grade, number>,
  /** What hours that were bought lose as collateral, far ahead and near. */
  haircutFar: 250_000,
  haircutNear: 400_000,
  haircutNearWithin: 7 * MILLIS_PER_DAY,
  /** Of that limit: a warning; nothing new is bought and a margin call goes out; hours are offered, and if that does not help the facility is frozen. */
  exposureWarned: 800_000,
  exposureCalled: 1_000_000,
  exposureForced: 1_200_000,
  /** Days past due from which a facility's credit buys nothing new. */
  pastDueCancelOnly: 10,
  /** The rest of the ladder, in days past due. */
  pastDueNotice: 1,
  pastDueNoDraws: 5,
  pastDueHalfFrozen: 15,
  pastDueFrozen: 30,
  pastDueAccelerated: 60,
  pastDueDefault: 90,
  pastDueWrittenOff: 180,
  /** Less than this unpaid of an instalment makes nobody late: rounding does not default. */
  lateMinimum: 10_000,
  /** A late instalment's fee: of what is overdue of it, after so many days of grace, at most this. */
  lateFee: 20_000,
  lateFeeGraceDays: 5,
  lateFeeMaximum: 5_000 * MICRO,
  /** Of a month's revenue, the most that instalments may take, and in what steps the share is set. */
  withheldMost: 300_000,
  withheldStep: 1_000,
  /** Offers lapse; lenders may decline what their mandates took; fees come back with credit returned soon. */
  offerExpiry: 14 * MILLIS_PER_DAY,
  lenderDecline: MILLIS_PER_DAY,
  feeRefundDays: 14,
  /** Draw on demand takes at least this. */
  drawOnDemandMinimum: 1_000 * MICRO,
  /** What a facility promises: months of runway, cash as a share of the commitment, use of 30 days against plan; and how long a breach may be cured. */
  covenantRunwayMonths: 3,
  covenantCashShare: 50_000,
  covenantUseMost: 1_400_000,
  covenantUseLeast: 600_000,
  covenantCureDays: 30,
  /** Part of a debt that is lost at least, whatever stands behind it. */
  lossShareLeast: 50_000,
  /** Hours of a frozen facility that begin within this are offered for resale; at gate closure at this share of the mark. */
  perishingWithin: MILLIS_PER_DAY,
  perishingShareLast: 500_000,
  /** Facilities whose day ends in one command: orders wait no longer than for these. */
  dayEndFacilities: 250,
  /** One with an instalment that falls due counts as so many. */
  dayEndDueWeight: 10,
  /** Days before a lot's end on which its owner hears of it. */
  lotAlertDays: [30, 7, 1],
  openOrders: { A: 100, B: 40, C: 10, D: 0 } satisfies Record<Grade, number>,
  /** For companies without a facility. */
  openOrdersOther: 100_000,
  /**
   * Bids may not exceed this multiple of the reference, or list price where that is more; asks not
   * fall below this share of it. The reference is the hour's last trade, else list price.
   * Operators may set others for the whole market.
   */
  bandAbove: 10_000_000,
  bandBelow: 1_000,
  /** New and requeued orders of an account in a second of engine time. */
  ordersPerSecond: 200_000,
  daysListedAhead: 93,
  blockHoursMinimum: 2,
  blockHoursMaximum: 744,
  idempotencyKept: MILLIS_PER_DAY,
  clientOrderIdKept: MILLIS_PER_DAY,
  prepaidLotMonths: 12,
  /** A refund to an expired lot extends it by this. */
  refundedLotExtension: 30 * MILLIS_PER_DAY,
  /** So long after an hour it may be found that it was not delivered: a day more than its use is paid after. */
  clawBackHours: 8 * 24,
  usedPayoutDelayDays: 7,
  unusedPayoutDelayDays: 30,
  /** Largest single payment, micro-USD. */
  moneyMaximum: 1_000_000_000 * MICRO,
  /** Gate closure before delivery, and the end of spot trading before the hour's. */
  gateClosure: 300_000,
  spotEndsBefore: 60_000,
} as const;

/** Highest fee a buyer can be charged: what holds reserve. */
export const BUYER_FEE_MAX = PARAMETERS.takerFee;

export const FEE_SCALE = MICRO;
