/**
 * What the engine says has happened. One table defines every event: its name, its fields in the
 * order in which they are written, and their kinds. Types, encoder and decoder derive from it.
 *
 * An event is a run of numbers in an EventBatch: [kind, length, field...]. Text and structured
 * fields stand as an index into `texts`. Consumers decode; the hot path writes numbers only.
 */
import { COMMAND_TYPES } from './commands.ts';
import { ORDER_TYPES, SELF_TRADE_PREVENTIONS, SIDES, TIMES_IN_FORCE } from './vocabulary.ts';
import { REJECT_CODES } from './catalogue.ts';

export const CANCEL_REASONS = [
  'requested', 'ioc', 'fok', 'self_trade', 'expired', 'no_liquidity', 'gate_closed', 'lot_expired',
  'facility_frozen', 'above_list_price', 'mass_cancel', 'disconnected', 'dead_man', 'margin', 'hour_ended', 'capacity_reduced', 'delivery_failed', 'suspended', 'not_served',
] as const;
export type CancelReason = (typeof CANCEL_REASONS)[number];

/** Why something that was sold was not delivered. */
export const FAILURE_REASONS = ['canary', 'requests', 'load_test', 'not_served', 'wrong_answers', 'suspended', 'operator', 'platform_down', 'replaced'] as const;
export type FailureReason = (typeof FAILURE_REASONS)[number];

export const ORDER_STATUSES = ['open', 'partially_filled', 'filled', 'canceled', 'expired', 'rejected', 'untriggered'] as const;
export type OrderStatus = (typeof ORDER_STATUSES)[number];

const n = 'number';
const s = 'text';
const b = 'boolean';
/** A structured value, kept as JSON. */
const json = <T>() => ({ json: undefined as T | undefined });
const oneOf = <const T extends readonly string[]>(names: T) => ({ oneOf: names });

export const EVENTS = {
  /** First event of every command; all that follow until the next `command` were caused by it. */
  command: { sequence: n, type: oneOf(COMMAND_TYPES), company: n },
  /** The command was refused; nothing else of it happened (in a batch: of operation `index`). */
  rejected: { code: oneOf(REJECT_CODES), index: n, field: s },
  /** The idempotency key was used before; nothing happened. */
  repeated: { original: n },
  /** Operation `index` of a batch begins. */
  operation: { index: n },

  ticked: { now: n },
  companyRegistered: { company: n, name: s, role: s, group: s },
  classAdded: { class: n, name: s, chip: s, memoryGb: n, formFactor: s },
  regionAdded: { region: n, name: s },
  modelAdded: { model: n, name: s },
  listPriceAnnounced: { class: n, price: n, effectiveAt: n, inputs: json<{ provider: string; usd: number }[]>() },
  listPriceEffective: { class: n, price: n },

  capacityDeclared: { company: n, market: n, gpus: n },
  capacityVerified: { company: n, market: n, gpus: n },
  eligibilitySet: { company: n, market: n, models: json<number[]>() },

  /** hold: micro-CR reserved. Zero or NONE in optional fields as in PlaceOrder. */
  orderAccepted: {
    order: n, company: n, market: n, hour: n, side: oneOf(SIDES), orderType: oneOf(ORDER_TYPES), price: n, quantity: n,
    timeInForce: oneOf(TIMES_IN_FORCE), postOnly: b, displayQuantity: n, minimumQuantity: n, stopPrice: n, expiresAt: n,
    model: n, resaleOf: n, selfTradePrevention: oneOf(SELF_TRADE_PREVENTIONS), cancelOnDisconnect: b, hold: n, clientOrderId: s,
  },
  /** The order now stands in the book with `visible` steps shown of `remaining`, at the end of its queue. */
  orderRested: { order: n, visible: n, remaining: n },
  /** An order in the book shows another quantity and keeps its place (partial fill, decrease, shrinking spot ask). */
  orderReduced: { order: n, visible: n, remaining: n, hold: n },
  orderTriggered: { order: n },
  orderAmended: { order: n, price: n, remaining: n, hold: n, keptPriority: b },
  /** The order left the market; its hold is 0 from here on. */
  orderDone: { order: n, status: oneOf(ORDER_STATUSES), reason: oneOf(['filled', ...CANCEL_REASONS]), remaining: n },
  /**
   * One execution. fee: micro-CR charged to the buyer by this fill. maker/taker: orders.
   * buyerHold: what the buyer's order still holds after it. model: that its bid named, NONE when it named none.
   */
  fill: {
    fill: n, allocation: n, maker: n, taker: n, takerSide: oneOf(SIDES), buyer: n, seller: n, provider: n,
    market: n, hour: n, price: n, quantity: n, fee: n, makerRemaining: n, takerRemaining: n, buyerHold: n, now: n, model: n,
  },
  tradingModeSet: { class: n, market: n, hour: n, mode: s, reason: s, by: n },

  /** One balanced transaction: pairs of account reference and signed amount (debit positive). See ledger.ts. */
  posted: { entries: 'entries' },

  deposited: { company: n, amount: n, reference: s },
  withdrawn: { company: n, amount: n },
  bondPosted: { company: n, amount: n },
  /** withheld: what was due as well, and stayed for hours that had been paid and proved not delivered. */
  payoutMade: { company: n, amount: n, withheld: n },
  lotMinted: { lot: n, company: n, facility: n, source: s, usd: n, credits: n, conversionRate: n, redemptionRate: n, expiresAt: n },
  lotExpired: { lot: n, credits: n },
  creditsReturned: { lot: n, facility: n, credits: n, principal: n },

  mandateCreated: { mandate: n, company: n, amount: n, grades: json<string[]>(), maximumPerBorrower: n, minimumAnnualRate: n },
  facilityOffered: {
    facility: n, company: n, lender: n, amount: n, months: n, grade: s, annualRate: n, conversionRate: n, originationFee: n,
    method: s, score: n, reasons: json<string[]>(), application: json<Record<string, number | number[]>>(),
  },
  facilityDeclined: { company: n, amount: n, months: n, grade: s, score: n, reasons: json<string[]>(), application: json<Record<string, number | number[]>>() },
  facilityStateChanged: { facility: n, state: s, reason: s, by: n },
  facilityFrozen: { facility: n, fraction: n, reason: s, by: n },
  facilityDrawn: { facility: n, lot: n, amount: n, fee: n },
  scheduleSet: { facility: n, rows: json<ScheduleRow[]>() },
  interestAccrued: { facility: n, amount: n, day: n },
  repaid: { facility: n, amount: n, interest: n, principal: n, fees: n, unapplied: n },

  /** A metered inference. credits: retired from the contract; payable: USD earned by the provider. */
  usageCaptured: {
    allocation: n, company: n, provider: n, model: n, gpu: n, credits: n, payable: n, promptTokens: n, completionTokens: n,
    request: s, detail: json<{ key: string; endpoint: string; spotFees: number; estimated: boolean }>(), now: n,
  },
  /** Delivery of an allocation's hour is over. unused: micro-CR delivered without use; failed: refunded. */
  allocationSettled: { allocation: n, usedGpu: n, unused: n, failed: n, pendingGpu: n },
  /** `quantity` of an allocation has become the allocation `to`. company, order: the reseller; fee: micro-CR retired of what was released to it. */
  allocationResold: { allocation: n, quantity: n, to: n, company: n, order: n, fee: n },
  pendingReleased: { allocation: n, gpu: n },
  hourEnded: { hour: n },
  // New kinds stand last: a kind's number is its place.
  /** Steps of an allocation that are on offer from now on: they cannot be consumed. */
  resaleOffered: { allocation: n, company: n, hour: n, offered: n },
  /** hold: micro-CR reserved over all hours; quantity: steps in each. Its end is an `orderDone` that names it, its fills name it as taker. */
  blockAccepted: {
    block: n, company: n, market: n, fromHour: n, toHour: n, side: oneOf(SIDES), price: n, quantity: n, timeInForce: oneOf(TIMES_IN_FORCE),
    minimumAcceptanceRatio: n, model: n, hold: n, clientOrderId: s,
  },
  /** An order, accepted just before, is one of a resting sell block's asks. */
  blockAsk: { block: n, order: n },
  /** One of a sell block's asks has left, `filled` steps of it executed for `notional`; `remaining` of the whole block is not executed. */
  blockAskLeft: { block: n, order: n, filled: n, notional: n, remaining: n },
  /** A block has traded `quantity` in each of its hours, `notional` in all; it still wants `wanted` in each. */
  blockExecuted: { block: n, quantity: n, notional: n, wanted: n, hold: n },
  /** A book opens again. price 0: nothing executed. */
  auctionEnded: { market: n, hour: n, price: n, volume: n },
  /** A refund has given an expired lot a later date. */
  lotExtended: { lot: n, expiresAt: n },
  /** A minute (since 1970) was not delivered, or `share` ppm of the capacity in it. model NONE: whatever was bought. */
  minuteFailed: { company: n, market: n, model: n, minute: n, reason: oneOf(FAILURE_REASONS), share: n, requests: n, failures: n },
  /** Whole minutes within are refunded without damages. */
  platformWasDown: { from: n, to: n },
  /**
   * GPU time of an allocation that was not delivered, `penal` of it by the provider's fault. micro-CR given back, and of the fee minted
   * anew; micro-USD of damages paid, taken back of what the provider had earned, and of the commission out of it.
   */
  deliveryFailed: {
    allocation: n, company: n, provider: n, found: oneOf(['before_delivery', 'after_delivery']), gpu: n, penal: n, credits: n, fee: n, damages: n, clawedBack: n, commission: n,
    reason: oneOf(FAILURE_REASONS),
  },
  /** Nothing delivered there since then counts. by: NONE is the market itself. */
  deliveryAnnulled: { provider: n, market: n, model: n, since: n, reason: oneOf(FAILURE_REASONS), by: n },
  /** After three failed probes: steps of an allocation that were to be bought elsewhere, those that were, by which order (0: none), and what the bond paid for it. */
  replacementSought: { allocation: n, company: n, provider: n, wanted: n, replaced: n, order: n, extra: n, outcome: oneOf(['replaced', 'partly_replaced', 'no_offer', 'bond_exhausted', 'refused']) },
  providerSuspended: { company: n, reason: s, by: n },
  providerReinstated: { company: n, reason: s, by: n },
  /** The call that has begun there ends by itself at `endsAt`. */
  callScheduled: { class: n, market: n, hour: n, endsAt: n },
  /** The terms of an offer beyond `facilityOffered`, and what it was decided on. shares: lenders with their parts. */
  facilityTerms: {
    facility: n, dayCount: s, dueDateRoll: s, drawOnDemand: b, shares: json<{ mandate: number; lender: number; amount: number }[]>(), lateFee: n, lateFeeGraceDays: n,
    lateFeeMaximum: n, covenants: json<{ kind: string; threshold: number; cureDays: number; consequence: string }[]>(),
    decision: json<{ version: number; defaultProbability: number; overruledBy: number; overruling: string }>(), expiresAt: n,
  },
  /** Other lenders fund it from now on. */
  facilityReassigned: { facility: n, lender: n, shares: json<{ mandate: number; lender: number; amount: number }[]>() },
  facilityOptionSet: { facility: n, drawOnDemand: b },
  /** Something the borrower and its lender should know: a step of the ladder, a margin call, a covenant, an alert. days: past due. */
  facilityNotice: { facility: n, notice: s, days: n, text: s },
  /** An instalment has fallen due, with the interest that has accrued for it. */
  instalmentDue: { facility: n, number: n, due: n, principal: n, interest: n },
  /** What a payment has paid of an instalment, and what of it is left. */
  instalmentPaid: { facility: n, number: n, fees: n, interest: n, principal: n, left: n },
  lateFeeCharged: { facility: n, number: n, amount: n },
  provisioned: { facility: n, stage: n, amount: n, allowance: n },
  facilityWrittenOff: { facility: n, principal: n, interest: n, fees: n },
  recovered: { facility: n, amount: n },
  /** A return's price: what it cost to leave before the commitment's end, and the fee that came back. */
  returnSettled: { lot: n, facility: n, deduction: n, feeRefund: n },
  lotExpiring: { lot: n, company: n, credits: n, days: n },
  creditsGranted: { lot: n, sponsor: n, company: n, amount: n },
  financialsReported: { facility: n, cash: n, monthlyBurn: n, by: n },
  covenantTested: { facility: n, covenant: s, value: n, threshold: n, kept: b, breachedOn: n },
  switchSet: { name: s, on: b, reason: s, by: n },
  moneyRulesSet: { redemptionRate: n, spreadMinimum: n, conversionRate: n },
  /** The rules offer a frozen facility's hours; its price falls until the gate. */
  resaleForced: { facility: n, allocation: n, order: n, mark: n },
  /** A part of the origination fee is earned; below zero: it was earned too soon, for credit has come back. */
  feeEarned: { facility: n, amount: n, day: n },
  marksSet: { classes: json<{ class: number; price: number }[]>(), hours: json<{ market: number; hour: number; price: number }[]>() },
  /** Instalments are a share of revenue: share and cap in ppm, and a month's revenue as the application, or a later report, told it. */
  revenueShareSet: { facility: n, share: n, cap: n, revenue: n },
  bandsSet: { above: n, below: n, by: n },
  /** Of an offer whose first instalments ask for interest alone, or whose annuity is refined. */
  repaymentTermsSet: { facility: n, interestOnly: n, refine: b },
  /** A mandate as it is from now on. */
  mandateChanged: { mandate: n, company: n, amount: n, committed: n, reinvest: b, closed: b },
  /** What of a lender's withdrawal was interest that it had earned, and what was its capital. */
  fundWithdrawn: { company: n, amount: n, interest: n, principal: n },
  /** The operator has so much of its first-loss part of the draws back. */
  firstLossReturned: { facility: n, amount: n },
  /** `minuteFailed`, to a company that had bought of the provider there for that minute. */
  boughtMinuteFailed: { company: n, provider: n, market: n, model: n, minute: n, reason: oneOf(FAILURE_REASONS), share: n },
  /** A line of the bank's, by an id of its own, was credited to the company, or what was due was paid of it. */
  bankLineBooked: { line: s, company: n, amount: n, as: oneOf(['credited', 'paid']) },
} as const;

/** Amounts in micro-USD, days since 1970. */
export interface ScheduleRow {
  /** Of the due date, from 1. */
  number: number;
  due: number;
  /** What is left to pay. Interest is what has accrued for it once it is billed, else what will. */
  principal: number;
  interest: number;
  /** Late fees. */
  fee: number;
  /** Principal outstanding when this instalment is paid. */
  balance: number;
  billed: boolean;
  /** A late fee has been charged for it. */
  late: boolean;
}

export type EventKind = keyof typeof EVENTS;
type FieldKind = 'number' | 'text' | 'boolean' | 'entries' | { json: unknown } | { oneOf: readonly string[] };
type FieldValue<F> = F extends 'number' ? number
  : F extends 'text' ? string
  : F extends 'boolean' ? boolean
  : F extends 'entries' ? number[]
  : F extends { oneOf: readonly (infer Name)[] } ? Name
  : F extends { json: infer T } ? NonNullable<T>
  : never;
type Fields<K extends EventKind> = { -readonly [F in keyof (typeof EVENTS)[K]]: FieldValue<(typeof EVENTS)[K][F]> };
export type EventOf<K extends EventKind> = { kind: K } & Fields<K>;
/** Every event, decoded: `{kind: 'fill', fill: 1, ...}`. */
export type EngineEvent = { [K in EventKind]: EventOf<K> }[EventKind];

export const EVENT_KINDS = Object.keys(EVENTS) as EventKind[];
/** The fields of each kind in order, by the kind's number. */
const SHAPES = EVENT_KINDS.map((name) => Object.entries(EVENTS[name]) as [string, FieldKind][]);
/** The number that stands for each kind in an EventBatch. */
export const KIND = Object.fromEntries(EVENT_KINDS.map((name, index) => [name, index])) as { readonly [K in EventKind]: number };

/** A run of events as they travel and as they are journalled. */
export interface EventBatch {
  words: Float64Array;
  texts: readonly string[];
}

/** Far beyond the words of any batch. */
const PLACES_MASK = 2 ** 30 - 1;

/**
 * Collects the events of a batch. `words` is reused; copy with `take`. The hot path writes through
 * `begin` and `push`-free indexed stores in engine code; everything else through `emit`.
 */
export class EventBuffer {
  words = new Float64Array(1 << 16);
  length = 0;
  /** texts[0] is always '': an absent text costs nothing. */
  texts: string[] = [''];

  /** Where the next event begins: `length`, which the compiler knows here to be so small that what is added to it stays an integer. */
  get end(): number {
    return this.length & PLACES_MASK;
  }

  /** Makes room for `count` words. */
  reserve(count: number): void {
    if (this.length + count > this.words.length) this.grow(count);
  }

  private grow(count: number): void {
    const grown = new Float64Array(Math.max(this.words.length * 2, this.length + count));
    grown.set(this.words);
    this.words = grown;
  }

  text(value: string): number {
    if (value === '') return 0;
    this.texts.push(value);
    return this.texts.length - 1;
  }

  /** Writes one event by name; not for the hot path. */
  emit<K extends EventKind>(kind: K, fields: Fields<K>): void {
    const shape = SHAPES[KIND[kind]] as [keyof Fields<K> & string, FieldKind][];
    this.reserve(2 + shape.length);
    this.words[this.length++] = KIND[kind];
    this.words[this.length++] = shape.length;
    for (const [name, field] of shape) this.words[this.length++] = this.encode(field, fields[name]);
  }

  private encode(field: FieldKind, value: unknown): number {
    if (field === 'number') return value as number;
    if (field === 'boolean') return value === true ? 1 : 0;
    if (field === 'text') return this.text(value as string);
    if (field === 'entries') throw new Error('entries are written by the ledger');
    if ('oneOf' in field) return field.oneOf.indexOf(value as string);
    return this.text(JSON.stringify(value));
  }

  clear(): void {
    this.length = 0;
    this.texts = [''];
  }

  /** A copy of what was collected; the buffer is cleared. */
  take(): EventBatch {
    const batch = { words: this.words.slice(0, this.length), texts: this.texts };
    this.clear();
    return batch;
  }
}

/** Calls `visit` with the position of each event: words[at] is its kind, words[at + 1] its number of fields. */
export function forEachEvent(batch: EventBatch, visit: (kind: number, at: number) => void): void {
  for (let at = 0; at < batch.words.length; at += 2 + batch.words[at + 1]) visit(batch.words[at], at);
}

/** Where a field stands in an event's words, after kind and length. */
export const fieldOf = <K extends EventKind>(kind: K, field: keyof (typeof EVENTS)[K] & string): number => 2 + Object.keys(EVENTS[kind]).indexOf(field);

export function decodeEvent(batch: EventBatch, at: number): EngineEvent {
  const kind = EVENT_KINDS[batch.words[at]];
  const event: Record<string, unknown> = { kind };
  let cursor = at + 2;
  for (const [name, field] of SHAPES[batch.words[at]]) {
    event[name] = field === 'entries'
      ? Array.from(batch.words.subarray(at + 2, at + 2 + batch.words[at + 1]))
      : decodeField(batch, field, batch.words[cursor++]);
  }
  return event as EngineEvent;
}

function decodeField(batch: EventBatch, field: FieldKind, word: number): unknown {
  if (field === 'number' || field === 'entries') return word;
  if (field === 'boolean') return word === 1;
  if (field === 'text') return batch.texts[word];
  if ('oneOf' in field) return field.oneOf[word];
  return JSON.parse(batch.texts[word]) as unknown;
}

/** All events of a batch, decoded, in order. */
export function decodeEvents(batch: EventBatch): EngineEvent[] {
  const events: EngineEvent[] = [];
  forEachEvent(batch, (_, at) => events.push(decodeEvent(batch, at)));
  return events;
}
