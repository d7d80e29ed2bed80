/** Builds the app: OpenAI's paths behind a door of their own, all others on express. It needs no port, so tests mount it where they like. */
import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import express from 'express';
import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import { ApiError } from './errors.ts';
import { Door } from './gateway/door.ts';
import { createMetrics } from './http/middleware/metrics.ts';
import { operationsRoutes } from './http/routes/operations_routes.ts';
import { isOpenAiPath, mountRoutes, requestIdOf } from './http/registry.ts';
import type { Serve } from './http/registry.ts';
import { levelOf, publicError, sendError } from './http/reply.ts';
import { requestIdFor, requireBounded } from './http/request_head.ts';
import type { Route } from './http/route.ts';
import { securityHeaders } from './http/middleware/security_headers.ts';
import { webApp } from './http/middleware/static_files.ts';
import { Turns } from './http/turns.ts';
import { UnderWay } from './http/under_way.ts';
import type { Services } from './services.ts';

export const API_VERSION = '0.1.0';
/** Requests to the exchange. */
const UNDER_WAY_MAX = 2_000;

export interface AppOptions {
  services: Services;
  routes: readonly Route[];
  /** Folder of the built web app; undefined: none is served. */
  webFolder?: string;
  /** Told of clients that come. Absent: requests are served at once. */
  turns?: Turns;
}

export function createApp({ services, routes, webFolder, turns = new Turns() }: AppOptions): RequestListener {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.enable('case sensitive routing');
  const metrics = createMetrics(services);
  const first = [identified, securityHeaders(services.config.production), boundedUrl, notStored];
  app.use(first);
  const isOpenAi = ({ path }: Route): boolean => isOpenAiPath(path);
  const door = new Door({ services, metrics, routes: routes.filter(isOpenAi) });
  const direct = mountRoutes(app, [...routes.filter((route) => !isOpenAi(route)), ...operationsRoutes(routes, metrics, API_VERSION)], { services, metrics });
  if (webFolder !== undefined) app.use(webApp(webFolder));
  app.use((_request, response) => sendError(response, new ApiError('not_found'), requestIdOf(response)));
  app.use(lastResort(services));
  const underWay = new UnderWay(UNDER_WAY_MAX);
  return (request, response) => {
    const url = pathOf(request.url ?? '');
    request.url = url;
    if (url.startsWith('/api/') && !underWay.enter(request, response)) {
      if (underWay.floods(request)) {
        response.setHeader('connection', 'close');
        request.socket.pause();
      }
      return sendError(response as Response, new ApiError('unavailable', { retryAfterSeconds: 1 }), randomUUID());
    }
    turns.take(() => {
      const serve = direct.get(`${request.method} ${url}`);
      if (serve !== undefined) through(first, Object.assign(request, { originalUrl: url, params: {}, query: {} }) as Request, response as Response, serve);
      else if (isOpenAiPath(url.split('?', 1)[0])) door.serve(request, response);
      else app(request, response);
    });
  };
}

/** A client that goes through a proxy may name the whole address (RFC 9112, 3.2.2). */
const pathOf = (target: string): string => (target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?]*\/?/i, '/'));

/** What express does for a route, without the search for it. */
function through(handlers: readonly RequestHandler[], request: Request, response: Response, serve: Serve): void {
  const [next, ...rest] = handlers;
  if (next === undefined) void serve(request, response);
  else void next(request, response, () => through(rest, request, response, serve));
}

const identified: RequestHandler = (request, response, next) => {
  response.setHeader('x-request-id', requestIdFor(request));
  next();
};

const boundedUrl: RequestHandler = (request, _response, next) => {
  requireBounded(request.url);
  next();
};

/** Answers of the api are about now and about one account. */
const notStored: RequestHandler = (_request, response, next) => {
  response.setHeader('cache-control', 'no-store');
  next();
};

const lastResort =
  (services: Services): ErrorRequestHandler =>
  (error: unknown, _request, response, _next) => {
    const shown = publicError(error);
    if (shown.status >= 500) services.log[levelOf(shown)]({ err: error, request_id: requestIdOf(response) }, 'request failed');
    if (response.headersSent) response.destroy();
    else sendError(response, shown, requestIdOf(response));
  };
