/** The one error that leaves the api client: a stable code, a sentence for people, the field it is about. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly field: string | undefined;
  readonly requestId: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(init: { status: number; code: string; message: string; field?: string; requestId?: string; retryAfterSeconds?: number }) {
    super(init.message);
    this.name = 'ApiError';
    this.status = init.status;
    this.code = init.code;
    this.field = init.field;
    this.requestId = init.requestId;
    this.retryAfterSeconds = init.retryAfterSeconds;
  }
}

/** No answer at all: the network, or the server, is away. */
export const NETWORK = 'network_unreachable';
/** An answer in a shape that is not the contract's. */
export const MALFORMED = 'malformed_response';

export const toApiError = (cause: unknown): ApiError =>
  cause instanceof ApiError ? cause : new ApiError({ status: 0, code: NETWORK, message: 'The exchange cannot be reached. Check the connection; this page retries by itself.' });

/** What a person can do about a refusal; the server's own message stands where a code has no entry. */
const ADVICE: Record<string, string> = {
  halted: 'This market is halted.',
  cancel_only: 'This market takes cancels only.',
  gate_closed: 'The gate of this hour has closed.',
  facility_frozen: 'The lender has frozen the facility that funds this bid.',
  facility_not_active: 'The facility that funds this bid is not active.',
  past_due: 'An instalment is past due.',
  price_band: 'The price is outside the band around the reference price.',
  above_list_price: 'An ask may not exceed the list price of its class.',
  too_many_orders: 'Too many open orders.',
  insufficient_credits: 'Not enough available credit.',
  insufficient_capacity: 'Not enough verified capacity in this hour.',
  bond_insufficient: 'The bond does not cover what would be sold.',
  post_only_would_cross: 'Post-only, but the price would trade at once.',
  self_trade: 'The order would trade with your own group.',
  unauthenticated: 'Your session has ended. Log in again; what you typed is kept.',
  network_unreachable: 'The exchange cannot be reached.',
};

/** What is wrong, for people: without the wire's name of the field in front, which is marked where it stands. */
function spoken({ message, field }: ApiError): string {
  const said = field !== undefined && message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message;
  const plain = said.replace(/^must be a decimal string.*$/, 'digits and a point only');
  return plain.charAt(0).toUpperCase() + plain.slice(1);
}

/** Of a code alone, as a preview foresees it. */
export const explainCode = (code: string): string => (ADVICE[code] ?? `${code.replaceAll('_', ' ')}.`).replace(/^./, (first) => first.toLowerCase());

export const explain = (error: ApiError): string => ADVICE[error.code] ?? spoken(error);
