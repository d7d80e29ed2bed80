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
import type { Place } from '../endpoints/place.ts';
import type { Endpoint, Endpoints } from '../endpoints/endpoints.ts';
import type { Funding, Grant, Wanted } from '../metering/funding.ts';
import type { Entry } from './lanes.ts';
import type { TryOutcome } from './logbook.ts';
import type { Metered } from '../metering/meter.ts';
import type { Receipt } from '../metering/receipt.ts';
import { UpstreamError } from './endpoint_answer.ts';
import type { Answer } from './endpoint_answer.ts';
import type { Upstream } from './upstream.ts';

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
/** Finds the next seat for a request whose first endpoint is silent, and enters it. */
type Spare = () => Promise<Seat | undefined>;
/** The head of an answer, whose it is, and when that was asked. */
type Posted = Omit<Answered, 'brokeOff'> & { by: Seat; began: number };
/** What came of asking an endpoint. */
interface Ending {
  /** undefined: nobody can say. */
  fault: boolean | undefined;
  outcome: TryOutcome;
  problem: string | null;
}
/** What a failure says of an endpoint. */
interface Verdict extends Ending {
  /** What the client hears of a fault. */
  failure: GatewayError | undefined;
}
interface Asking extends Seat {
  readonly spare: Spare | undefined;
  readonly fees: Wanted['fees'];
}
/** What spares are found among. */
interface Spares {
  grant: Grant;
  /** Endpoints of the first one's place. */
  candidates: readonly Endpoint[];
  excluded: readonly Place[];
  /** Endpoints that the request has been brought to. */
  tried: Set<Endpoint>;
  by: Parameters<Endpoints['choose']>[1];
}
type Outcome<T> = { done: true; value: T } | { done: false; failure: GatewayError };

const GIVEN_UP: Ending = { fault: undefined, outcome: 'given_up', problem: null };

export class Attempts {
  private readonly funding: Funding;
  private readonly endpoints: Endpoints;
  private readonly upstream: Upstream;
  /** So that each hold of a spare has a name of its own. */
  private spares = 0;

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
    const patience = { millis: WAIT_MILLIS_MAX };
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
        if (!(await this.enter(call, grant, endpoint, patience, signal))) {
          failure ??= new GatewayError('capacity_exhausted', { retryAfterSeconds: 1 });
          break;
        }
        tried.add(endpoint);
        const spare = call.hedgeMillis === null ? undefined : this.sparesOf(call, { grant, candidates, excluded: [...excluded, place], tried, by }, signal, fees);
        const outcome = await this.ask(call, signal, { grant, endpoint, spare, fees }, use);
        if (outcome.done) return outcome.value;
        failure = sooner(failure, outcome.failure);
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

  /** @param patience what is left of the time for which the request may wait: what else it is held up by does not count */
  private async enter(call: Call, grant: Grant, endpoint: Endpoint, patience: { millis: number }, signal: Signal): Promise<boolean> {
    const entered = this.endpoints.enter(endpoint, entryOf(call, grant), patience.millis, signal);
    if (typeof entered === 'boolean') return entered;
    const since = performance.now();
    const admitted = await entered;
    patience.millis -= performance.now() - since;
    return admitted;
  }

  /** Where endpoints rest or are silent only if nobody else can serve it. Once an endpoint has failed, that is what the client hears if nothing else can be had. */
  private async obtain(call: Call, excluded: readonly Place[], signal: Signal, failure: GatewayError | undefined, fees: Wanted['fees']): Promise<Grant> {
    try {
      const preferred = this.endpoints.preferred(call.model.id, call.strategy, sessionOf(call), call.needs);
      const wanted = { excluded, preferred, signal, waits: failure === undefined, fees };
      const avoided = this.endpoints.avoided(call.model.id, call.needs);
      const grant = avoided.length === 0 ? undefined : await this.funding.obtain(call, { ...wanted, excluded: [...excluded, ...avoided], waits: false }).catch(nothingOf);
      return grant ?? (await this.funding.obtain(call, wanted));
    } catch (error) {
      throw error instanceof GatewayError && failure !== undefined ? failure : error;
    }
  }

  /** One after the other: endpoints of the same place on the same hold, then those of others. None is asked that is known not to answer. */
  private sparesOf(call: Call, { grant, candidates, excluded, tried, by }: Spares, signal: Signal, fees: Wanted['fees']): Spare {
    const { endpoints } = this;
    const full = new Set<Endpoint>();
    const mayBe = (endpoint: Endpoint): boolean => !tried.has(endpoint) && !full.has(endpoint) && endpoints.isWell(endpoint, call.model.id);
    return async () => {
      while (tried.size < ENDPOINTS_MAX && !signal.aborted) {
        const near = endpoints.choose(candidates.filter(mayBe), by);
        const seat = near === undefined ? await this.elsewhere(call, excluded, mayBe, signal, fees) : { endpoint: near, grant };
        if (seat === undefined) return undefined;
        if (endpoints.enter(seat.endpoint, entryOf(call, seat.grant), 0, signal) === true) {
          tried.add(seat.endpoint);
          return seat;
        }
        full.add(seat.endpoint);
        if (seat.grant !== grant) seat.grant.release();
      }
      return undefined;
    };
  }

  /** An endpoint of another provider or region, where the request has a hold of its own. */
  private async elsewhere(call: Call, excluded: readonly Place[], mayBe: (endpoint: Endpoint) => boolean, signal: Signal, fees: Wanted['fees']): Promise<Seat | undefined> {
    try {
      const unfit = this.endpoints.unfit(call.model.id, call.needs, mayBe);
      const grant = await this.funding.obtain(call, { excluded: [...excluded, ...unfit], preferred: [], signal, waits: false, hold: `${call.id}:spare${++this.spares}`, fees });
      const { provider, market } = grant.authorisation;
      const candidates = this.endpoints.serving(call.model.id, { provider, market }, call.needs).filter(mayBe);
      const endpoint = this.endpoints.choose(candidates, { strategy: call.strategy, session: '', room: grant.rated.gpus });
      if (endpoint !== undefined) return { endpoint, grant };
      grant.release();
    } catch (error) {
      // Nobody else has room for it, or it may cost no more: it waits for the first.
      return nothingOf(error);
    }
    return undefined;
  }

  private async ask<T>(call: Call, signal: Signal, { grant, endpoint, spare, fees }: Asking, use: (attempt: Attempt) => Promise<T>): Promise<Outcome<T>> {
    let seat: Seat = { grant, endpoint };
    this.endpoints.began(endpoint);
    let began = performance.now();
    let broken = false;
    let ending = GIVEN_UP;
    try {
      const posted = await (spare === undefined ? this.post(call, seat, signal) : this.race(call, seat, spare, signal));
      const { answer, detour } = posted;
      seat = posted.by;
      began = posted.began;
      if (answer.status !== 200) throw await refusalOf(answer, seat.endpoint);
      this.endpoints.answered(seat.endpoint, performance.now() - began, sessionOf(call));
      const value = await use({ grant: seat.grant, endpoint: seat.endpoint, spotFees: fees.paid, answer, detour, brokeOff: () => (broken = true) });
      ending = { fault: broken, outcome: broken ? 'failed' : 'answered', problem: null };
      if (seat.grant !== grant) grant.release();
      return { done: true, value };
    } catch (error) {
      // The caller goes on with the first hold.
      if (seat.grant !== grant) seat.grant.release();
      const verdict = this.judge(error, seat.endpoint);
      ending = verdict;
      if (verdict.failure !== undefined) return { done: false, failure: verdict.failure };
      grant.release();
      throw error instanceof EndpointRefusal ? error.failure : error;
    } finally {
      this.endNow(call, seat, ending, began);
    }
  }

  private judge(error: unknown, endpoint: Endpoint): Verdict {
    if (error instanceof UpstreamError && error.fault !== 'aborted') return { fault: true, outcome: 'failed', problem: error.fault, failure: asGatewayError(error) };
    if (!(error instanceof EndpointRefusal)) return { ...GIVEN_UP, failure: undefined };
    if (error.restSeconds !== undefined) this.endpoints.rest(endpoint, error.restSeconds);
    // What it says of the request itself may be so, or a way not to serve: nobody can say. We never ask for more than it has room for.
    const isFault = error.failure.status >= 429;
    return { fault: isFault ? true : undefined, outcome: 'refused', problem: error.failure.code, failure: isFault ? error.failure : undefined };
  }

  private endNow(call: Call, { endpoint, grant }: Seat, { fault, outcome, problem }: Ending, began: number, ended?: number): void {
    call.trail.tried(endpoint, began, outcome, problem, ended);
    this.endpoints.ended(endpoint, fault);
    this.endpoints.left(endpoint, grant.rated.gpus);
  }

  /**
   * Asks the first; when it has been silent for as long as the client waits, others as well, one after the other. Who first has an
   * answer is heard, the others are given up. The first is the caller's to end, unless another was heard: then that is.
   */
  private async race(call: Call, first: Seat, spare: Spare, signal: Signal): Promise<Posted> {
    const began = performance.now();
    const goneFirst = new Departure();
    const goneOthers = new Departure();
    signal.addEventListener('abort', goneFirst.abort, { once: true });
    signal.addEventListener('abort', goneOthers.abort, { once: true });
    const one = this.post(call, first, goneFirst);
    if (!(await silentFor(one, call.hedgeMillis ?? 0)) || signal.aborted) return one;
    let failed: { error: unknown; at: number } | undefined;
    const usable = one.then(usableOf);
    usable.catch((error: unknown) => (failed = { error, at: performance.now() }));
    const other = this.askSpares(call, spare, goneOthers, first.grant);
    let heard: Posted;
    try {
      heard = await Promise.any([usable, other]);
    } catch {
      return usable;
    }
    if (heard.by === first) {
      goneOthers.abort();
      other.then((unheard) => this.leave(call, unheard.by, unheard.began, GIVEN_UP, first.grant), () => undefined);
    } else {
      goneFirst.abort();
      this.endNow(call, first, failed === undefined ? GIVEN_UP : this.judge(failed.error, first.endpoint), began, failed?.at);
    }
    return heard;
  }

  /** Asks one spare after the other until one answers; that one is left to who hears it. @throws when there is none */
  private async askSpares(call: Call, spare: Spare, gone: Departure, shared: Grant): Promise<Posted> {
    for (;;) {
      const seat = await spare();
      if (seat === undefined) throw new UpstreamError('unreachable', 'there is no other endpoint');
      if (gone.aborted) {
        this.endpoints.left(seat.endpoint, seat.grant.rated.gpus);
        if (seat.grant !== shared) seat.grant.release();
        throw new UpstreamError('aborted', 'given up');
      }
      this.endpoints.began(seat.endpoint);
      const began = performance.now();
      try {
        return await usableOf(await this.post(call, seat, gone));
      } catch (error) {
        this.leave(call, seat, began, this.judge(error, seat.endpoint), shared);
        if (gone.aborted || !(error instanceof UpstreamError || error instanceof EndpointRefusal)) throw error;
      }
    }
  }

  /** Ends what another than the caller's endpoint was asked. */
  private leave(call: Call, seat: Seat, began: number, ending: Ending, shared: Grant): void {
    this.endNow(call, seat, ending, began);
    if (seat.grant !== shared) seat.grant.release();
  }

  /** Asks on the request's own path, or by a detour where the endpoint does not know it. */
  private async post(call: Call, by: Seat, signal: Signal): Promise<Posted> {
    const { dialect, demand, body } = call;
    const { endpoint } = by;
    const began = performance.now();
    const name = endpoint.models.get(call.model.id) ?? call.model.id;
    const total = TOTAL_MILLIS.least + demand.completionTokens * TOTAL_MILLIS.perToken;
    if (dialect.detour === undefined || !this.endpoints.lacks(endpoint, dialect.path)) {
      const answer = await this.upstream.post(endpoint.target, dialect.path, JSON.stringify(dialect.outgoing(body, name, demand)), signal, total);
      if (dialect.detour === undefined || !NO_SUCH_PATH.has(answer.status)) return { answer, detour: undefined, by, began };
      answer.drain();
      this.endpoints.learnedLack(endpoint, dialect.path);
    }
    const { detour } = dialect;
    const untold = detour.untold(body);
    if (untold !== undefined) throw new EndpointRefusal(new GatewayError('invalid_request_error', { field: untold.field, values: { detail: `${untold.field}: ${untold.detail}` } }));
    return { answer: await this.upstream.post(endpoint.target, detour.path, JSON.stringify(detour.outgoing(body, name, demand)), signal, total), detour, by, began };
  }
}

/** The last failure is told; of two that ask to come again, the one that asks for it sooner. */
export function sooner(before: GatewayError | undefined, last: GatewayError): GatewayError {
  if (before?.code !== 'capacity_exhausted' || last.code !== 'capacity_exhausted') return last;
  return (before.retryAfterSeconds ?? 0) < (last.retryAfterSeconds ?? 0) ? before : last;
}

/** @throws what is no refusal */
function nothingOf(error: unknown): undefined {
  if (!(error instanceof GatewayError)) throw error;
}

const entryOf = ({ company }: Call, { authorisation, rated }: Grant): Entry => ({ flow: company, weight: authorisation.quantity, cost: authorisation.gpu, room: rated.gpus });

/** @throws EndpointRefusal when the endpoint answered with an error */
async function usableOf(posted: Posted): Promise<Posted> {
  if (posted.answer.status !== 200) throw await refusalOf(posted.answer, posted.by.endpoint);
  return posted;
}

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
  const { message, param } = saidIn(text);
  const limit = message === undefined ? undefined : CONTEXT_LIMIT.exec(message)?.[1];
  if (limit !== undefined) return new EndpointRefusal(new GatewayError('context_length_exceeded', { values: { limit } }));
  const detail = withoutSecrets(message, target) ?? 'The provider does not accept this request.';
  return new EndpointRefusal(new GatewayError('invalid_request_error', { values: { detail }, ...(param === undefined ? {} : { field: param }) }));
}

/** What only we and the endpoint know stays between us. */
function withoutSecrets(text: string | undefined, { url, credential }: Endpoint['target']): string | undefined {
  const { origin, host } = new URL(url);
  return [credential, origin, host].reduce((left, secret) => (secret === undefined || secret === '' ? left : left?.replaceAll(secret, '***')), text);
}

/** How servers say that a request does not fit into what they have of a model's context. */
const CONTEXT_LIMIT = /context (?:length|size|window)[^0-9]{0,20}([0-9]{2,8}) tokens/i;
/** `messages[0].content` */
const PARAM = /^[A-Za-z_][A-Za-z0-9_.[\]]{0,99}$/;

/** OpenAI's `error.message`, or `message` or `detail` as some servers have it, and what of the request it is about. */
function saidIn(text: string): { message?: string; param?: string } {
  try {
    const body: unknown = JSON.parse(text);
    if (!isObject(body)) return {};
    const { message, param } = isObject(body.error) ? body.error : { message: body.message ?? body.detail, param: body.param };
    return { ...(typeof message === 'string' ? { message: message.slice(0, MESSAGE_LENGTH_MAX) } : {}), ...(typeof param === 'string' && PARAM.test(param) ? { param } : {}) };
  } catch {
    return {};
  }
}
