/** How answers and errors are written: one shape for the exchange, OpenAI's for its paths. */
import type { Response } from 'express';
import { ApiError, GATEWAY_ERRORS, GatewayError } from '../errors.ts';
import type { ErrorCode, GatewayErrorCode } from '../errors.ts';
import { Unavailable } from '../sequencer/port.ts';
import type { Reply } from './route.ts';

export function sendReply(response: Response, reply: Reply): void {
  if (response.headersSent) return;
  response.statusCode = reply.status;
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
  if (reply.body === undefined) return void response.end();
  if (!response.hasHeader('content-type')) response.setHeader('content-type', 'application/json; charset=utf-8');
  // As text, so that head and body leave in one write.
  const text = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body);
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

/** Connection failures of Postgres, the classes 08 (connection) and 57P (shutdown), and a pool that has none left. */
function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return code.startsWith('08') || code.startsWith('57P') || code === '53300' || code === 'ECONNREFUSED' || code === 'ECONNRESET'
    || error.name === 'KnexTimeoutError' || error.message.startsWith('Connection terminated');
}

/** @param openai the path is one of OpenAI's */
export function sendError(response: Response, error: ApiError | GatewayError, requestId: string, openai: boolean): void {
  const retryAfter = error.retryAfterSeconds ?? (error.status === 429 || error.status === 503 ? 1 : undefined);
  const headers: Record<string, string> = retryAfter === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfter)) };
  if (error.status === 401) headers['www-authenticate'] = 'Bearer';
  sendReply(response, { status: error.status, headers, body: openai ? asGatewayError(error) : asApiError(error, requestId) });
}

function asApiError(error: ApiError | GatewayError, requestId: string): object {
  if (error instanceof ApiError) return error.body(requestId);
  return { error: { code: error.code, message: error.message, request_id: requestId } };
}

/** Codes of the exchange that have another name on OpenAI's paths. */
const OPENAI_CODES: Partial<Record<ErrorCode, GatewayErrorCode>> = {
  unauthenticated: 'invalid_api_key',
  invalid_request: 'invalid_request_error',
  invalid_json: 'invalid_request_error',
  nesting_too_deep: 'invalid_request_error',
  unsupported_media_type: 'invalid_request_error',
  unavailable: 'provider_unavailable',
};

/** OpenAI's clients know its types; a code of ours that is none of theirs keeps its name. */
function asGatewayError(error: ApiError | GatewayError): object {
  if (error instanceof GatewayError) return error.body();
  const code = OPENAI_CODES[error.code] ?? error.code;
  const type = code in GATEWAY_ERRORS ? GATEWAY_ERRORS[code as GatewayErrorCode].type : error.status >= 500 ? 'api_error' : 'invalid_request_error';
  return { error: { message: error.message, type, param: error.field ?? null, code } };
}
