/**
 * Every error a client can see: its stable code, its HTTP status, its message. docs/errors.md lists
 * the same codes; a test keeps the two equal.
 *
 * A message may name values in braces; `ApiError` fills them in.
 */
import type { RejectCode } from '../engine/catalogue.ts';

export interface ErrorSpec {
  status: number;
  message: string;
}

/** What the engine refuses. The keys are its catalogue: a code added there must be described here. */
const ENGINE_ERRORS = {
  halted: { status: 422, message: 'Trading is halted here.' },
  cancel_only: { status: 422, message: 'Only cancels are accepted here at present.' },
  instrument_unknown: { status: 422, message: 'There is no such instrument, or its hour is not listed.' },
  gate_closed: { status: 422, message: 'The gate of this hour has closed.' },
  invalid_tick: { status: 422, message: 'The price is not a multiple of 0.0001.' },
  invalid_step: { status: 422, message: 'The quantity is not a multiple of 0.01.' },
  amount_out_of_range: { status: 422, message: 'The amount is zero, or beyond the accepted range.' },
  not_authorized: { status: 422, message: 'This company may not do that.' },
  facility_frozen: { status: 422, message: 'The credit this needs is frozen by the lender.' },
  facility_not_active: { status: 422, message: 'The facility is not active.' },
  past_due: { status: 422, message: 'A payment is past due.' },
  price_band: { status: 422, message: 'The price is outside the band around the reference price.' },
  above_list_price: { status: 422, message: 'An ask may not exceed the list price of its class.' },
  too_many_orders: { status: 422, message: 'The company has too many open orders.' },
  rate_limited: { status: 422, message: 'The account sends orders faster than it may.' },
  duplicate_client_order_id: { status: 422, message: 'This client order id was used before.' },
  day_notional: { status: 422, message: 'The purchases of this day would exceed their limit.' },
  insufficient_credits: { status: 422, message: 'Not enough credits are available.' },
  insufficient_capacity: { status: 422, message: 'The verified capacity does not cover this offer; in the running hour, with k minutes left, a quantity occupies 60/k as many GPUs.' },
  bond_insufficient: { status: 422, message: 'The bond does not cover this offer.' },
  concentration: { status: 422, message: 'Too much of the facility would be spent with one provider group.' },
  exposure: { status: 422, message: 'The unsecured exposure would exceed its limit.' },
  post_only_would_cross: { status: 422, message: 'A post-only order may not trade on entry.' },
  self_trade: { status: 422, message: 'The order would trade with the same group.' },
  minimum_quantity: { status: 422, message: 'The minimum quantity cannot be met.' },
  unknown_order: { status: 404, message: 'There is no such order.' },
  unknown_company: { status: 404, message: 'There is no such company.' },
  unknown_facility: { status: 404, message: 'There is no such facility.' },
  unknown_lot: { status: 404, message: 'There is no such lot.' },
  unknown_allocation: { status: 404, message: 'There is no such allocation.' },
  invalid_state: { status: 409, message: 'The present state does not allow that.' },
  invalid_parameter: { status: 422, message: 'A value is not acceptable here.' },
  insufficient_funds: { status: 422, message: 'Not enough money is available.' },
  limit_exceeded: { status: 422, message: 'That would exceed the limit.' },
  draws_stopped: { status: 422, message: 'Draws are stopped at present.' },
  mints_stopped: { status: 422, message: 'No credits are minted at present.' },
  payouts_stopped: { status: 422, message: 'Payouts are stopped at present.' },
  guard_violated: { status: 422, message: 'The redemption rate would not be covered.' },
  no_mandate: { status: 422, message: 'No lender has a mandate that fits.' },
  declined: { status: 422, message: 'The application was declined.' },
  credits_blocked: { status: 422, message: 'The credits this needs are blocked.' },
  budget_exhausted: { status: 422, message: 'The allocation is used up.' },
  idempotency_mismatch: { status: 409, message: 'This Idempotency-Key was used with another request.' },
  unknown_mandate: { status: 404, message: 'There is no such mandate.' },
} as const satisfies Record<RejectCode, ErrorSpec>;

/** What is refused before a command exists. */
const HTTP_ERRORS = {
  invalid_request: { status: 400, message: '{detail}' },
  invalid_json: { status: 400, message: 'The body is not valid JSON.' },
  nesting_too_deep: { status: 400, message: 'The body is nested more than {limit} levels deep.' },
  duplicate_key: { status: 400, message: 'The body names "{name}" twice in one object.' },
  invalid_cursor: { status: 400, message: 'The cursor is not one this list has given out.' },
  invalid_idempotency_key: { status: 400, message: 'An Idempotency-Key is 1 to 255 visible ASCII characters.' },
  unsupported_media_type: { status: 400, message: 'Send the body as {expected}, in UTF-8; under /v1 it may be compressed by gzip or br, elsewhere not.' },
  unauthenticated: { status: 401, message: 'Send a key as "Authorization: Bearer KEY", or log in.' },
  invalid_api_key: { status: 401, message: 'The key is not valid.' },
  expired_api_key: { status: 401, message: 'The key has expired.' },
  invalid_credentials: { status: 401, message: 'The email or the password is wrong.' },
  insufficient_scope: { status: 403, message: 'This needs the scope "{scope}".' },
  role_not_allowed: { status: 403, message: 'This is for: {roles}.' },
  ip_not_allowed: { status: 403, message: 'The key may not be used from this address.' },
  cross_site: { status: 403, message: 'A session may not be used from another site; send a same-origin request.' },
  not_found: { status: 404, message: 'There is nothing here.' },
  method_not_allowed: { status: 405, message: 'This path does not take {method}.' },
  order_closed: { status: 409, message: 'The order is not in the market any more.' },
  email_taken: { status: 409, message: 'This email is already registered.' },
  clock_not_manual: { status: 409, message: 'The clock runs by itself; start with CLOCK=manual to move it.' },
  clock_backwards: { status: 409, message: 'Time does not go back.' },
  request_too_large: { status: 413, message: 'The body is larger than {limit} bytes.' },
  uri_too_long: { status: 414, message: 'The address is too long.' },
  endpoint_not_allowed: { status: 422, message: 'The endpoint has an address that is not allowed: {detail}' },
  csv_invalid: { status: 422, message: 'Line {line}: {detail}' },
  rate_limit_exceeded: { status: 429, message: 'Too many requests; try again after {seconds} s.' },
  internal_error: { status: 500, message: 'Something went wrong on our side.' },
  unavailable: { status: 503, message: 'This cannot be done at the moment; try again.' },
} as const satisfies Record<string, ErrorSpec>;

export const API_ERRORS = { ...ENGINE_ERRORS, ...HTTP_ERRORS };
export type ErrorCode = keyof typeof API_ERRORS;

/** What the OpenAI-compatible paths answer; `type` is the word that OpenAI's clients know. */
export const GATEWAY_ERRORS = {
  invalid_request_error: { status: 400, type: 'invalid_request_error', message: '{detail}' },
  context_length_exceeded: { status: 400, type: 'invalid_request_error', message: 'The request exceeds the context of {limit} tokens of this model.' },
  invalid_api_key: { status: 401, type: 'authentication_error', message: 'The key is not valid.' },
  expired_api_key: { status: 401, type: 'authentication_error', message: 'The key has expired.' },
  insufficient_credits: { status: 402, type: 'insufficient_quota', message: 'Not enough credits are available.' },
  budget_exceeded: { status: 402, type: 'insufficient_quota', message: 'The {limit} is used up.' },
  credits_blocked: { status: 402, type: 'insufficient_quota', message: 'The credits that would pay for this are blocked by the lender.' },
  insufficient_scope: { status: 403, type: 'permission_error', message: 'The key lacks the scope "inference".' },
  ip_not_allowed: { status: 403, type: 'permission_error', message: 'The key may not be used from this address.' },
  model_not_allowed: { status: 403, type: 'permission_error', message: 'The key may not use the model "{model}".' },
  model_not_found: { status: 404, type: 'invalid_request_error', message: 'The model "{model}" does not exist.' },
  request_too_large: { status: 413, type: 'invalid_request_error', message: 'The body is larger than {limit} bytes.' },
  rate_limit_exceeded: { status: 429, type: 'rate_limit_error', message: '{detail}' },
  capacity_exhausted: { status: 429, type: 'rate_limit_error', message: 'No capacity for this model is to be had at the moment.' },
  provider_error: { status: 502, type: 'api_error', message: 'The provider answered with an error.' },
  provider_unavailable: { status: 503, type: 'api_error', message: 'No endpoint that serves this model can be reached.' },
  provider_timeout: { status: 504, type: 'api_error', message: 'The provider did not answer in time.' },
} as const satisfies Record<string, ErrorSpec & { type: string }>;
export type GatewayErrorCode = keyof typeof GATEWAY_ERRORS;

type Values = Record<string, string | number>;
const fill = (template: string, values: Values): string =>
  template.replace(/\{([a-z_]+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));

export interface ErrorDetails {
  /** Path of the field at fault, as the client wrote it. */
  field?: string;
  /** What stands in the braces of the message. */
  values?: Values;
  /** A sentence that follows the message. */
  because?: string;
  /** Infinity: no wait would help. */
  retryAfterSeconds?: number;
}

/** Thrown by a handler of the exchange; becomes `{"error": {"code", "message", "field"?, "request_id"}}`. */
export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly field: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, details: ErrorDetails = {}) {
    super(fill(API_ERRORS[code].message, details.values ?? {}) + (details.because === undefined ? '' : ` ${details.because}`));
    this.name = 'ApiError';
    this.code = code;
    this.status = API_ERRORS[code].status;
    this.field = details.field;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }

  /** The body of the answer. */
  body(requestId: string): ErrorBody {
    return { error: { code: this.code, message: this.message, ...(this.field === undefined ? {} : { field: this.field }), request_id: requestId } };
  }
}

export interface ErrorBody {
  error: { code: ErrorCode; message: string; field?: string; request_id: string };
}

/** Thrown on the OpenAI-compatible paths; becomes OpenAI's error object. */
export class GatewayError extends Error {
  readonly code: GatewayErrorCode;
  readonly status: number;
  readonly type: string;
  readonly param: string | null;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: GatewayErrorCode, details: ErrorDetails = {}) {
    super(fill(GATEWAY_ERRORS[code].message, details.values ?? {}));
    this.name = 'GatewayError';
    this.code = code;
    this.status = GATEWAY_ERRORS[code].status;
    this.type = GATEWAY_ERRORS[code].type;
    this.param = details.field ?? null;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }

  body(): GatewayErrorBody {
    return { error: { message: this.message, type: this.type, param: this.param, code: this.code } };
  }
}

export interface GatewayErrorBody {
  error: { message: string; type: string; param: string | null; code: GatewayErrorCode };
}
