/** What goes over a socket: requests, acknowledgements, messages, and why a connection is closed. */
import { z } from 'zod';
import type { ErrorCode } from '../errors.ts';
import { INTERVALS } from '../market/candles.ts';

export const MARKET_CHANNELS = ['book', 'trades', 'ticker', 'candles', 'curve', 'status'] as const;
export type MarketChannel = (typeof MARKET_CHANNELS)[number];
export const ACCOUNT_CHANNELS = ['orders', 'fills', 'balances', 'allocations', 'facility', 'warnings'] as const;
export type AccountChannel = (typeof ACCOUNT_CHANNELS)[number];

const address = { channel: z.string().max(32), instrument: z.string().min(1).max(200).nullish() };
/** `interval` is of candles; `model` of a book: only asks whose provider serves it. */
const narrowed = { ...address, interval: z.enum(INTERVALS).optional(), model: z.string().min(1).max(200).nullish() };
export const subscribeSchema = z.object(narrowed);
export const unsubscribeSchema = z.object(address);
export const resumeSchema = z.object({ ...narrowed, since_seq: z.number().int().nonnegative() });
export type SubscribeRequest = z.infer<typeof subscribeSchema> & { since_seq?: number };

/**
 * One message of a subscription. `seq` is the last command that its data include; `prev_seq` is the `seq`
 * of the message before it in the same subscription, null in the first. A snapshot replaces all that was
 * received before it.
 */
export interface Message {
  channel: string;
  instrument: string | null;
  seq: number;
  prev_seq: number | null;
  /** Engine time, RFC 3339. */
  ts: string;
  type: 'snapshot' | 'update';
  data: unknown;
}

export type Acknowledgement =
  | { ok: true; channel: string; instrument: string | null }
  | { ok: false; error: { code: ErrorCode; message: string; field?: string } };

/** Sent as `closed {code, message}` before the server ends a connection. */
export const CLOSE_REASONS = {
  slow_consumer: 'The connection has not taken what was sent for too long.',
  too_many_requests: 'The connection sends more requests than it may.',
  revoked: 'The key or the session of this connection has ended.',
  expired: 'The key of this connection has expired.',
  server_closing: 'The server is closing; connect again in a moment.',
} as const;
export type CloseCode = keyof typeof CLOSE_REASONS;
