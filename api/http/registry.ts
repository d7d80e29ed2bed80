/**
 * Mounts routes on express. Everything that is the same for each of them happens here, in this order:
 * who is calling, how often, what was sent, whether it is well formed; then the handler.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Express, Request, Response } from 'express';
import type { z } from 'zod';
import { ApiError } from '../errors.ts';
import type { Services } from '../services.ts';
import { bodyReader } from './middleware/body.ts';
import type { ReadBody } from './middleware/body.ts';
import { sealedReply, withOpenedCursor } from './wire/cursors.ts';
import type { Metrics } from './middleware/metrics.ts';
import { Patience } from './middleware/patience.ts';
import { RateLimit } from './middleware/rate_limit.ts';
import { levelOf, publicError, sendError, sendReply } from './reply.ts';
import type { Principal } from '../auth/principal.ts';
import type { Route, RouteContext } from './route.ts';

const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

export interface RegistryOptions {
  services: Services;
  metrics: Metrics;
}

export const isOpenAiPath = (path: string): boolean => path === '/v1' || path.startsWith('/v1/');
/** `/orders/{id}` as express writes it. */
export const expressPathOf = (route: Route): string => route.expressPath ?? route.path.replace(/\{([a-z_]+)\}/g, ':$1');

export type Serve = (request: Request, response: Response) => Promise<void>;

/** @returns what serves the routes that need nothing of express, by method and path: `POST /api/v1/orders` */
export function mountRoutes(app: Express, routes: readonly Route[], options: RegistryOptions): Map<string, Serve> {
  const limits = new RateLimit(options.services.config.rateLimit, options.services.tallies?.of('exchange'));
  const patience = Patience.with(options.services.database);
  const direct = new Map<string, Serve>();
  for (const route of routes) {
    const serve = server(route, { limits, patience }, options);
    app[route.method](expressPathOf(route), (request, response) => serve(request, response));
    if (route.direct === true) direct.set(`${route.method.toUpperCase()} ${route.path}`, serve);
  }
  refuseOtherMethods(app, routes);
  return direct;
}

/** A known path with a method it does not take: 405 with Allow. */
function refuseOtherMethods(app: Express, routes: readonly Route[]): void {
  const methods = new Map<string, string[]>();
  for (const route of routes) {
    const path = expressPathOf(route);
    methods.set(path, [...(methods.get(path) ?? []), route.method.toUpperCase()]);
  }
  for (const [path, allowed] of methods) {
    app.all(path, (request, response) => {
      response.setHeader('allow', allowed.join(', '));
      const error = new ApiError('method_not_allowed', { values: { method: request.method } });
      sendError(response, error, requestIdOf(response));
    });
  }
}

export const requestIdOf = (response: Response): string => String(response.getHeader('x-request-id') ?? '');

function server(route: Route, { limits, patience }: { limits: RateLimit; patience: Patience }, { services, metrics }: RegistryOptions): Serve {
  const readBody = bodyReader(route);
  return async (request, response) => {
    const started = performance.now();
    let keyed: Keyed | undefined;
    response.once('close', () => {
      const millis = performance.now() - started;
      metrics.observe(route, response.statusCode, millis);
      if (services.log.isLevelEnabled('debug')) services.log.debug({ route: route.operationId, status: response.statusCode, millis, request_id: requestIdOf(response) }, 'request');
    });
    try {
      const work = contextOf(route, request, response, { services, limits, readBody }).then((context) => {
        keyed = context;
        return route.handle(context);
      });
      const reply = await patience.with(work);
      if (reply !== undefined) sendReply(response, sealedReply(route.operationId, reply));
    } catch (thrown) {
      const error = keyed === undefined ? thrown : await keyFirst(services, keyed, thrown);
      const shown = publicError(error);
      if (shown.status >= 500) services.log[levelOf(shown)]({ err: error, route: route.operationId, request_id: requestIdOf(response) }, 'request failed');
      if (response.headersSent) response.destroy();
      else sendError(response, shown, requestIdOf(response));
    }
  };
}

/** A repeat is the same request: refusals name it, and are to be the same answer, whichever process gives it. */
function idOfRepeats(idempotencyKey: string, bodyHash: string): string {
  const hash = createHash('sha256').update(idempotencyKey).update('\0').update(bodyHash).digest('hex');
  return [hash.slice(0, 8), hash.slice(8, 12), hash.slice(12, 16), hash.slice(16, 20), hash.slice(20, 32)].join('-');
}

interface Means {
  services: Services;
  limits: RateLimit;
  readBody: (request: Request, response: Response) => Promise<ReadBody>;
}

async function contextOf(route: Route, request: Request, response: Response, means: Means): Promise<RouteContext<unknown, unknown, unknown>> {
  const { services } = means;
  const address = request.socket.remoteAddress ?? '';
  const principal = await principalOf(route, request, address, services);
  if (route.uncounted !== true) means.limits.take(principal === undefined ? `address ${address}` : `company ${principal.company}`, response);
  if (principal !== undefined) requireRight(route, principal);
  const { raw, value } = await means.readBody(request, response);
  const idempotencyKey = idempotencyKeyOf(route, request, principal);
  const bodyHash = idempotencyKey === '' ? '' : createHash('sha256').update(request.originalUrl).update('\0').update(raw).digest('base64url');
  if (idempotencyKey !== '' && requestIdOf(response) !== request.headers['x-request-id']) response.setHeader('x-request-id', idOfRepeats(idempotencyKey, bodyHash));
  let body: unknown;
  try {
    body = checked(route.body, value === undefined ? emptyBodyOf(route) : value, 'body');
  } catch (error) {
    throw await keyFirst(services, { idempotencyKey, bodyHash }, error);
  }
  return {
    services,
    principal,
    requestId: requestIdOf(response),
    idempotencyKey,
    bodyHash,
    params: checked(route.params, request.params, 'params'),
    query: withOpenedCursor(route.operationId, checked(route.query, request.query, 'query')),
    body,
    rawBody: raw,
    address,
    request,
    response,
  };
}

const UNUSABLE: ReadonlySet<number> = new Set([400, 422]);

type Keyed = Pick<RouteContext<unknown, unknown, unknown>, 'idempotencyKey' | 'bodyHash'>;

/** What to answer to a request that cannot be used: that its key had another body, of whichever call, before what is wrong with this one. */
async function keyFirst({ sequencer }: Services, { idempotencyKey, bodyHash }: Keyed, error: unknown): Promise<unknown> {
  if (idempotencyKey === '' || !(error instanceof ApiError) || !UNUSABLE.has(error.status)) return error;
  const known = await sequencer.query('keyUse', { key: idempotencyKey }).catch(() => null);
  return known === null || known === bodyHash ? error : new ApiError('idempotency_mismatch');
}

const emptyBodyOf = (route: Route): unknown => (route.contentType === undefined || route.contentType === 'application/json' ? {} : '');

/** On a public route an unusable key or session is as good as none. */
export async function principalOf(route: Route, request: IncomingMessage, address: string, services: Services): Promise<Principal | undefined> {
  const asked = services.auth.authenticate({ method: request.method ?? 'GET', headers: request.headers, address });
  const answer = asked instanceof Promise ? await asked : asked;
  if (answer.ok) return answer.principal;
  if (route.scope === 'public') return undefined;
  throw new ApiError(answer.reason);
}

export function requireRight(route: Route, principal: Principal): void {
  if (route.scope === 'public') return;
  const { roles } = route;
  if (roles !== undefined && roles.length > 0 && !roles.includes(principal.role)) throw new ApiError('role_not_allowed', { values: { roles: roles.join(', ') } });
  if (!principal.scopes.includes(route.scope)) throw new ApiError('insufficient_scope', { values: { scope: route.scope } });
}

/** Scoped by company, so that one client's keys never meet another's. The hash of the body names the path: on another one the same key is refused. */
export function idempotencyKeyOf(route: Route, request: IncomingMessage, principal: Principal | undefined): string {
  const header = request.headers['idempotency-key'];
  if (header === undefined || principal === undefined || route.method !== 'post' || route.scope === 'public') return '';
  if (typeof header !== 'string' || !IDEMPOTENCY_KEY.test(header)) throw new ApiError('invalid_idempotency_key');
  return `${principal.company}:${header}`;
}

/** @throws ApiError invalid_request naming the first field at fault */
export function checked(schema: z.ZodType | undefined, value: unknown, where: 'params' | 'query' | 'body'): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  // A path that cannot be a name of ours names nothing.
  if (where === 'params') throw new ApiError('not_found');
  const issue = result.error.issues[0];
  const field = issue.path.map(String).join('.') || (issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined);
  throw new ApiError('invalid_request', { field, values: { detail: field === undefined ? issue.message : `${field}: ${issue.message}` } });
}
