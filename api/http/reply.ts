/** How answers and errors of the exchange are written. */
import type { Response } from 'express';
import { isDatabaseAway } from '../../db/away.ts';
import { ApiError, GatewayError } from '../errors.ts';
import { Unavailable } from '../sequencer/port.ts';
import type { Reply } from './route.ts';

export function sendReply(response: Response, reply: Reply): void {
  if (response.headersSent) return;
  response.statusCode = reply.status;
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
  if (reply.body === undefined) return void response.end();
  if (!response.hasHeader('content-type')) response.setHeader('content-type', 'application/json; charset=utf-8');
  // As text, so that head and body leave in one write.
  const text = typeof reply.body === 'string' || Buffer.isBuffer(reply.body) ? reply.body : JSON.stringify(reply.body);
  response.setHeader('content-length', Buffer.byteLength(text));
  response.end(text);
}

/** An error as a client may see it: nothing of an unexpected one. */
export function publicError(error: unknown): ApiError | GatewayError {
  if (error instanceof ApiError || error instanceof GatewayError) return error;
  if (error instanceof Unavailable) return new ApiError('unavailable', { retryAfterSeconds: error.retryAfterSeconds });
  if (isDatabaseAway(error)) return new ApiError('unavailable', { retryAfterSeconds: 1 });
  if (error instanceof URIError) return new ApiError('invalid_request', { values: { detail: 'The address is not valid.' } });
  return new ApiError('internal_error');
}

/** What nobody expected is an error of ours; that the market cannot be used at present is told by what keeps it. */
export const levelOf = ({ status }: ApiError | GatewayError): 'error' | 'warn' => (status === 500 ? 'error' : 'warn');

export function sendError(response: Response, error: ApiError | GatewayError, requestId: string): void {
  const retryAfter = error.retryAfterSeconds ?? (error.status === 429 || error.status === 503 ? 1 : undefined);
  const headers: Record<string, string> = retryAfter === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfter)) };
  if (error.status === 401) headers['www-authenticate'] = 'Bearer';
  sendReply(response, { status: error.status, headers, body: asApiError(error, requestId) });
}

function asApiError(error: ApiError | GatewayError, requestId: string): object {
  if (error instanceof ApiError) return error.body(requestId);
  return { error: { code: error.code, message: error.message, request_id: requestId } };
}
