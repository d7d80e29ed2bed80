/** The gateway: requests in OpenAI's protocol, paid from matched capacity. Built once by the composition root. */
import type { ServerResponse } from 'node:http';
import { keySpending } from '../../db/queries/key_spending.ts';
import type { Route } from '../http/route.ts';
import { Unavailable } from '../sequencer/port.ts';
import type { EndpointWatch, Services } from '../services.ts';
import { AddressGuard } from './address_guard.ts';
import { Attempts } from './attempts.ts';
import { admit } from './call.ts';
import type { Asked, Call } from './call.ts';
import type { Dialect } from './dialects/dialect.ts';
import { StoredEndpoints } from './endpoint_rows.ts';
import type { EndpointRows } from './endpoint_rows.ts';
import { EndpointWatcher } from './endpoint_watch.ts';
import { Endpoints } from './endpoints.ts';
import { Funding } from './funding.ts';
import { Prices } from './prices.ts';
import { StreamRelay } from './relay_stream.ts';
import { relayWhole } from './relay_whole.ts';
import { accountRoutes } from './routes/account_routes.ts';
import { inferenceRoutes } from './routes/inference_routes.ts';
import { modelRoutes } from './routes/model_routes.ts';
import { Settlement } from './settlement.ts';
import { Spending } from './spending.ts';
import type { SpendingHistory } from './spending.ts';
import { SpotBuyer } from './spot_buyer.ts';
import { TIMEOUTS, Upstream, UpstreamError } from './upstream.ts';
import type { Timeouts } from './upstream.ts';

export type GatewayServices = Pick<Services, 'config' | 'log' | 'sequencer' | 'committed' | 'database' | 'projections' | 'directory' | 'market' | 'vault'>;

export interface GatewayParts {
  services: Omit<GatewayServices, 'database' | 'projections' | 'config'>;
  rows: EndpointRows;
  history: SpendingHistory;
  /** `host:port` or CIDR that endpoints may use although not public. */
  addresses: readonly string[];
  timeouts?: Timeouts;
}

const PROJECTIONS_MILLIS_MAX = 3_000;

export class Gateway {
  readonly endpoints: EndpointWatch;
  readonly routes: Route[];
  private readonly parts: GatewayParts;
  private readonly known: Endpoints;
  private readonly watcher: EndpointWatcher;
  private readonly upstream: Upstream;
  private readonly spending: Spending;
  private readonly attempts: Attempts;
  private readonly settlement: Settlement;

  constructor(parts: GatewayParts) {
    const { services, rows } = parts;
    const guard = new AddressGuard(parts.addresses);
    this.parts = parts;
    this.upstream = new Upstream(guard, parts.timeouts ?? TIMEOUTS);
    this.known = new Endpoints(rows, services.vault, services.log);
    this.watcher = new EndpointWatcher({ services, rows, guard, upstream: this.upstream, endpoints: this.known });
    this.spending = new Spending(services, parts.history);
    const funding = new Funding(services, new SpotBuyer(services, this.known, this.spending), this.spending);
    this.attempts = new Attempts(funding, this.known, this.upstream);
    this.settlement = new Settlement(services);
    this.endpoints = this.watcher;
    this.routes = [...inferenceRoutes(this), ...modelRoutes(this.known, new Prices(services)), ...accountRoutes];
  }

  async start(): Promise<void> {
    await this.known.start();
    this.watcher.start();
  }

  close(): Promise<void> {
    this.watcher.stop();
    this.known.stop();
    this.spending.stop();
    this.upstream.close();
    return Promise.resolve();
  }

  /**
   * Serves one request. A stream is written to the response; anything else is returned.
   * @returns undefined when the response has been written, or nobody waits for it any more
   * @throws GatewayError, Unavailable
   */
  async serve(dialect: Dialect, asked: Asked, response: ServerResponse): Promise<object | undefined> {
    const call = admit(dialect, asked, this.parts.services.directory);
    const gone = new AbortController();
    const left = (): void => gone.abort();
    response.once('close', left);
    try {
      return await this.answer(call, gone.signal, response);
    } catch (error) {
      if (error instanceof UpstreamError && error.fault === 'aborted') return undefined;
      throw error;
    } finally {
      response.off('close', left);
    }
  }

  private answer(call: Call, signal: AbortSignal, response: ServerResponse): Promise<object | undefined> {
    const { settlement } = this;
    if (!call.streamed) return this.attempts.run(call, signal, (attempt) => relayWhole(call, attempt, settlement));
    return this.attempts.run(call, signal, async (attempt) => {
      await new StreamRelay(call, attempt, { response, settlement, log: this.parts.services.log }).run();
      return undefined;
    });
  }
}

/** @param addresses `host:port` or CIDR that endpoints may use although not public */
export async function openGateway(services: GatewayServices, addresses: readonly string[]): Promise<Gateway> {
  const { database, projections } = services;
  const history: SpendingHistory = async (ask) => {
    if (!(await projections.waitFor(ask.untilSequence, PROJECTIONS_MILLIS_MAX, ['delivery', 'orders']))) throw new Unavailable('the projections are behind');
    return keySpending(database, ask);
  };
  const gateway = new Gateway({ services, rows: new StoredEndpoints(database), history, addresses });
  await gateway.start();
  return gateway;
}
