/**
 * One description per route. Express mounting, input validation, the OpenAPI document, the web's
 * types and the authorisation test all derive from it, so none of them can forget a route.
 */
import type { Request, Response } from 'express';
import type { z } from 'zod';
import type { Role } from '../../engine/vocabulary.ts';
import type { Scope } from '../auth/keys.ts';
import type { Principal } from '../auth/principal.ts';
import type { Outgoing } from '../gateway/relay/outgoing.ts';
import type { Services } from '../services.ts';

export interface RouteContext<Params, Query, Body> {
  services: Services;
  /** Present unless the route is public; public routes see it when a valid key was sent. */
  principal: Principal | undefined;
  requestId: string;
  /** '' when the client sent none; else scoped by company and route, ready for an Envelope. */
  idempotencyKey: string;
  bodyHash: string;
  params: Params;
  query: Query;
  body: Body;
  /** The body's bytes as they were sent; empty when there were none. */
  rawBody: Buffer;
  /** Where the request came from. */
  address: string;
  /** For streams, cookies and the like; ordinary handlers return a Reply instead. */
  request: Request;
  response: Response;
  /** On OpenAI's paths: the way back. */
  out?: Outgoing;
}

/** What a handler answers; undefined when it has written the response itself. */
export interface Reply {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

export interface RouteSpec<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> {
  method: 'get' | 'post' | 'patch' | 'delete';
  /** OpenAPI form: /api/v1/orders/{id} */
  path: string;
  /** Express form where it differs from the OpenAPI one: wildcards. */
  expressPath?: string;
  /** A path without names whose handler needs nothing of express: it is served before express looks for it. */
  direct?: boolean;
  /** Asked by who watches over the process, as often as they like: no limit of requests counts it. */
  uncounted?: boolean;
  operationId: string;
  summary: string;
  tag: string;
  /** The scope a key must have; 'public' needs none. */
  scope: Scope;
  /** Roles that may call; empty or absent: every role. */
  roles?: readonly Role[];
  params?: P;
  query?: Q;
  body?: B;
  /** On OpenAI's paths: whether `body` takes a value as it is, found sooner; where it says no, `body` decides. */
  isOrdinary?: (body: unknown) => boolean;
  /** What the body must be; JSON unless told. A body of another type reaches the handler as text. */
  contentType?: 'application/json' | 'text/csv';
  /** Largest body in bytes; 256 KiB unless told. */
  bodyLimit?: number;
  /** Success bodies by status; the error body is added by the document. */
  responses: Record<number, { description: string; schema?: z.ZodType; contentType?: string }>;
  handle(context: RouteContext<z.output<P>, z.output<Q>, z.output<B>>): Promise<Reply | undefined>;
}

/** A route with its input types erased, as the registry keeps it. */
export type Route = RouteSpec<z.ZodType, z.ZodType, z.ZodType>;

/** Keeps the handler's input types while it is written, erases them for the registry. */
export const route = <P extends z.ZodType = z.ZodUndefined, Q extends z.ZodType = z.ZodUndefined, B extends z.ZodType = z.ZodUndefined>(spec: RouteSpec<P, Q, B>): Route =>
  spec as unknown as Route;
