/** The order ticket without a user interface: fields, reducer, errors, summary, and the body that is sent. */
import type { PriceLimits } from './bands.ts';
import type { Depth } from './book.ts';
import { formatScaled, fromTicks, parseScaled, PRICE_PLACES, QUANTITY_PLACES } from './decimal.ts';
import { MILLIS_PER_HOUR, type Phase } from './instrument.ts';
import { affordable, previewBlock, previewOrder, type HourQuote, type Preview } from './preview.ts';
import type { Role, TradingMode } from './wire.ts';

export type Side = 'buy' | 'sell';
export type OrderType = 'limit' | 'market' | 'stop' | 'stop_limit';
export type TimeInForce = 'gtc' | 'gtd' | 'ioc' | 'fok';

/** As typed; nothing is corrected under the person's hands. */
export interface TicketFields {
  side: Side;
  type: OrderType;
  price: string;
  quantity: string;
  timeInForce: TimeInForce;
  /** Local date and time of a good-till-date order, as the browser's field gives it. */
  expiresAt: string;
  postOnly: boolean;
  /** '' for any. */
  model: string;
  /** Of stop orders: the last price that sets them off. */
  stopPrice: string;
  /** Of icebergs: what of the quantity is shown; '' for all. */
  displayQuantity: string;
  /** The least the first execution must reach; '' for any. */
  minimumQuantity: string;
  /** Cancelled when the last connection of the company ends. */
  cancelOnDisconnect: boolean;
  /** The allocation that is offered for resale; '' for none. */
  resaleOf: string;
  /** One order over these hours; undefined: over the hour that is looked at. */
  hours: HourRange | undefined;
  /** Of blocks: the least part they take, in percent. */
  acceptancePercent: string;
}
/** Delivery hours: the first, and the one after the last. */
export interface HourRange {
  from: number;
  to: number;
}
const BLOCK_HOURS_MAX = 744;
export const EMPTY_TICKET: TicketFields = {
  side: 'buy',
  type: 'limit',
  price: '',
  quantity: '',
  timeInForce: 'gtc',
  expiresAt: '',
  postOnly: false,
  model: '',
  stopPrice: '',
  displayQuantity: '',
  minimumQuantity: '',
  cancelOnDisconnect: false,
  resaleOf: '',
  hours: undefined,
  acceptancePercent: '100',
};
/** A ticket as it was kept over a reload of the page; what is not of a ticket, or not kept, is as in an empty one. The address says the hours. */
export function restoredTicket(kept: string): TicketFields {
  try {
    const known = Object.entries(JSON.parse(kept) as object).filter(([name, value]) => name !== 'hours' && typeof value === typeof EMPTY_TICKET[name as keyof TicketFields]);
    return { ...EMPTY_TICKET, ...Object.fromEntries(known) };
  } catch {
    return EMPTY_TICKET;
  }
}

export const isStop = (type: OrderType): boolean => type === 'stop' || type === 'stop_limit';
/** Its price is a limit, not the protection that has a default. */
export const isPriced = (type: OrderType): boolean => type === 'limit' || type === 'stop_limit';
const mayRest = (fields: TicketFields): boolean => fields.timeInForce === 'gtc' || fields.timeInForce === 'gtd';

export type TicketAction =
  | { type: 'set'; fields: Partial<TicketFields> }
  /** A click on the ladder: takes the price; the side that would trade against it unless one is typing already. */
  | { type: 'pick'; price: number; quantity: number; side: Side }
  | { type: 'step'; field: 'price' | 'quantity'; by: number }
  /** A share of what the credit affords, in percent. */
  | { type: 'share'; percent: number; available: bigint; price: number }
  | { type: 'sent' }
  | { type: 'clear' };

const PLACES = { price: PRICE_PLACES, quantity: QUANTITY_PLACES } as const;

function stepped(text: string, field: 'price' | 'quantity', by: number): string {
  const places = PLACES[field];
  const now = parseScaled(text === '' ? '0' : text, places);
  if (now === undefined) return text;
  const next = now + BigInt(by);
  return formatScaled(next < 0n ? 0n : next, places, field === 'price' ? places : 0);
}

const NO_EXTRAS = { postOnly: false, displayQuantity: '', minimumQuantity: '' } as const;

/** Combinations the market refuses are put right here, so that the fields never contradict each other. */
function consistent(given: TicketFields): TicketFields {
  const fields = given.side === 'buy' ? { ...given, resaleOf: '' } : { ...given, model: '' };
  if (fields.hours !== undefined) {
    return { ...fields, ...NO_EXTRAS, type: 'limit', resaleOf: '', timeInForce: fields.timeInForce === 'gtd' ? 'gtc' : fields.timeInForce };
  }
  if (fields.type === 'market') return { ...fields, ...NO_EXTRAS, stopPrice: '', timeInForce: fields.timeInForce === 'fok' ? 'fok' : 'ioc' };
  if (isStop(fields.type)) return { ...fields, ...NO_EXTRAS };
  if (!mayRest(fields)) return { ...fields, postOnly: false, displayQuantity: '', stopPrice: '' };
  return { ...fields, stopPrice: '', minimumQuantity: fields.postOnly ? '' : fields.minimumQuantity };
}

export function reduceTicket(fields: TicketFields, action: TicketAction): TicketFields {
  switch (action.type) {
    case 'set': {
      const next = { ...fields, ...action.fields };
      const leavesMarket = action.fields.type !== undefined && action.fields.type !== 'market' && fields.type === 'market';
      return consistent(leavesMarket ? { ...next, timeInForce: 'gtc' } : next);
    }
    case 'pick':
      return consistent({
        ...fields,
        side: action.side,
        price: fromTicks(action.price),
        quantity: fields.quantity === '' ? formatScaled(action.quantity, QUANTITY_PLACES) : fields.quantity,
      });
    case 'step':
      return { ...fields, [action.field]: stepped(fields[action.field], action.field, action.by) };
    case 'share': {
      const steps = Math.floor(affordable((action.available * BigInt(action.percent)) / 100n, action.price) / hoursOf(fields));
      return { ...fields, quantity: formatScaled(steps, QUANTITY_PLACES) };
    }
    case 'sent':
      return { ...fields, quantity: '', displayQuantity: '', minimumQuantity: '', resaleOf: '' };
    case 'clear':
      return { ...EMPTY_TICKET, cancelOnDisconnect: fields.cancelOnDisconnect };
  }
}

export const hoursOf = (fields: Pick<TicketFields, 'hours'>): number => (fields.hours === undefined ? 1 : fields.hours.to - fields.hours.from);

/** Everything around the ticket that decides whether it can be sent. */
export interface TicketContext {
  depth: Depth;
  mode: TradingMode;
  phase: Phase;
  role: Role | undefined;
  /** Micro-CR that bids may hold, and what the lender has blocked of it. */
  available: bigint | undefined;
  frozen: bigint;
  /** What the hour takes; undefined while it is not known. */
  limits: PriceLimits | undefined;
  feedLive: boolean;
  /** What the curve shows of the hours of a block, in their order. */
  quotes?: readonly HourQuote[];
}

export type TicketProblemField = 'price' | 'quantity' | 'expires_at' | 'stop_price' | 'display_quantity' | 'minimum_quantity' | 'acceptance';
export interface TicketProblem {
  field: TicketProblemField | undefined;
  message: string;
}
export interface TicketSummary {
  /** Undefined while price or quantity is not usable. */
  preview: Preview | undefined;
  /** Ticks and steps as typed. */
  price: number | undefined;
  quantity: number | undefined;
  stopPrice: number | undefined;
  creditAfter: bigint | undefined;
  /** Why the button is disabled; the first is shown on it. Empty: it can be sent. */
  problems: readonly TicketProblem[];
  /** Nothing was typed yet: problems about empty fields are not shown in red. */
  untouched: boolean;
}

/** How far beyond the best price a market order may trade unless told otherwise, in percent. */
const PROTECTION_PERCENT = 5;

/** Ticks: the protection price a market order gets when the field is empty. */
export function defaultProtection(depth: Depth, side: Side): number | undefined {
  const best = side === 'buy' ? depth.asks[0]?.price : depth.bids[0]?.price;
  return best === undefined ? undefined : protectionOf(best, side);
}

/** Ticks: so far beyond a price may an order trade that has no limit of its own. */
const protectionOf = (price: number, side: Side): number =>
  side === 'buy' ? Math.floor((price * (100 + PROTECTION_PERCENT)) / 100) : Math.ceil((price * (100 - PROTECTION_PERCENT)) / 100);

interface Parsed {
  value: number | undefined;
  problem: TicketProblem | undefined;
}

const NAMES: Record<'price' | 'quantity', string> = { price: 'Price', quantity: 'Quantity' };

interface ParseAs {
  /** What the problem is about. */
  field: TicketProblemField;
  kind: 'price' | 'quantity';
  /** The problem of an empty field; undefined: it may be empty. */
  empty: string | undefined;
}

function parseField(text: string, { field, kind, empty }: ParseAs): Parsed {
  if (text === '') return { value: undefined, problem: empty === undefined ? undefined : { field, message: empty } };
  const places = PLACES[kind];
  const refused = (message: string): Parsed => ({ value: undefined, problem: { field, message } });
  if (!/^\d+(\.\d*)?$|^\.\d+$/.test(text)) return refused('Digits and a point only');
  const scaled = parseScaled(text.replace(/^\./, '0.').replace(/\.$/, ''), places);
  if (scaled === undefined) return refused(kind === 'price' ? 'Price goes in steps of 0.0001' : 'Quantity goes in steps of 0.01');
  if (scaled === 0n) return refused(`${NAMES[kind]} must be above zero`);
  if (scaled > BigInt(Number.MAX_SAFE_INTEGER)) return refused('Too large');
  return { value: Number(scaled), problem: undefined };
}

function marketProblem(context: TicketContext): string | undefined {
  if (context.mode === 'halted') return 'This market is halted';
  if (context.mode === 'cancel_only') return 'This market takes cancels only';
  if (context.phase === 'over') return 'This hour is over';
  if (context.phase === 'unlisted') return 'This hour is not listed yet';
  if (!context.feedLive) return 'Waiting for live prices';
  return undefined;
}

function accountProblem(fields: TicketFields, context: TicketContext): string | undefined {
  if (context.role === undefined) return 'Log in to trade';
  if (context.role === 'lender' || context.role === 'operator') return `A ${context.role} account does not trade`;
  if (context.role === 'provider' && fields.side === 'buy') return 'Providers sell; bids need a borrower account';
  if (context.role === 'borrower' && fields.side === 'sell' && fields.resaleOf === '') return 'Resell an allocation: choose it below';
  return undefined;
}

/** Ticks: the limit as typed, or the default protection of orders that trade at the market. */
function priceOf(fields: TicketFields, context: TicketContext, stopPrice: number | undefined): Parsed {
  if (fields.price !== '' || isPriced(fields.type)) return parseField(fields.price, { field: 'price', kind: 'price', empty: 'Enter a price' });
  if (fields.type === 'stop') return { value: stopPrice === undefined ? undefined : protectionOf(stopPrice, fields.side), problem: undefined };
  const protection = defaultProtection(context.depth, fields.side);
  return { value: protection, problem: protection === undefined ? { field: 'price', message: 'Nothing to trade against' } : undefined };
}

/** What of the credit bids may hold: the lender's part is not. */
export function spendableOf({ available, frozen }: Pick<TicketContext, 'available' | 'frozen'>): bigint | undefined {
  if (available === undefined) return undefined;
  return available > frozen ? available - frozen : 0n;
}

export function summarise(fields: TicketFields, context: TicketContext): TicketSummary {
  const problems: TicketProblem[] = [];
  const general = marketProblem(context) ?? accountProblem(fields, context);
  if (general !== undefined) problems.push({ field: undefined, message: general });
  const stop = parseField(fields.stopPrice, { field: 'stop_price', kind: 'price', empty: isStop(fields.type) ? 'Enter the stop price' : undefined });
  const price = priceOf(fields, context, stop.value);
  const quantity = parseField(fields.quantity, { field: 'quantity', kind: 'quantity', empty: 'Enter a quantity' });
  for (const parsed of [stop, quantity, price]) if (parsed.problem !== undefined) problems.push(parsed.problem);
  problems.push(...extraProblems(fields, quantity.value));
  const preview = price.value === undefined || quantity.value === undefined ? undefined : previewOf(fields, context, price.value, quantity.value);
  if (preview !== undefined) problems.push(...orderProblems(fields, context, preview, price.value ?? 0));
  const spendable = spendableOf(context);
  const creditAfter = preview === undefined || spendable === undefined || fields.side === 'sell' ? undefined : spendable - preview.reserved;
  return { preview, price: price.value, quantity: quantity.value, stopPrice: stop.value, creditAfter, problems, untouched: fields.quantity === '' && fields.price === '' };
}

function previewOf(fields: TicketFields, context: TicketContext, price: number, quantity: number): Preview {
  const { side, timeInForce, postOnly } = fields;
  if (fields.hours !== undefined) return previewBlock(context.quotes ?? [], { side, price, quantity, hours: hoursOf(fields), timeInForce });
  return previewOrder(context.depth, { side, type: fields.type, price, quantity, timeInForce, postOnly });
}

/** What is wrong with the fields that not every order has. */
function extraProblems(fields: TicketFields, quantity: number | undefined): TicketProblem[] {
  const problems: TicketProblem[] = [];
  if (fields.timeInForce === 'gtd' && fields.expiresAt === '') problems.push({ field: 'expires_at', message: 'Enter when the order expires' });
  for (const [field, text] of [['display_quantity', fields.displayQuantity], ['minimum_quantity', fields.minimumQuantity]] as const) {
    const parsed = parseField(text, { field, kind: 'quantity', empty: undefined });
    if (parsed.problem !== undefined) problems.push(parsed.problem);
    else if (parsed.value !== undefined && quantity !== undefined && parsed.value > quantity) problems.push({ field, message: 'At most the quantity' });
  }
  if (fields.hours !== undefined && !/^(100|[1-9]\d?)$/.test(fields.acceptancePercent)) problems.push({ field: 'acceptance', message: 'A whole percentage from 1 to 100' });
  if (fields.hours !== undefined && (hoursOf(fields) < 2 || hoursOf(fields) > BLOCK_HOURS_MAX)) problems.push({ field: undefined, message: `A block has 2 to ${BLOCK_HOURS_MAX} hours` });
  return problems;
}

/** A block's price is an average over its hours, whose bands differ; list price bounds each of them. */
function beyondLimits(fields: TicketFields, price: number, limits: PriceLimits): string | undefined {
  if (fields.side === 'sell' && price > limits.askMaximum) return `An ask may not exceed the list price ${fromTicks(limits.askMaximum)}`;
  if (fields.hours !== undefined) return undefined;
  if (fields.side === 'sell' && price < limits.askMinimum) return `Below the band: asks from ${fromTicks(limits.askMinimum)}`;
  return fields.side === 'buy' && price > limits.bidMaximum ? `Above the band: bids up to ${fromTicks(limits.bidMaximum)}` : undefined;
}

function orderProblems(fields: TicketFields, context: TicketContext, preview: Preview, price: number): TicketProblem[] {
  const problems: TicketProblem[] = [];
  const outside = context.limits === undefined ? undefined : beyondLimits(fields, price, context.limits);
  if (outside !== undefined) problems.push({ field: 'price', message: outside });
  if (fields.side === 'buy' && context.available !== undefined && preview.reserved > context.available - context.frozen) {
    const isFrozen = preview.reserved <= context.available;
    problems.push({ field: 'quantity', message: isFrozen ? 'The lender has frozen this credit' : 'Not enough available credit' });
  }
  if (fields.postOnly && preview.wouldCross) problems.push({ field: 'price', message: 'Post-only, but this price would trade at once' });
  if (fields.type === 'market' && preview.filled === 0) problems.push({ field: undefined, message: 'Nothing to trade against within the protection price' });
  return problems;
}

/** The body of POST /orders. Call only when the summary has no problems. */
export interface OrderBody {
  instrument: string;
  side: Side;
  type: OrderType;
  price: string;
  quantity: string;
  time_in_force: TimeInForce;
  post_only: boolean;
  cancel_on_disconnect: boolean;
  expires_at?: string;
  model?: string;
  stop_price?: string;
  display_quantity?: string;
  minimum_quantity?: string;
  resale_of?: string;
}

const quantityText = (steps: number | undefined): string => formatScaled(steps ?? 0, QUANTITY_PLACES);

export function orderBody(fields: TicketFields, summary: TicketSummary, instrument: string): OrderBody {
  const optional = { model: fields.model, stop_price: summary.stopPrice === undefined ? '' : fromTicks(summary.stopPrice), display_quantity: fields.displayQuantity, minimum_quantity: fields.minimumQuantity, resale_of: fields.resaleOf };
  return {
    instrument,
    side: fields.side,
    type: fields.type,
    price: fromTicks(summary.price ?? 0),
    quantity: quantityText(summary.quantity),
    time_in_force: fields.timeInForce,
    post_only: fields.postOnly,
    cancel_on_disconnect: fields.cancelOnDisconnect,
    ...(fields.timeInForce === 'gtd' ? { expires_at: new Date(fields.expiresAt).toISOString() } : {}),
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== '')),
  };
}

/** The body of POST /blocks. */
export function blockBody(fields: TicketFields, summary: TicketSummary, market: { class: string; region: string }): object {
  const { from, to } = fields.hours ?? { from: 0, to: 0 };
  return {
    class: market.class,
    region: market.region,
    start_at: new Date(from * MILLIS_PER_HOUR).toISOString(),
    end_at: new Date(to * MILLIS_PER_HOUR).toISOString(),
    side: fields.side,
    price: fromTicks(summary.price ?? 0),
    quantity: quantityText(summary.quantity),
    time_in_force: fields.timeInForce,
    ...(fields.side === 'buy' ? { minimum_acceptance_ratio: formatScaled(BigInt(fields.acceptancePercent), 2) } : {}),
    ...(fields.model === '' ? {} : { model: fields.model }),
  };
}
