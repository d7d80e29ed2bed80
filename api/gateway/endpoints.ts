/**
 * The endpoints that serve, in memory: by provider, market and model. Other processes register
 * endpoints too, so the table is read again each second. An endpoint that fails several times in a row
 * rests for a while; then one request tries it.
 */
import type { Logger } from 'pino';
import { findModel } from './catalogue/catalogue.ts';
import type { EndpointRow, EndpointRows } from './endpoint_rows.ts';
import type { Target } from './upstream.ts';
import type { Vault } from './vault.ts';

export interface Endpoint {
  readonly id: string;
  readonly company: number;
  readonly market: number;
  readonly target: Target;
  /** The catalogue's id of a model -> what the endpoint calls it. */
  readonly models: ReadonlyMap<string, string>;
}

/** What is known of how an endpoint does; survives reading the table again. */
interface Health {
  inFlight: number;
  failures: number;
  restsUntil: number;
}

const REFRESH_MILLIS = 1_000;
const FAILURES_MAX = 3;
const REST_MILLIS = 10_000;

/** Where a model may be asked for. */
export interface Place {
  provider: number;
  market: number;
}

export class Endpoints {
  private readonly rows: EndpointRows;
  private readonly vault: Vault;
  private readonly log: Logger;
  private endpoints: Endpoint[] = [];
  private readonly health = new Map<string, Health>();
  /** Endpoints as they were opened, with what of their rows they were made of. */
  private readonly opened = new Map<string, { endpoint: Endpoint; signature: string }>();
  private timer: NodeJS.Timeout | undefined;

  constructor(rows: EndpointRows, vault: Vault, log: Logger) {
    this.rows = rows;
    this.vault = vault;
    this.log = log;
  }

  async start(): Promise<void> {
    await this.refresh();
    this.timer = setInterval(() => {
      this.refresh().catch((error: unknown) => this.log.warn({ err: error }, 'endpoints cannot be read'));
    }, REFRESH_MILLIS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Reads the table. @throws when the database is away; what was known stays. */
  async refresh(): Promise<void> {
    const rows = (await this.rows.all()).filter(({ status }) => status === 'verified');
    this.endpoints = rows.flatMap((row) => this.open(row) ?? []);
    const known = new Set(rows.map(({ id }) => id));
    for (const id of this.health.keys()) if (!known.has(id)) this.health.delete(id);
    for (const id of this.opened.keys()) if (!known.has(id)) this.opened.delete(id);
  }

  /** Endpoints of the model that take requests now, of one place or of all. */
  serving(model: string, place?: Place): Endpoint[] {
    const now = Date.now();
    return this.endpoints.filter(
      (endpoint) =>
        endpoint.models.has(model) &&
        (place === undefined || (endpoint.company === place.provider && endpoint.market === place.market)) &&
        this.healthOf(endpoint).restsUntil <= now,
    );
  }

  /** Models that some endpoint serves. */
  servedModels(): Set<string> {
    return new Set(this.endpoints.flatMap(({ models }) => [...models.keys()]));
  }

  /** The endpoint with the fewest requests under way. */
  leastBusy(candidates: readonly Endpoint[]): Endpoint | undefined {
    let best: Endpoint | undefined;
    for (const endpoint of candidates) {
      if (best === undefined || this.healthOf(endpoint).inFlight < this.healthOf(best).inFlight) best = endpoint;
    }
    return best;
  }

  began(endpoint: Endpoint): void {
    this.healthOf(endpoint).inFlight += 1;
  }

  /** @param fault the endpoint's fault; undefined when nobody can say */
  ended(endpoint: Endpoint, fault: boolean | undefined): void {
    const health = this.healthOf(endpoint);
    health.inFlight -= 1;
    if (fault === undefined) return;
    health.failures = fault ? health.failures + 1 : 0;
    if (health.failures < FAILURES_MAX) return;
    health.restsUntil = Date.now() + REST_MILLIS;
    // One more failure after the rest is enough for the next.
    health.failures = FAILURES_MAX - 1;
  }

  private healthOf(endpoint: Endpoint): Health {
    let health = this.health.get(endpoint.id);
    if (health === undefined) this.health.set(endpoint.id, (health = { inFlight: 0, failures: 0, restsUntil: 0 }));
    return health;
  }

  private open(row: EndpointRow): Endpoint | undefined {
    const known = this.opened.get(row.id);
    if (known !== undefined && known.signature === signatureOf(row)) return known.endpoint;
    try {
      const endpoint = { id: row.id, company: row.company, market: row.market, target: targetOf(row, this.vault), models: namesOf(row.models) };
      this.opened.set(row.id, { endpoint, signature: signatureOf(row) });
      return endpoint;
    } catch (error) {
      this.log.error({ err: error, endpoint: row.id }, 'the credential of an endpoint cannot be opened; it is left out');
      return undefined;
    }
  }
}

const signatureOf = (row: EndpointRow): string => JSON.stringify([row.company, row.market, row.url, row.models, row.credential?.toString('base64')]);

/** Where requests go. @throws Error when the credential cannot be opened */
export function targetOf(row: EndpointRow, vault: Vault): Target {
  const url = new URL(row.url);
  const path = url.pathname.replace(/\/+$/, '');
  return { url: `${url.origin}${path === '' ? '/v1' : path}`, credential: row.credential === null ? undefined : vault.open(row.credential, row.id) };
}

function namesOf(models: readonly string[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const name of models) {
    const model = findModel(name);
    if (model !== undefined && !names.has(model.id)) names.set(model.id, name);
  }
  return names;
}
