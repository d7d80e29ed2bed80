/**
 * Brings a request to an endpoint. While nothing of an answer has reached the client, a failure leads
 * to another endpoint of the same allocation, then to another allocation or purchase.
 */
import type { Micro } from '../../engine/units.ts';
import { GatewayError } from '../errors.ts';
import type { GatewayErrorCode } from '../errors.ts';
import type { Call } from './call.ts';
import { isObject } from './dialects/dialect.ts';
import type { Endpoint, Endpoints, Place } from './endpoints.ts';
import type { Funding, Grant } from './funding.ts';
import { UpstreamError } from './upstream.ts';
import type { Answer, Upstream } from './upstream.ts';

/** An endpoint's answer with status 200, and what pays for it. */
export interface Attempt {
  readonly grant: Grant;
  readonly endpoint: Endpoint;
  readonly answer: Answer;
  /** Fees of hours bought for this request so far. */
  readonly spotFees: Micro;
}

const ENDPOINTS_MAX = 4;
const PLACES_MAX = 16;
const ERROR_LIMIT_BYTES = 64 * 1024;
const MESSAGE_LENGTH_MAX = 1_000;

export class Attempts {
  private readonly funding: Funding;
  private readonly endpoints: Endpoints;
  private readonly upstream: Upstream;

  constructor(funding: Funding, endpoints: Endpoints, upstream: Upstream) {
    this.funding = funding;
    this.endpoints = endpoints;
    this.upstream = upstream;
  }

  /**
   * Runs `use` with an answer. `use` settles the grant; it may throw UpstreamError only while the client
   * has received nothing, and is then given another answer.
   * @throws GatewayError; UpstreamError `aborted` when the client has gone away
   */
  async run<T>(call: Call, signal: AbortSignal, use: (attempt: Attempt) => Promise<T>): Promise<T> {
    const tried = new Set<Endpoint>();
    const excluded: Place[] = [];
    let spotFees = 0;
    let failure: GatewayError | undefined;
    while (tried.size < ENDPOINTS_MAX && excluded.length < PLACES_MAX) {
      const grant = await this.obtain(call, excluded, failure, (fees) => (spotFees += fees));
      const place = { provider: grant.authorisation.provider, market: grant.authorisation.market };
      for (;;) {
        const endpoint = this.endpoints.leastBusy(this.endpoints.serving(call.model.id, place).filter((candidate) => !tried.has(candidate)));
        if (endpoint === undefined || tried.size >= ENDPOINTS_MAX) break;
        tried.add(endpoint);
        const outcome = await this.ask(call, signal, { grant, endpoint, spotFees }, use);
        if (outcome.done) return outcome.value;
        failure = outcome.failure;
      }
      grant.release();
      excluded.push(place);
      failure ??= new GatewayError('provider_unavailable');
    }
    throw failure ?? new GatewayError('provider_unavailable');
  }

  /** Once an endpoint has failed, that is what the client hears if nothing else can be had. */
  private async obtain(call: Call, excluded: readonly Place[], failure: GatewayError | undefined, spent: (fees: Micro) => void): Promise<Grant> {
    try {
      return await this.funding.obtain(call, excluded, spent);
    } catch (error) {
      throw error instanceof GatewayError && failure !== undefined ? failure : error;
    }
  }

  private async ask<T>(
    call: Call,
    signal: AbortSignal,
    held: Omit<Attempt, 'answer'>,
    use: (attempt: Attempt) => Promise<T>,
  ): Promise<{ done: true; value: T } | { done: false; failure: GatewayError }> {
    const { grant, endpoint } = held;
    this.endpoints.began(endpoint);
    let fault: boolean | undefined;
    try {
      const body = JSON.stringify(call.dialect.outgoing(call.body, endpoint.models.get(call.model.id) ?? call.model.id, call.demand));
      const answer = await this.upstream.post(endpoint.target, call.dialect.path, body, signal);
      if (answer.status !== 200) throw await refusalOf(answer);
      const value = await use({ ...held, answer });
      fault = false;
      return { done: true, value };
    } catch (error) {
      if (error instanceof UpstreamError && error.fault !== 'aborted') {
        fault = true;
        return { done: false, failure: asGatewayError(error) };
      }
      if (error instanceof EndpointRefusal) {
        fault = error.failure.status >= 500;
        if (error.failure.status >= 429) return { done: false, failure: error.failure };
      }
      grant.release();
      throw error instanceof EndpointRefusal ? error.failure : error;
    } finally {
      this.endpoints.ended(endpoint, fault);
    }
  }
}

/** The endpoint answered with an error. */
class EndpointRefusal extends Error {
  readonly failure: GatewayError;
  constructor(failure: GatewayError) {
    super(failure.message);
    this.failure = failure;
  }
}

export function asGatewayError(error: UpstreamError): GatewayError {
  const codes: Record<UpstreamError['fault'], GatewayErrorCode> = {
    refused: 'provider_unavailable', unreachable: 'provider_unavailable', timeout: 'provider_timeout', broken: 'provider_error', aborted: 'provider_error',
  };
  return new GatewayError(codes[error.fault]);
}

/** What the client sent is at fault (400, 413, 422): it hears why. Anything else is between us and the endpoint. */
async function refusalOf(answer: Answer): Promise<EndpointRefusal> {
  const { status } = answer;
  const text = await answer.text(ERROR_LIMIT_BYTES);
  if (status === 429) return new EndpointRefusal(new GatewayError('capacity_exhausted', { retryAfterSeconds: 1 }));
  if (status !== 400 && status !== 413 && status !== 422) return new EndpointRefusal(new GatewayError(status === 504 || status === 408 ? 'provider_timeout' : 'provider_error'));
  const detail = messageIn(text) ?? 'The provider does not accept this request.';
  return new EndpointRefusal(new GatewayError('invalid_request_error', { values: { detail } }));
}

/** OpenAI's `error.message`, or `message` or `detail` as some servers have it. */
function messageIn(text: string): string | undefined {
  try {
    const body: unknown = JSON.parse(text);
    if (!isObject(body)) return undefined;
    const found = isObject(body.error) ? body.error.message : (body.message ?? body.detail);
    return typeof found === 'string' ? found.slice(0, MESSAGE_LENGTH_MAX) : undefined;
  } catch {
    return undefined;
  }
}
