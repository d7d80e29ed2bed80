/**
 * The door of OpenAI's paths. They answer before express: whatever is asked under /v1 is met by the
 * same steps in the same order (who is calling, how often, what was sent, whether it is well formed), in
 * OpenAI's words, with the headers that its clients read.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request } from 'express';
import type { Response } from 'express';
import { ApiError, GatewayError } from '../errors.ts';
import { BODY_LIMIT_BYTES, RESERVED_IN_PASSING, hasBody, parseJson } from '../http/middleware/body.ts';
import type { Metrics } from '../http/middleware/metrics.ts';
import { Patience } from '../http/middleware/patience.ts';
import { RateLimit } from '../http/middleware/rate_limit.ts';
import { checked, idempotencyKeyOf, principalOf, requireRight } from '../http/registry.ts';
import { levelOf, publicError } from '../http/reply.ts';
import { requestIdFor, requireBounded } from '../http/request_head.ts';
import type { Principal } from '../auth/principal.ts';
import type { Route } from '../http/route.ts';
import type { Services } from '../services.ts';
import { Outgoing } from './relay/outgoing.ts';
import { Pace } from './relay/pace.ts';
import { readBody } from './request_body.ts';

const HEADER_NAMES = /^[A-Za-z0-9-]{1,64}(?:, ?[A-Za-z0-9-]{1,64}){0,63}$/;
const EMPTY = Buffer.alloc(0);
const SECONDS_PER_MINUTE = 60;

interface DoorParts {
  services: Services;
  metrics: Metrics;
  routes: readonly Route[];
}

/** A path, and what may be done there. */
type Methods = Map<string, Route>;

export class Door {
  private readonly services: Services;
  private readonly metrics: Metrics;
  private readonly limits: RateLimit;
  private readonly pace: Pace;
  private readonly patience: Patience;
  private readonly exact = new Map<string, Methods>();
  /** Paths whose end is a name, which may have slashes: the part before it. */
  private readonly named = new Map<string, Methods>();

  constructor({ services, metrics, routes }: DoorParts) {
    this.services = services;
    this.metrics = metrics;
    this.limits = new RateLimit(services.config.rateLimit, services.tallies?.of('gateway'));
    this.pace = new Pace(services.config.rateLimit * SECONDS_PER_MINUTE, services);
    this.patience = Patience.with(services.database);
    for (const route of routes) {
      const [fixed, name] = route.path.split('{');
      const paths = name === undefined ? this.exact : this.named;
      const methods = paths.get(fixed) ?? new Map<string, Route>();
      methods.set(route.method.toUpperCase(), route);
      paths.set(fixed, methods);
    }
  }

  serve(request: IncomingMessage, response: ServerResponse): void {
    const out = new Outgoing(response, requestIdFor(request));
    this.answer(request, out).catch((error: unknown) => this.fail(error, out));
  }

  private async answer(request: IncomingMessage, out: Outgoing): Promise<void> {
    const url = request.url ?? '/';
    requireBounded(url);
    const mark = url.indexOf('?');
    const asked = mark === -1 ? url : url.slice(0, mark);
    const path = asked.length > 1 && asked.endsWith('/') ? asked.slice(0, -1) : asked;
    const found = this.find(path);
    if (found === undefined) return this.refuse(request, out, new ApiError('not_found'));
    const { methods, name } = found;
    if (request.method === 'OPTIONS') return this.preflight(request, out, methods);
    const route = methods.get(request.method === 'HEAD' ? 'GET' : (request.method ?? ''));
    if (route === undefined) return this.refuse(request, out, new ApiError('method_not_allowed', { values: { method: request.method ?? '' } }), ['allow', [...methods.keys()].join(', ')]);
    out.response.once('close', () => this.metrics.observe(route, out.response.statusCode, performance.now() - out.started));
    const query = mark === -1 ? {} : Object.fromEntries(new URLSearchParams(url.slice(mark + 1)));
    const work = this.handle(route, request, out, { params: name === undefined ? {} : { id: name }, query });
    // An answer of a model may last; it meets an absent database when it settles.
    await (route.method === 'get' ? this.patience.with(work) : work);
  }

  private preflight(request: IncomingMessage, out: Outgoing, methods: Methods): void {
    this.countAddress(request.socket.remoteAddress ?? '', out);
    const wanted = request.headers['access-control-request-headers'] ?? '';
    out.preflight([...methods.keys()].join(', '), HEADER_NAMES.test(wanted) ? wanted : 'authorization, content-type');
  }

  private find(path: string): { methods: Methods; name?: string } | undefined {
    const methods = this.exact.get(path);
    if (methods !== undefined) return { methods };
    for (const [fixed, named] of this.named) {
      if (path.length > fixed.length && path.startsWith(fixed)) return { methods: named, name: decodeURIComponent(path.slice(fixed.length)) };
    }
    return undefined;
  }

  private async handle(route: Route, request: IncomingMessage, out: Outgoing, { params, query }: { params: object; query: object }): Promise<void> {
    const { services } = this;
    const address = request.socket.remoteAddress ?? '';
    const principal = await this.admitted(route, request, address, out);
    const raw = hasBody(request) ? await readBody(request, route.bodyLimit ?? BODY_LIMIT_BYTES) : EMPTY;
    const value: unknown = raw.length === 0 ? {} : parseJson(raw, RESERVED_IN_PASSING);
    const idempotencyKey = idempotencyKeyOf(route, request, principal);
    const reply = await route.handle({
      services, principal, requestId: out.requestId, idempotencyKey,
      bodyHash: idempotencyKey === '' ? '' : createHash('sha256').update(request.url ?? '').update('\0').update(raw).digest('base64url'),
      params: checked(route.params, params, 'params'), query: checked(route.query, query, 'query'), body: route.isOrdinary?.(value) === true ? value : checked(route.body, value, 'body'),
      rawBody: raw, address, request: request as Request, response: out.response as Response, out,
    });
    if (reply !== undefined) out.json(reply.status, typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body), Object.entries(reply.headers ?? {}).flat());
  }

  /** Who is calling, and whether it may at present. */
  private async admitted(route: Route, request: IncomingMessage, address: string, out: Outgoing): Promise<Principal | undefined> {
    // Until it is known who asks, the address is counted.
    let principal;
    try {
      principal = await principalOf(route, request, address, this.services);
    } catch (error) {
      this.countAddress(address, out);
      throw error;
    }
    if (principal === undefined) {
      this.countAddress(address, out);
      return undefined;
    }
    out.window = this.pace.windowOf(`${principal.company}:${principal.apiKey?.line ?? principal.key}`, principal.apiKey);
    this.limits.require(`company ${principal.company}`);
    requireRight(route, principal);
    await out.window.request(Date.now());
    return principal;
  }

  private countAddress(address: string, out: Outgoing): void {
    out.window = this.pace.windowOf(`address ${address}`);
    this.limits.require(`address ${address}`);
    // An address has no limit of its own, of which others were to be asked.
    void out.window.request(Date.now());
  }

  private refuse(request: IncomingMessage, out: Outgoing, error: ApiError, headers: readonly string[] = []): void {
    this.countAddress(request.socket.remoteAddress ?? '', out);
    out.error(error, headers);
  }

  private fail(error: unknown, out: Outgoing): void {
    const shown = publicError(error);
    if (shown.status >= 500 && !(shown instanceof GatewayError)) this.services.log[levelOf(shown)]({ err: error, request_id: out.requestId }, 'request failed');
    else if (shown.status >= 500) this.services.log.debug({ err: error, request_id: out.requestId }, 'a provider failed');
    // A stream that had been kept waiting has told of its failure itself.
    if (out.response.writableEnded) return;
    if (out.response.headersSent) out.response.destroy();
    else out.error(shown);
  }
}
