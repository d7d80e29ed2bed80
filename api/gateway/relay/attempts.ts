/**
 * Brings a request to an endpoint. While nothing of an answer has reached the client, a failure leads
 * to another endpoint of the same allocation, then to another allocation or purchase.
 */
import type { Micro } from '../../../engine/numbers/units.ts';
import { GatewayError } from '../../errors.ts';
import type { GatewayErrorCode } from '../../errors.ts';
import type { Call } from './call.ts';
import { Departure } from './departure.ts';
import type { Signal } from './departure.ts';
import { isObject } from '../dialects/dialect.ts';
import type { Detour } from '../dialects/dialect.ts';
import type { Endpoint, Endpoints, Place } from '../endpoints/endpoints.ts';
import type { Funding, Grant, Wanted } from '../metering/funding.ts';
import type { Entry } from './lanes.ts';
import type { TryOutcome } from './logbook.ts';
import type { Metered } from '../metering/meter.ts';
import type { Receipt } from '../metering/settlement.ts';
import { UpstreamError } from './upstream.ts';
import type { Answer, Upstream } from './upstream.ts';

/** An answer with status 200. */
export interface Answered {
  readonly answer: Answer;
  /** The path on which it was asked for, where the endpoint does not know the request's own. */
  readonly detour: Detour | undefined;
  /** The endpoint did not end its answer, of which the client has received a part. */
  brokeOff(): void;
}
/** Charges what an answer has come to; resolves when that is durable. */
export type Settle = (metered: Metered) => Promise<Receipt>;

/** An endpoint's answer, and what pays for it. */
export interface Attempt extends Answered {
  readonly grant: Grant;
  readonly endpoint: Endpoint;
  /** Fees of hours bought for this request so far. */
  readonly spotFees: Micro;
}

const ENDPOINTS_MAX = 4;
const PLACES_MAX = 16;
const ERROR_LIMIT_BYTES = 64 * 1024;
const MESSAGE_LENGTH_MAX = 1_000;
/** What a request may wait in all until an endpoint that is full has room. */
const WAIT_MILLIS_MAX = 5_000;
/** An answer takes no longer than a slow replica would. */
const TOTAL_MILLIS = { least: 60_000, perToken: 500 };
/** A wait that an endpoint asks for is kept to within these. */
const REST_SECONDS = { least: 1, most: 60 };
/** What servers answer on paths that they do not have. */
const NO_SUCH_PATH = new Set([404, 405, 501]);

/** An endpoint, and what pays for the request there. */
interface Seat {
  readonly endpoint: Endpoint;
  readonly grant: Grant;
}
/** Finds a second seat for a request whose first endpoint is silent, and enters it. */
type Spare = () => Promise<Seat | undefined>;
/** The head of an answer, and whose it is. */
type Posted = Omit<Answered, 'brokeOff'> & { by: Seat };
interface Asking extends Seat {
  readonly spare: Spare | undefined;
  readonly fees: Wanted['fees'];
}
type Outcome<T> = { done: true; value: T } | { done: false; failure: GatewayError };

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
  async run<T>(call: Call, signal: Signal, use: (attempt: Attempt) => Promise<T>): Promise<T> {
    const tried = new Set<Endpoint>();
    const unfit = this.endpoints.unfit(call.model.id, call.needs);
    const excluded: Place[] = [];
    const deadline = performance.now() + WAIT_MILLIS_MAX;
    const fees = { paid: 0 };
    let failure: GatewayError | undefined;
    while (tried.size < ENDPOINTS_MAX && excluded.length < PLACES_MAX) {
      const grant = await this.obtain(call, [...unfit, ...excluded], signal, failure, fees);
      const { provider, market } = grant.authorisation;
      const place = { provider, market };
      const by = { strategy: call.strategy, session: sessionOf(call), room: grant.rated.gpus };
      for (;;) {
        const candidates = this.endpoints.serving(call.model.id, place, call.needs).filter((candidate) => !tried.has(candidate));
        const endpoint = this.endpoints.choose(candidates, by);
        if (endpoint === undefined || tried.size >= ENDPOINTS_MAX) break;
        if (!(await this.enter(call, grant, endpoint, deadline, signal))) {
          failure ??= new GatewayError('capacity_exhausted', { retryAfterSeconds: 1 });
          break;
        }
        tried.add(endpoint);
        const others = candidates.filter((candidate) => candidate !== endpoint);
        const spare = call.hedgeMillis === null ? undefined : () => this.near(call, grant, this.endpoints.choose(others, by), signal) ?? this.elsewhere(call, [...unfit, ...excluded, place], signal, fees);
        const outcome = await this.ask(call, signal, { grant, endpoint, spare, fees }, use);
        if (outcome.done) return outcome.value;
        failure = outcome.failure;
      }
      grant.release();
      if (signal.aborted) throw new UpstreamError('aborted', 'given up');
      excluded.push(place);
      failure ??= this.unserved(call, place);
    }
    throw failure ?? new GatewayError('provider_unavailable');
  }

  /** Why a place that has sold its hours serves nothing at present. */
  private unserved({ model }: Call, place: Place): GatewayError {
    const seconds = this.endpoints.turnedAway(model.id, place);
    return seconds === undefined ? new GatewayError('provider_unavailable') : new GatewayError('capacity_exhausted', { retryAfterSeconds: seconds });
  }

  private enter(call: Call, grant: Grant, endpoint: Endpoint, deadline: number, signal: Signal): boolean | Promise<boolean> {
    return this.endpoints.enter(endpoint, entryOf(call, grant), deadline - performance.now(), signal);
  }

  /** Once an endpoint has failed, that is what the client hears if nothing else can be had. */
  private async obtain(call: Call, excluded: readonly Place[], signal: Signal, failure: GatewayError | undefined, fees: Wanted['fees']): Promise<Grant> {
    try {
      const preferred = this.endpoints.preferred(call.model.id, call.strategy, sessionOf(call), call.needs);
      return await this.funding.obtain(call, { excluded, preferred, signal, waits: failure === undefined, fees });
    } catch (error) {
      throw error instanceof GatewayError && failure !== undefined ? failure : error;
    }
  }

  /** Another endpoint of the same place, on the same hold. undefined: there is none. */
  private near(call: Call, grant: Grant, endpoint: Endpoint | undefined, signal: Signal): Promise<Seat | undefined> | undefined {
    if (endpoint === undefined) return undefined;
    return Promise.resolve(this.endpoints.enter(endpoint, entryOf(call, grant), 0, signal) === true ? { endpoint, grant } : undefined);
  }

  /** An endpoint of another provider or region, where the request has a hold of its own. */
  private async elsewhere(call: Call, excluded: readonly Place[], signal: Signal, fees: Wanted['fees']): Promise<Seat | undefined> {
    try {
      const grant = await this.funding.obtain(call, { excluded, preferred: [], signal, waits: false, hold: `${call.id}:spare`, fees });
      const { provider, market } = grant.authorisation;
      const endpoint = this.endpoints.choose(this.endpoints.serving(call.model.id, { provider, market }, call.needs), { strategy: call.strategy, session: '', room: grant.rated.gpus });
      if (endpoint !== undefined && this.endpoints.enter(endpoint, entryOf(call, grant), 0, signal) === true) return { endpoint, grant };
      grant.release();
    } catch (error) {
      // Nobody else has room for it, or it may cost no more: it waits for the first.
      if (!(error instanceof GatewayError)) throw error;
    }
    return undefined;
  }

  private async ask<T>(call: Call, signal: Signal, { grant, endpoint, spare, fees }: Asking, use: (attempt: Attempt) => Promise<T>): Promise<Outcome<T>> {
    let seat: Seat = { grant, endpoint };
    this.endpoints.began(endpoint);
    const began = performance.now();
    let broken = false;
    let fault: boolean | undefined;
    let outcome: TryOutcome = 'given_up';
    let problem: string | null = null;
    try {
      const { answer, detour, by } = await (spare === undefined ? this.post(call, seat, signal) : this.race(call, seat, spare, signal));
      seat = by;
      if (answer.status !== 200) throw await refusalOf(answer, seat.endpoint);
      this.endpoints.answered(seat.endpoint, performance.now() - began, sessionOf(call));
      const value = await use({ ...seat, spotFees: fees.paid, answer, detour, brokeOff: () => (broken = true) });
      fault = broken;
      outcome = broken ? 'failed' : 'answered';
      if (seat.grant !== grant) grant.release();
      return { done: true, value };
    } catch (error) {
      // The caller goes on with the first hold.
      if (seat.grant !== grant) seat.grant.release();
      if (error instanceof UpstreamError && error.fault !== 'aborted') {
        fault = true;
        outcome = 'failed';
        problem = error.fault;
        return { done: false, failure: asGatewayError(error) };
      }
      if (error instanceof EndpointRefusal) {
        outcome = 'refused';
        problem = error.failure.code;
        if (error.restSeconds !== undefined) this.endpoints.rest(seat.endpoint, error.restSeconds);
        // What it says of the request itself may be so, or a way not to serve: nobody can say. We never ask for more than it has room for.
        fault = error.failure.status >= 429 ? true : undefined;
        if (fault === true) return { done: false, failure: error.failure };
      }
      grant.release();
      throw error instanceof EndpointRefusal ? error.failure : error;
    } finally {
      call.trail.tried(seat.endpoint, began, outcome, problem);
      this.endpoints.ended(seat.endpoint, fault);
      this.endpoints.left(seat.endpoint, seat.grant.rated.gpus);
    }
  }

  /**
   * Asks the first; when it has been silent for as long as the client waits, a second as well. Who answers first is heard, the
   * other is given up. The first is the caller's to end, unless the second was heard: then that is.
   */
  private async race(call: Call, first: Seat, spare: Spare, signal: Signal): Promise<Posted> {
    const departures = new Map<Seat, Departure>();
    const ended = new Map<Seat, 'answered' | 'failed'>();
    const asked = new Map<Seat, number>();
    const ask = async (seat: Seat): Promise<Posted> => {
      const gone = new Departure();
      departures.set(seat, gone);
      asked.set(seat, performance.now());
      signal.addEventListener('abort', gone.abort, { once: true });
      try {
        const posted = await this.post(call, seat, gone);
        ended.set(seat, 'answered');
        return posted;
      } catch (error) {
        ended.set(seat, 'failed');
        throw error;
      }
    };
    const one = ask(first);
    if (!(await silentFor(one, call.hedgeMillis ?? 0)) || signal.aborted) return one;
    const second = await spare();
    if (second === undefined) return one;
    this.endpoints.began(second.endpoint);
    const leave = (seat: Seat): void => {
      const failed = ended.get(seat) === 'failed';
      departures.get(seat)?.abort();
      if (asked.has(seat)) call.trail.tried(seat.endpoint, asked.get(seat) ?? 0, failed ? 'failed' : 'given_up', null);
      this.endpoints.ended(seat.endpoint, failed && !signal.aborted ? true : undefined);
      this.endpoints.left(seat.endpoint, seat.grant.rated.gpus);
      if (seat === second && second.grant !== first.grant) second.grant.release();
    };
    if (ended.get(first) === 'answered') {
      leave(second);
      return one;
    }
    try {
      const heard = await Promise.any([one, ask(second)]);
      leave(heard.by === first ? second : first);
      return heard;
    } catch {
      leave(second);
      return one;
    }
  }

  /** Asks on the request's own path, or by a detour where the endpoint does not know it. */
  private async post(call: Call, by: Seat, signal: Signal): Promise<Posted> {
    const { dialect, demand, body } = call;
    const { endpoint } = by;
    const name = endpoint.models.get(call.model.id) ?? call.model.id;
    const total = TOTAL_MILLIS.least + demand.completionTokens * TOTAL_MILLIS.perToken;
    if (dialect.detour === undefined || !this.endpoints.lacks(endpoint, dialect.path)) {
      const answer = await this.upstream.post(endpoint.target, dialect.path, JSON.stringify(dialect.outgoing(body, name, demand)), signal, total);
      if (dialect.detour === undefined || !NO_SUCH_PATH.has(answer.status)) return { answer, detour: undefined, by };
      answer.drain();
      this.endpoints.learnedLack(endpoint, dialect.path);
    }
    const { detour } = dialect;
    return { answer: await this.upstream.post(endpoint.target, detour.path, JSON.stringify(detour.outgoing(body, name, demand)), signal, total), detour, by };
  }
}

const entryOf = ({ company }: Call, { authorisation, rated }: Grant): Entry => ({ flow: company, weight: authorisation.quantity, cost: authorisation.gpu, room: rated.gpus });

/** Resolves with true when nothing has come of it in so many milliseconds. */
async function silentFor(work: Promise<unknown>, millis: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(true), millis)));
  const come = (): boolean => false;
  const silent = await Promise.race([work.then(come, come), over]);
  clearTimeout(timer);
  return silent;
}

/** Sessions of different companies and models have nothing in common. */
const sessionOf = ({ company, modelId, sticky }: Call): string => (sticky === '' ? '' : `${company}:${modelId}:${sticky}`);

/** The endpoint answered with an error. */
class EndpointRefusal extends Error {
  readonly failure: GatewayError;
  /** Until it wants to be asked again; undefined when it does not say. */
  readonly restSeconds: number | undefined;
  constructor(failure: GatewayError, restSeconds?: number) {
    super(failure.message);
    this.failure = failure;
    this.restSeconds = restSeconds;
  }
}

export function asGatewayError(error: UpstreamError): GatewayError {
  const codes: Record<UpstreamError['fault'], GatewayErrorCode> = {
    refused: 'provider_unavailable', unreachable: 'provider_unavailable', timeout: 'provider_timeout', broken: 'provider_error', aborted: 'provider_error',
  };
  return new GatewayError(codes[error.fault]);
}

/** What the client sent is at fault (400, 413, 422): it hears why. Anything else is between us and the endpoint. */
async function refusalOf(answer: Answer, { target }: Endpoint): Promise<EndpointRefusal> {
  const { status } = answer;
  const text = await answer.text(ERROR_LIMIT_BYTES);
  const wait = answer.retrySeconds === undefined ? undefined : Math.min(REST_SECONDS.most, Math.max(REST_SECONDS.least, Math.ceil(answer.retrySeconds)));
  if (status === 429) return new EndpointRefusal(new GatewayError('capacity_exhausted', { retryAfterSeconds: wait ?? REST_SECONDS.least }), wait);
  if (status === 503) return new EndpointRefusal(new GatewayError('provider_unavailable', { retryAfterSeconds: wait ?? REST_SECONDS.least }), wait);
  if (status !== 400 && status !== 413 && status !== 422) return new EndpointRefusal(new GatewayError(status === 504 || status === 408 ? 'provider_timeout' : 'provider_error'));
  const detail = withoutSecrets(messageIn(text), target) ?? 'The provider does not accept this request.';
  return new EndpointRefusal(new GatewayError('invalid_request_error', { values: { detail } }));
}

/** What only we and the endpoint know stays between us. */
function withoutSecrets(text: string | undefined, { url, credential }: Endpoint['target']): string | undefined {
  const { origin, host } = new URL(url);
  return [credential, origin, host].reduce((left, secret) => (secret === undefined || secret === '' ? left : left?.replaceAll(secret, '***')), text);
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
