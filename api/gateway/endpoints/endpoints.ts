/**
 * The endpoints that serve, in memory: by provider, market and model. Other processes register
 * endpoints too, so the table is read again each second. An endpoint that fails several times in a row
 * rests for a while; then one request tries it.
 */
import type { Logger } from 'pino';
import { MILLIS_PER_MINUTE } from '../../../engine/numbers/units.ts';
import type { Strategy } from '../relay/call.ts';
import { findModel } from '../catalogue/catalogue.ts';
import { STREAMS } from '../catalogue/roofline.ts';
import type { Signal } from '../relay/departure.ts';
import type { EndpointRow, EndpointRows } from './endpoint_rows.ts';
import { Lane } from '../relay/lanes.ts';
import type { Entry } from '../relay/lanes.ts';
import type { Place } from './place.ts';
import { Tallies } from './tallies.ts';
import { NO_NEED } from '../relay/room_shares.ts';
import type { Need, Rooms } from '../relay/room_shares.ts';
import type { Target } from '../relay/upstream.ts';
import type { Directory } from '../../directory.ts';
import type { Services } from '../../services.ts';
import type { Vault } from './vault.ts';
import type { EndpointNeeds } from '../../auth/keys.ts';

export interface Endpoint {
  readonly id: string;
  readonly company: number;
  readonly market: number;
  readonly target: Target;
  readonly precision: string | null;
  readonly country: string | null;
  readonly promptRetention: string | null;
  /** The catalogue's id of a model -> what the endpoint calls it. */
  readonly models: ReadonlyMap<string, string>;
}

/** What is known of how an endpoint does; survives reading the table again. */
interface Health {
  inFlight: number;
  failures: number;
  restsUntil: number;
  /** It has failed too often in a row and has answered nothing since. */
  tripped: boolean;
  /** Requests under way that find out whether it answers again. */
  trials: number;
  /** It wants to be left alone until then. */
  busyUntil: number;
  /** Mean time to the first byte, milliseconds, newer answers counting more. */
  latency: number;
  lane: Lane;
  /** Room for requests, in streams of one GPU; see `STREAMS`. */
  capacity: number;
  /** Paths that the endpoint does not know, and until when that is believed. */
  lacks: Map<string, number>;
  /** Heartbeats in a row that it did not answer. */
  missed: number;
  /** Models of which its last canary failed. */
  failing: ReadonlySet<string>;
}

const REFRESH_MILLIS = 1_000;
const FAILURES_MAX = 3;
const REST_MILLIS = 10_000;
const MILLIS_PER_SECOND = 1_000;
const MISSED_MAX = 2;
const LACKS_MILLIS = 10 * 60_000;
const LATENCY_SHARE = 0.2;
/** What is remembered of who was served where. */
const SESSIONS_MAX = 20_000;
const NO_MODELS: ReadonlySet<string> = new Set();

export interface EndpointsParts extends Pick<Services, 'vault' | 'log' | 'directory' | 'committed' | 'rooms'> {
  rows: EndpointRows;
}

export class Endpoints {
  /** What became of requests, by place. */
  readonly tallies: Tallies;
  private readonly rows: EndpointRows;
  private readonly vault: Vault;
  private readonly log: Logger;
  private readonly directory: Pick<Directory, 'capacities'>;
  private readonly rooms: Rooms | undefined;
  private endpoints: Endpoint[] = [];
  /** The endpoint that last served requests which have something in common. */
  private readonly sessions = new Map<string, string>();
  private readonly health = new Map<string, Health>();
  /** Endpoints as they were opened, with what of their rows they were made of. */
  private readonly opened = new Map<string, { endpoint: Endpoint; signature: string }>();
  private timer: NodeJS.Timeout | undefined;

  constructor({ rows, vault, log, directory, committed, rooms }: EndpointsParts) {
    this.rooms = rooms;
    this.directory = directory;
    this.rows = rows;
    this.vault = vault;
    this.log = log;
    this.tallies = new Tallies(() => Math.floor(committed.now / MILLIS_PER_MINUTE));
  }

  async start(): Promise<void> {
    await this.refresh();
    this.rooms?.begin(() => this.needs(), () => this.admit());
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
    this.measureRoom();
  }

  /** A provider's verified GPUs on a market serve so many streams at once, over all its endpoints there. */
  private measureRoom(): void {
    const shared = new Map<string, Endpoint[]>();
    for (const endpoint of this.endpoints) {
      const name = placeKey(endpoint);
      shared.set(name, [...(shared.get(name) ?? []), endpoint]);
    }
    for (const capacity of this.directory.capacities()) {
      const endpoints = shared.get(placeKey(capacity)) ?? [];
      for (const endpoint of endpoints) this.healthOf(endpoint).capacity = (capacity.verified * STREAMS) / endpoints.length;
    }
  }

  /** What of an endpoint's room is this gateway's. */
  private roomOf(endpoint: Endpoint): number {
    const { capacity } = this.healthOf(endpoint);
    return this.rooms?.share(endpoint.id, capacity) ?? capacity;
  }

  private needs(): Map<string, Need> {
    const needs = new Map<string, Need>();
    for (const { id } of this.endpoints) {
      const { taken, wanted } = this.health.get(id)?.lane ?? NO_NEED;
      if (wanted > 0) needs.set(id, { taken, wanted });
    }
    return needs;
  }

  /** Others may have left room. */
  private admit(): void {
    for (const endpoint of this.endpoints) this.healthOf(endpoint).lane.admit(this.roomOf(endpoint));
  }

  /** Endpoints of the model that take requests now, of one place or of all; else those whose rest is over; where all of them rest, one request at a time tries each. */
  serving(model: string, place?: Place, needs: EndpointNeeds | null = null): Endpoint[] {
    const now = Date.now();
    const found = this.endpoints.filter(
      (endpoint) => endpoint.models.has(model) && meets(endpoint, needs) && (place === undefined || (endpoint.company === place.provider && endpoint.market === place.market)),
    ).filter((endpoint) => this.healthOf(endpoint).busyUntil <= now);
    const well = found.filter((endpoint) => !rests(this.healthOf(endpoint), now));
    if (well.length > 0) return well;
    const rested = found.filter((endpoint) => this.healthOf(endpoint).restsUntil <= now);
    return rested.length > 0 ? rested : found.filter((endpoint) => this.healthOf(endpoint).trials === 0);
  }

  /** Places of the model where every endpoint rests or is silent: they are for requests that nobody else can serve. */
  avoided(model: string, needs: EndpointNeeds | null): Place[] {
    const now = Date.now();
    const isAvoided = (endpoint: Endpoint): boolean => {
      const health = this.healthOf(endpoint);
      return health.missed >= MISSED_MAX || rests(health, now);
    };
    return this.endpoints.some(isAvoided) ? this.unfit(model, needs, (endpoint) => !isAvoided(endpoint)) : [];
  }

  /** Places that have the model, but no endpoint of the kind that is needed, or none that may be asked. */
  unfit(model: string, needs: EndpointNeeds | null, mayBe?: (endpoint: Endpoint) => boolean): Place[] {
    if (needs === null && mayBe === undefined) return [];
    const fit = new Set(this.endpoints.filter((endpoint) => endpoint.models.has(model) && meets(endpoint, needs) && mayBe?.(endpoint) !== false).map(placeKey));
    const others = new Map(this.endpoints.filter((endpoint) => endpoint.models.has(model) && !fit.has(placeKey(endpoint))).map((endpoint) => [placeKey(endpoint), endpoint]));
    return Array.from(others.values(), ({ company, market }) => ({ provider: company, market }));
  }

  /** All that are verified, whether they rest or not. */
  all(): readonly Endpoint[] {
    return this.endpoints;
  }

  /** Whether nothing is known to be wrong with it: it does not rest, answers heartbeats, and its last canary of the model. */
  isWell(endpoint: Endpoint, model: string): boolean {
    const health = this.healthOf(endpoint);
    const now = Date.now();
    return !rests(health, now) && health.busyUntil <= now && health.missed === 0 && !health.failing.has(model);
  }

  /** What its last canaries found. */
  probed(endpoint: Endpoint, failing: ReadonlySet<string>): void {
    this.healthOf(endpoint).failing = failing;
  }

  /** Whether it has answered a heartbeat. One that is silent is asked only when no other can be. */
  heard(endpoint: Endpoint, ok: boolean): void {
    const health = this.healthOf(endpoint);
    health.missed = ok ? 0 : health.missed + 1;
  }

  /** Models that some endpoint serves. */
  servedModels(): Set<string> {
    return new Set(this.endpoints.flatMap(({ models }) => [...models.keys()]));
  }

  /** One that answers heartbeats before one that does not, one with room before one without, then where the session was served last, then by the strategy. */
  choose(candidates: readonly Endpoint[], by: { strategy: Strategy; session: string; room: number }): Endpoint | undefined {
    const session = by.session === '' ? undefined : this.sessions.get(by.session);
    let best: Endpoint | undefined;
    let bestRank: readonly number[] = [];
    for (const endpoint of candidates) {
      const health = this.healthOf(endpoint);
      const load = health.inFlight;
      const rank = [health.missed < MISSED_MAX ? 0 : 1, health.lane.hasRoom(by.room, this.roomOf(endpoint)) ? 0 : 1, endpoint.id === session ? 0 : 1, by.strategy === 'latency' ? health.latency : load, by.session === '' ? 0 : spread(by.session, endpoint.id)];
      if (best !== undefined && !isLess(rank, bestRank)) continue;
      best = endpoint;
      bestRank = rank;
    }
    return best;
  }

  /** Places in the order in which a strategy would have them; empty when price alone decides. */
  preferred(model: string, strategy: Strategy, session: string, needs: EndpointNeeds | null): Place[] {
    const last = session === '' ? undefined : this.sessions.get(session);
    if (strategy === 'price' && last === undefined) return [];
    const ranked = this.serving(model, undefined, needs).map((endpoint) => {
      const { latency, inFlight, capacity } = this.healthOf(endpoint);
      const rank = strategy === 'price' ? 0 : strategy === 'latency' ? latency : inFlight / Math.max(1, capacity);
      return { endpoint, rank: endpoint.id === last ? -1 : rank };
    });
    return ranked.filter(({ rank }) => strategy !== 'price' || rank < 0).sort((a, b) => a.rank - b.rank)
      .map(({ endpoint }) => ({ provider: endpoint.company, market: endpoint.market }));
  }

  /** Resolves with true when the request may go to the endpoint; `ended` gives its room back. */
  enter(endpoint: Endpoint, entry: Entry, millis: number, signal: Signal): boolean | Promise<boolean> {
    const { lane } = this.healthOf(endpoint);
    return lane.tryEnter(entry, this.roomOf(endpoint)) || (millis > 0 && lane.wait(entry, millis, signal));
  }

  left(endpoint: Endpoint, room: number): void {
    this.healthOf(endpoint).lane.left(room, this.roomOf(endpoint));
  }

  /** An answer began so many milliseconds after it was asked for. */
  answered(endpoint: Endpoint, millis: number, session: string): void {
    const health = this.healthOf(endpoint);
    health.latency += (millis - health.latency) * (health.latency === 0 ? 1 : LATENCY_SHARE);
    // One failure of what follows is enough for another rest.
    if (health.restsUntil <= Date.now()) {
      health.tripped = false;
      health.trials = 0;
    }
    if (session === '') return;
    // The newest stand last; the oldest are forgotten.
    this.sessions.delete(session);
    this.sessions.set(session, endpoint.id);
    if (this.sessions.size > SESSIONS_MAX) this.sessions.delete(this.sessions.keys().next().value ?? '');
  }

  lacks(endpoint: Endpoint, path: string): boolean {
    return (this.healthOf(endpoint).lacks.get(path) ?? 0) > Date.now();
  }
  learnedLack(endpoint: Endpoint, path: string): void {
    this.healthOf(endpoint).lacks.set(path, Date.now() + LACKS_MILLIS);
  }

  began(endpoint: Endpoint): void {
    const health = this.healthOf(endpoint);
    health.inFlight += 1;
    if (health.tripped) health.trials += 1;
  }

  /** @param fault the endpoint's fault; undefined when nobody can say */
  ended(endpoint: Endpoint, fault: boolean | undefined): void {
    const health = this.healthOf(endpoint);
    health.inFlight -= 1;
    // One that had begun before counts as a trial too: what it says is as new.
    if (health.trials > 0) health.trials -= 1;
    if (fault === undefined) return;
    this.tallies.count({ provider: endpoint.company, market: endpoint.market }, fault);
    health.failures = fault ? health.failures + 1 : 0;
    if (!fault) {
      health.restsUntil = 0;
      health.tripped = false;
      health.trials = 0;
    }
    if (health.failures < FAILURES_MAX) return;
    health.restsUntil = Date.now() + REST_MILLIS;
    health.tripped = true;
    // One more failure after the rest is enough for the next.
    health.failures = FAILURES_MAX - 1;
  }

  /** It has asked to be left alone for so long. */
  rest(endpoint: Endpoint, seconds: number): void {
    const health = this.healthOf(endpoint);
    health.busyUntil = Math.max(health.busyUntil, Date.now() + seconds * MILLIS_PER_SECOND);
  }

  /** Seconds until some endpoint of the model wants to be asked again; undefined when none has asked to be left alone. What it does not serve meanwhile, it fails. */
  turnedAway(model: string, { provider, market }: Place): number | undefined {
    const now = Date.now();
    const waits = this.endpoints.filter((endpoint) => endpoint.models.has(model) && endpoint.company === provider && endpoint.market === market)
      .map((endpoint) => this.healthOf(endpoint).busyUntil - now).filter((wait) => wait > 0);
    if (waits.length === 0) return undefined;
    this.tallies.count({ provider, market }, true);
    return Math.ceil(Math.min(...waits) / MILLIS_PER_SECOND);
  }

  private healthOf(endpoint: Endpoint): Health {
    let health = this.health.get(endpoint.id);
    if (health === undefined) this.health.set(endpoint.id, (health = { inFlight: 0, failures: 0, restsUntil: 0, tripped: false, trials: 0, busyUntil: 0, latency: 0, lane: new Lane(), capacity: Infinity, lacks: new Map(), missed: 0, failing: NO_MODELS }));
    return health;
  }

  private open(row: EndpointRow): Endpoint | undefined {
    const known = this.opened.get(row.id);
    if (known !== undefined && known.signature === signatureOf(row)) return known.endpoint;
    try {
      const endpoint = { id: row.id, company: row.company, market: row.market, target: targetOf(row, this.vault), models: namesOf(row.models), ...promisesOf(row) };
      this.opened.set(row.id, { endpoint, signature: signatureOf(row) });
      return endpoint;
    } catch (error) {
      this.log.error({ err: error, endpoint: row.id }, 'the credential of an endpoint cannot be opened; it is left out');
      return undefined;
    }
  }
}

/** After its rest, one request at a time finds out whether it answers again. */
const rests = ({ restsUntil, tripped, trials }: Health, now: number): boolean => restsUntil > now || (tripped && trials > 0);

function isLess(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at !== -1 && a[at] < b[at];
}

/** Sessions that are new meet the endpoints of a place in an order of their own, the same in every process (FNV-1a). */
function spread(session: string, endpoint: string): number {
  let hash = 0x811c9dc5;
  for (const text of [session, endpoint]) for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return hash;
}

const signatureOf = (row: EndpointRow): string => JSON.stringify([row.company, row.market, row.url, row.models, row.credential?.toString('base64'), promisesOf(row)]);

/** Where requests go. @throws Error when the credential cannot be opened */
export function targetOf(row: EndpointRow, vault: Vault): Target {
  const url = new URL(row.url);
  const path = url.pathname.replace(/\/+$/, '');
  return { url: `${url.origin}${path === '' ? '/v1' : path}`, credential: row.credential === null ? undefined : vault.open(row.credential, row.id) };
}

export const placeKey = ({ company, market }: Pick<Endpoint, 'company' | 'market'>): string => `${company}:${market}`;

const isOneOf = (wanted: readonly string[] | null, value: string | null): boolean => wanted === null || (value !== null && wanted.some((one) => one.toLowerCase() === value.toLowerCase()));

/** What a provider does not say of its endpoint, nobody may rely on. */
function meets({ country, precision, promptRetention }: Endpoint, needs: EndpointNeeds | null): boolean {
  return needs === null || (isOneOf(needs.countries, country) && isOneOf(needs.precisions, precision) && isOneOf(needs.promptRetention, promptRetention));
}

const promisesOf = (row: EndpointRow): Pick<Endpoint, 'precision' | 'country' | 'promptRetention'> => ({
  precision: row.precision ?? null, country: row.country ?? null, promptRetention: row.prompt_retention ?? null,
});

function namesOf(models: readonly string[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const name of models) {
    const model = findModel(name);
    if (model !== undefined && !names.has(model.id)) names.set(model.id, name);
  }
  return names;
}
