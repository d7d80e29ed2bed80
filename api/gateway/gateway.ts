/** The gateway: requests in OpenAI's protocol, paid from matched capacity. Built once by the composition root. */
import { keySpending, keysOfLine, keysOfProject } from '../../db/queries/key_spending.ts';
import { MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import type { Route } from '../http/route.ts';
import { Unavailable } from '../sequencer/port.ts';
import type { EndpointWatch, Services } from '../services.ts';
import { FullBudgets } from '../warnings/budget_warning.ts';
import { AddressGuard } from './endpoints/address_guard.ts';
import { Repeats, StoredAnswers } from './relay/answers.ts';
import type { KeptAnswer, KeptAnswers } from './relay/answers.ts';
import { Attempts } from './relay/attempts.ts';
import type { Answered, Settle } from './relay/attempts.ts';
import { admit, bounded } from './relay/call.ts';
import type { Asked, Call } from './relay/call.ts';
import { Departure } from './relay/departure.ts';
import { NO_VERSIONS, RatingBook, StoredVersions } from './catalogue/rating_book.ts';
import type { PublishedVersions } from './catalogue/rating_book.ts';
import { RunsInMemory, StoredRuns } from './catalogue/verification_runs.ts';
import type { VerificationRuns } from './catalogue/verification_runs.ts';
import { DeliveryWatch } from './endpoints/delivery_watch.ts';
import type { ReferenceAnswers } from './endpoints/delivery_watch.ts';
import type { Dialect } from './dialects/dialect.ts';
import { StoredEndpoints } from './endpoints/endpoint_rows.ts';
import { ApiError, GatewayError } from '../errors.ts';
import type { EndpointRows } from './endpoints/endpoint_rows.ts';
import { LoadTestsInMemory, StoredLoadTests } from './endpoints/load_test_log.ts';
import type { LoadTestLog } from './endpoints/load_test_log.ts';
import { EndpointWatcher } from './endpoints/endpoint_watch.ts';
import { Endpoints } from './endpoints/endpoints.ts';
import { Funding } from './metering/funding.ts';
import { NO_LOGBOOK, StoredLogbook } from './relay/logbook.ts';
import type { Logbook } from './relay/logbook.ts';
import { chargeableMost } from './metering/meter.ts';
import type { Metered } from './metering/meter.ts';
import { KEEP_ALIVE_MILLIS, KeepAlive } from './relay/outgoing.ts';
import type { Outgoing } from './relay/outgoing.ts';
import { Prices } from './metering/prices.ts';
import { StreamRelay, failureEvent } from './relay/relay_stream.ts';
import { relayWhole } from './relay/relay_whole.ts';
import { NO_REFERENCES, StoredReferences } from './endpoints/reference_answers.ts';
import { accountRoutes } from './routes/account_routes.ts';
import { inferenceRoutes } from './routes/inference_routes.ts';
import { modelRoutes } from './routes/model_routes.ts';
import { ratingRoutes } from './routes/rating_routes.ts';
import { sandboxAnswer, sandboxReceipt } from './endpoints/sandbox.ts';
import { Settlement } from './metering/settlement.ts';
import type { Receipt } from './metering/receipt.ts';
import { Spending } from './metering/spending.ts';
import type { OnRefusal, SpendingHistory } from './metering/spending.ts';
import { SpotBuyer } from './metering/spot_buyer.ts';
import { UpstreamError } from './relay/endpoint_answer.ts';
import { TIMEOUTS, Upstream } from './relay/upstream.ts';
import type { Timeouts } from './relay/upstream.ts';

export type GatewayServices = Pick<Services, 'config' | 'log' | 'auth' | 'sequencer' | 'committed' | 'database' | 'projections' | 'directory' | 'market' | 'vault' | 'clockFollowers' | 'tallies' | 'rooms'>;

export interface GatewayParts {
  services: Omit<GatewayServices, 'database' | 'projections' | 'config' | 'clockFollowers'>;
  rows: EndpointRows;
  history: SpendingHistory;
  answers: KeptAnswers;
  /** `host:port` or CIDR that endpoints may use although not public. */
  addresses: readonly string[];
  timeouts?: Timeouts;
  /** How long a stream is silent before a comment. */
  keepAliveMillis?: number;
  /** None unless given. */
  references?: ReferenceAnswers;
  logbook?: Logbook;
  /** Of the ratings; the first alone unless given. */
  versions?: PublishedVersions;
  runs?: VerificationRuns;
  onRefusal?: OnRefusal;
  loadTests?: LoadTestLog;
  /** Whether endpoints must write as fast as what is declared of them, or only those of the demo are measured; neither unless told. */
  pace?: 'required' | 'noted';
  /** `host:port` of the demo's providers, among the others. */
  demoAddresses?: readonly string[];
}

const PROJECTIONS_MILLIS_MAX = 3_000;
const OK = 200;
/** Tokens: no answer begins that may not become so long. */
const OPEN_ANSWER_LEAST = 16;
/** As nginx has it: the client went away before its answer. */
const CLIENT_GONE = 499;
const UNEXPECTED = 500;

export class Gateway {
  readonly endpoints: EndpointWatch;
  readonly routes: Route[];
  private readonly parts: GatewayParts;
  private readonly known: Endpoints;
  private readonly watcher: EndpointWatcher;
  /** Probes endpoints and reports their minutes, once it is started. */
  readonly watch: DeliveryWatch;
  readonly ratings: RatingBook;
  private readonly demoAddresses: Set<string>;
  private readonly upstream: Upstream;
  private readonly spending: Spending;
  private readonly attempts: Attempts;
  private readonly settlement: Settlement;
  private readonly repeats: Repeats;
  private readonly guard: AddressGuard;
  private readonly logbook: Logbook;
  private readonly keepAlive: KeepAlive;
  /** Requests under way, and the keys they came with. */
  private readonly underWay = new Map<Departure, string>();
  private readonly unsubscribe: () => void;

  constructor(parts: GatewayParts) {
    const { services, rows } = parts;
    const guard = new AddressGuard(parts.addresses);
    this.guard = guard;
    this.demoAddresses = new Set(parts.demoAddresses);
    this.parts = parts;
    this.logbook = parts.logbook ?? NO_LOGBOOK;
    this.keepAlive = new KeepAlive(parts.keepAliveMillis ?? KEEP_ALIVE_MILLIS);
    this.upstream = new Upstream(guard, parts.timeouts ?? TIMEOUTS);
    this.known = new Endpoints({ ...services, rows });
    this.ratings = new RatingBook(parts.versions ?? NO_VERSIONS);
    const runs = parts.runs ?? new RunsInMemory();
    const { ratings } = this;
    this.watcher = new EndpointWatcher({ services, rows, guard, upstream: this.upstream, endpoints: this.known, ratings, runs, paceOf: (url) => this.paceOf(url) });
    this.watch = new DeliveryWatch({ services, rows, endpoints: this.known, ratings, loadTests: parts.loadTests ?? new LoadTestsInMemory(), upstream: this.upstream, references: parts.references ?? NO_REFERENCES, logbook: this.logbook });
    this.spending = new Spending(services, parts.history, (key) => services.auth.spendersOf(key), services.tallies?.of('reserved'), parts.onRefusal);
    const funding = new Funding(services, new SpotBuyer(services, this.known, this.spending), this.spending, ratings);
    this.attempts = new Attempts(funding, this.known, this.upstream);
    this.settlement = new Settlement(services);
    this.repeats = new Repeats(parts.answers);
    this.unsubscribe = services.auth.onRevoked(({ kind, subject }) => {
      if (kind !== 'key') return;
      for (const [request, key] of this.underWay) if (key === subject) request.end(new GatewayError('invalid_api_key'));
    });
    this.endpoints = this.watcher;
    this.routes = [...inferenceRoutes(this), ...modelRoutes(this.known, new Prices(services, ratings), ratings), ...ratingRoutes(ratings, runs), ...accountRoutes];
  }

  /** @param addresses `host:port` of the demo's providers, that endpoints may use from now on although not public */
  allow(addresses: readonly string[]): void {
    this.guard.allow(addresses);
    for (const address of addresses) this.demoAddresses.add(address);
  }

  private paceOf(url: string): 'required' | 'noted' | undefined {
    const { pace } = this.parts;
    return pace === 'noted' && !this.demoAddresses.has(new URL(url).host) ? undefined : pace;
  }

  async start(): Promise<void> {
    await this.ratings.start();
    await this.known.start();
    this.watcher.start();
  }

  close(): Promise<void> {
    this.unsubscribe();
    this.watch.stop();
    this.watcher.stop();
    this.known.stop();
    this.ratings.stop();
    this.spending.stop();
    this.upstream.close();
    this.logbook.close();
    return Promise.resolve();
  }

  /** Serves one request: writes its answer. @throws ApiError, GatewayError, Unavailable while nothing has been written */
  async serve(dialect: Dialect, asked: Asked, out: Outgoing): Promise<void> {
    const { directory, committed } = this.parts.services;
    const hour = Math.floor(committed.now / MILLIS_PER_HOUR);
    const call = admit(dialect, asked, directory, this.ratings.ofCompany(asked.principal.company, hour));
    if (call.idempotencyKey === '') return this.serveOnce(call, out, undefined);
    const kept = await this.repeats.once(call.idempotencyKey, call.bodyHash, async (keep) => {
      await this.requireOwnKey(call);
      await this.serveOnce(call, out, keep);
    });
    if (kept !== undefined) repeat(kept, out);
  }

  /** @throws ApiError idempotency_mismatch when another call of the company has had the key */
  private async requireOwnKey({ idempotencyKey, bodyHash }: Call): Promise<void> {
    const known = await this.parts.services.sequencer.query('keyUse', { key: idempotencyKey });
    if (known !== null && known !== bodyHash) throw new ApiError('idempotency_mismatch');
  }

  private async serveOnce(call: Call, out: Outgoing, keep: Keep | undefined): Promise<void> {
    const { response } = out;
    if (response.destroyed) return;
    const bounded = await withinPace(call, out);
    if (response.destroyed) return out.used(0);
    const gone = new Departure();
    response.once('close', gone.abort);
    this.underWay.set(gone, call.key);
    let failure: unknown;
    try {
      await this.answer(bounded, gone, out, keep);
    } catch (error) {
      const isGone = error instanceof UpstreamError && error.fault === 'aborted';
      failure = (isGone ? gone.reason : undefined) ?? error;
      if (!isGone || gone.reason !== undefined) throw failure;
    } finally {
      response.off('close', gone.abort);
      this.underWay.delete(gone);
      out.used(0);
      this.note(call, failure);
    }
  }

  private note({ id, company, key, modelName, dialect, streamed, trail }: Call, failure: unknown): void {
    this.logbook.request({ id, company, key, model: modelName, path: dialect.path, streamed, ...endOf(failure), trail });
  }

  private async answer(call: Call, gone: Departure, out: Outgoing, keep: Keep | undefined): Promise<void> {
    const { log } = this.parts.services;
    if (call.streamed) {
      const keepStream = keep && ((text: string) => keep({ streamed: true, text }));
      return this.keptWaiting(call, gone, out, this.answered(call, gone, out, (answered, settle) => new StreamRelay(call, answered, { out, settle, log, gone, keep: keepStream }).run()));
    }
    const text = await this.answered(call, gone, out, (answered, settle) => relayWhole(call, answered, settle));
    await keep?.({ streamed: false, text });
    out.json(200, text);
  }

  /** A stream that is silent before its first byte has comments too; what fails then is told in the stream. */
  private async keptWaiting(call: Call, gone: Departure, out: Outgoing, work: Promise<void>): Promise<void> {
    this.keepAlive.add(out);
    try {
      await work;
    } catch (error) {
      if (out.isWaiting && !out.response.destroyed) out.lastPiece(failureEvent(call, gone.reason ?? error));
      throw error;
    } finally {
      this.keepAlive.delete(out);
    }
  }

  private answered<T>(call: Call, gone: Departure, out: Outgoing, use: (answered: Answered, settle: Settle) => Promise<T>): Promise<T> {
    const counted = async (charging: Promise<Receipt>, { promptTokens, completionTokens }: Metered): Promise<Receipt> => {
      const receipt = await charging;
      call.trail.billed = { promptTokens, completionTokens, credits: receipt.credits_used };
      out.used(promptTokens + completionTokens);
      return receipt;
    };
    const { settlement } = this;
    if (!call.test) return this.attempts.run(call, gone, (attempt) => use(attempt, (metered) => counted(settlement.settle(call, attempt, metered), metered)));
    const receipt = async (): Promise<Receipt> => sandboxReceipt(await settlement.remaining(call.company));
    return use({ answer: sandboxAnswer(call), detour: undefined, brokeOff: () => undefined }, (metered) => counted(receipt(), metered));
  }
}

/**
 * Sets aside what the request may use of its key's tokens. Where its client names no bound of the answer, the answer may be as long as what
 * is left allows, if that is worth beginning.
 * @throws GatewayError rate_limit_exceeded
 */
async function withinPace(call: Call, out: Outgoing): Promise<Call> {
  const { promptTokens, completionTokens, openChoices } = call.demand;
  // What a template adds is counted when it is known: few have limits so narrow that it mattered, and those could ask nothing.
  const prompt = chargeableMost(promptTokens);
  const least = openChoices === undefined ? completionTokens : Math.min(completionTokens, openChoices * OPEN_ANSWER_LEAST);
  const aside = await out.reserve(prompt + least, prompt + completionTokens);
  return aside === undefined || openChoices === undefined ? call : bounded(call, Math.floor((aside - prompt) / openChoices) * openChoices);
}

/** How a request ended, as its log says it. */
function endOf(failure: unknown): { status: number; error: string | null } {
  if (failure === undefined) return { status: OK, error: null };
  if (failure instanceof GatewayError) return { status: failure.status, error: failure.code };
  return failure instanceof UpstreamError ? { status: CLIENT_GONE, error: failure.fault } : { status: UNEXPECTED, error: 'internal_error' };
}

type Keep = (answer: Omit<KeptAnswer, 'bodyHash'>) => Promise<void>;

/** The answer of an earlier request under the same key. */
function repeat({ streamed, text }: KeptAnswer, out: Outgoing): void {
  const said = ['idempotent-replayed', 'true'];
  if (!streamed) return out.json(200, text, said);
  out.streamHead(said);
  out.lastPiece(text);
}

/** @param demoAddresses `host:port` of the demo's providers, which endpoints may use although not public */
export async function openGateway(services: GatewayServices, demoAddresses: readonly string[]): Promise<Gateway> {
  const { config, database, projections } = services;
  const history: SpendingHistory = async (ask) => {
    if (!(await projections.waitFor(ask.untilSequence, PROJECTIONS_MILLIS_MAX, ['delivery', 'orders']))) throw new Unavailable('the projections are behind');
    return keySpending(database, { ...ask, keys: await ('line' in ask ? keysOfLine(database, ask.line) : keysOfProject(database, ask.project)) });
  };
  const gateway = new Gateway({ services, rows: new StoredEndpoints(database), history, answers: new StoredAnswers(database), addresses: [...config.endpointAllow, ...demoAddresses], demoAddresses, references: new StoredReferences(database), logbook: new StoredLogbook(database, services.log), versions: new StoredVersions(database), runs: new StoredRuns(database), loadTests: new StoredLoadTests(database), onRefusal: new FullBudgets(services).refused, pace: config.demo ? 'noted' : 'required' });
  await gateway.start();
  gateway.watch.start();
  services.clockFollowers.add(() => gateway.watch.clockMoved());
  return gateway;
}
