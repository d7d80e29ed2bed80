/** The order ticket without a user interface: fields, reducer, errors, summary, and the body that is sent. */
import type { Depth } from './book.ts';
import { formatScaled, fromTicks, parseScaled, PRICE_PLACES, QUANTITY_PLACES } from './decimal.ts';
import type { Phase } from './instrument.ts';
import { affordable, previewOrder, type Preview } from './preview.ts';

export type Side = 'buy' | 'sell';
export type OrderType = 'limit' | 'market';
export type TimeInForce = 'gtc' | 'gtd' | 'ioc' | 'fok';
export type TradingMode = 'open' | 'auction' | 'cancel_only' | 'halted';
export type Role = 'borrower' | 'provider' | 'lender' | 'operator';

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
}
export const EMPTY_TICKET: TicketFields = {
  side: 'buy',
  type: 'limit',
  price: '',
  quantity: '',
  timeInForce: 'gtc',
  expiresAt: '',
  postOnly: false,
  model: '',
};

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

/** Combinations the market refuses are put right here, so that the fields never contradict each other. */
function consistent(fields: TicketFields): TicketFields {
  if (fields.type === 'market') return { ...fields, postOnly: false, timeInForce: fields.timeInForce === 'fok' ? 'fok' : 'ioc' };
  if (fields.timeInForce === 'ioc' || fields.timeInForce === 'fok') return { ...fields, postOnly: false };
  return fields;
}

export function reduceTicket(fields: TicketFields, action: TicketAction): TicketFields {
  switch (action.type) {
    case 'set': {
      const next = { ...fields, ...action.fields };
      const leavesMarket = action.fields.type === 'limit' && fields.type === 'market';
      return consistent(leavesMarket ? { ...next, timeInForce: 'gtc' } : next);
    }
    case 'pick':
      return {
        ...fields,
        side: action.side,
        price: fromTicks(action.price),
        quantity: fields.quantity === '' ? formatScaled(action.quantity, QUANTITY_PLACES) : fields.quantity,
      };
    case 'step':
      return { ...fields, [action.field]: stepped(fields[action.field], action.field, action.by) };
    case 'share': {
      const steps = affordable((action.available * BigInt(action.percent)) / 100n, action.price);
      return { ...fields, quantity: formatScaled(steps, QUANTITY_PLACES) };
    }
    case 'sent':
      return { ...fields, quantity: '' };
    case 'clear':
      return EMPTY_TICKET;
  }
}

/** Everything around the ticket that decides whether it can be sent. */
export interface TicketContext {
  depth: Depth;
  mode: TradingMode;
  phase: Phase;
  role: Role | undefined;
  /** Micro-CR that bids may hold, and what the lender has blocked of it. */
  available: bigint | undefined;
  frozen: bigint;
  /** Ticks; an ask may not exceed it. */
  listPrice: number | undefined;
  feedLive: boolean;
}

export interface TicketProblem {
  field: 'price' | 'quantity' | 'expires_at' | undefined;
  message: string;
}
export interface TicketSummary {
  /** Undefined while price or quantity is not usable. */
  preview: Preview | undefined;
  /** Ticks and steps as typed. */
  price: number | undefined;
  quantity: number | undefined;
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
  if (best === undefined) return undefined;
  return side === 'buy' ? Math.floor((best * (100 + PROTECTION_PERCENT)) / 100) : Math.ceil((best * (100 - PROTECTION_PERCENT)) / 100);
}

interface Parsed {
  value: number | undefined;
  problem: TicketProblem | undefined;
}

function parseField(text: string, field: 'price' | 'quantity', empty: string): Parsed {
  if (text === '') return { value: undefined, problem: { field, message: empty } };
  const places = PLACES[field];
  if (!/^\d+(\.\d*)?$|^\.\d+$/.test(text)) return { value: undefined, problem: { field, message: 'Digits and a point only' } };
  const scaled = parseScaled(text.replace(/^\./, '0.').replace(/\.$/, ''), places);
  if (scaled === undefined) return { value: undefined, problem: { field, message: field === 'price' ? 'Price goes in steps of 0.0001' : 'Quantity goes in steps of 0.01' } };
  if (scaled === 0n) return { value: undefined, problem: { field, message: `${field === 'price' ? 'Price' : 'Quantity'} must be above zero` } };
  if (scaled > BigInt(Number.MAX_SAFE_INTEGER)) return { value: undefined, problem: { field, message: 'Too large' } };
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
  if (context.role === 'borrower' && fields.side === 'sell') return 'Providers sell; an allocation is resold through the API';
  return undefined;
}

export function summarise(fields: TicketFields, context: TicketContext): TicketSummary {
  const problems: TicketProblem[] = [];
  const general = marketProblem(context) ?? accountProblem(fields, context);
  if (general !== undefined) problems.push({ field: undefined, message: general });
  const protection = fields.type === 'market' && fields.price === '' ? defaultProtection(context.depth, fields.side) : undefined;
  const price: Parsed = protection === undefined ? parseField(fields.price, 'price', fields.type === 'market' ? 'Nothing to trade against' : 'Enter a price') : { value: protection, problem: undefined };
  const quantity = parseField(fields.quantity, 'quantity', 'Enter a quantity');
  for (const parsed of [quantity, price]) if (parsed.problem !== undefined) problems.push(parsed.problem);
  if (fields.timeInForce === 'gtd' && fields.expiresAt === '') problems.push({ field: 'expires_at', message: 'Enter when the order expires' });
  const preview =
    price.value === undefined || quantity.value === undefined
      ? undefined
      : previewOrder(context.depth, { side: fields.side, type: fields.type, price: price.value, quantity: quantity.value, timeInForce: fields.timeInForce, postOnly: fields.postOnly });
  if (preview !== undefined) problems.push(...orderProblems(fields, context, preview, price.value ?? 0));
  const creditAfter = preview === undefined || context.available === undefined || fields.side === 'sell' ? undefined : context.available - preview.reserved;
  return { preview, price: price.value, quantity: quantity.value, creditAfter, problems, untouched: fields.quantity === '' && fields.price === '' };
}

function orderProblems(fields: TicketFields, context: TicketContext, preview: Preview, price: number): TicketProblem[] {
  const problems: TicketProblem[] = [];
  if (fields.side === 'sell' && context.listPrice !== undefined && price > context.listPrice) {
    problems.push({ field: 'price', message: `An ask may not exceed the list price ${fromTicks(context.listPrice)}` });
  }
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
  expires_at?: string;
  model?: string;
}

export function orderBody(fields: TicketFields, summary: TicketSummary, instrument: string): OrderBody {
  return {
    instrument,
    side: fields.side,
    type: fields.type,
    price: fromTicks(summary.price ?? 0),
    quantity: formatScaled(summary.quantity ?? 0, QUANTITY_PLACES),
    time_in_force: fields.timeInForce,
    post_only: fields.postOnly,
    ...(fields.timeInForce === 'gtd' ? { expires_at: new Date(fields.expiresAt).toISOString() } : {}),
    ...(fields.model === '' ? {} : { model: fields.model }),
  };
}
