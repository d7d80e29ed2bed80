/** Reads a request's body within hard limits, before anything looks at it. */
import type { IncomingMessage } from 'node:http';
import express from 'express';
import type { Request, RequestHandler, Response } from 'express';
import { ApiError } from '../../errors.ts';
import { flawIn } from '../wire/json_scan.ts';
import type { JsonFlaw } from '../wire/json_scan.ts';
import type { Route } from '../route.ts';

export const BODY_LIMIT_BYTES = 256 * 1024;
const NESTING_LIMIT = 64;
/** What the prototype of an object could be reached by. What passes to a provider may describe such a field, but not have one that JavaScript reads otherwise. */
const RESERVED = new Set(['__proto__', 'constructor', 'prototype']);
export const RESERVED_IN_PASSING = new Set(['__proto__']);
const NAME_SHOWN = 64;
const EMPTY = Buffer.alloc(0);

export interface ReadBody {
  raw: Buffer;
  /** Parsed JSON, or text of another content type; undefined when there was none. */
  value: unknown;
}

/** A reader for one route: parsers are made once, not per request. */
export function bodyReader(route: Pick<Route, 'contentType' | 'bodyLimit' | 'path'>): (request: Request, response: Response) => Promise<ReadBody> {
  const expected = route.contentType ?? 'application/json';
  const limit = route.bodyLimit ?? BODY_LIMIT_BYTES;
  const reserved = route.path.startsWith('/api/') ? RESERVED : RESERVED_IN_PASSING;
  const parse = express.raw({ type: expected, limit, inflate: false });
  return async (request, response) => {
    if (!hasBody(request)) return { raw: EMPTY, value: undefined };
    requireType(request, expected);
    await run(parse, request, response).catch((error: unknown) => {
      throw bodyError(error, limit, expected);
    });
    const raw: unknown = request.body;
    if (!Buffer.isBuffer(raw) || raw.length === 0) return { raw: EMPTY, value: undefined };
    return { raw, value: expected === 'application/json' ? parseJson(raw, reserved) : decodeText(raw) };
  };
}

export const hasBody = (request: IncomingMessage): boolean =>
  request.headers['transfer-encoding'] !== undefined || (request.headers['content-length'] !== undefined && request.headers['content-length'] !== '0');

export function requireType(request: IncomingMessage, expected: string): void {
  if (request.headers['content-type'] === expected) return;
  const [type, ...parameters] = (request.headers['content-type'] ?? '').toLowerCase().split(';').map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice(8).replaceAll('"', '');
  const isUtf8 = charset === undefined || charset === 'utf-8' || charset === 'utf8';
  if (type !== expected || !isUtf8) throw new ApiError('unsupported_media_type', { values: { expected } });
}

const run = (handler: RequestHandler, request: Request, response: Response): Promise<void> =>
  new Promise((resolve, reject) => {
    void handler(request, response, (error?: unknown) => (error === undefined ? resolve() : reject(error instanceof Error ? error : new Error(String(error)))));
  });

function bodyError(error: unknown, limit: number, expected: string): unknown {
  const type = error instanceof Error && 'type' in error ? error.type : undefined;
  if (type === 'entity.too.large') return new ApiError('request_too_large', { values: { limit } });
  if (type === 'encoding.unsupported' || type === 'charset.unsupported') return new ApiError('unsupported_media_type', { values: { expected } });
  if (type === 'request.aborted' || type === 'request.size.invalid') return new ApiError('invalid_request', { values: { detail: 'The body is shorter or longer than announced.' } });
  return error;
}

/** @throws ApiError invalid_json, nesting_too_deep, duplicate_key, invalid_request */
export function parseJson(raw: Buffer, reserved: ReadonlySet<string>): unknown {
  const text = decodeText(raw);
  const flaw = flawIn(text, { depth: NESTING_LIMIT, reserved });
  if (flaw !== undefined) throw flawError(flaw);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new ApiError('invalid_json');
  }
}

function flawError(flaw: JsonFlaw): ApiError {
  if (flaw.kind === 'too_deep') return new ApiError('nesting_too_deep', { values: { limit: NESTING_LIMIT } });
  const field = flaw.name.slice(0, NAME_SHOWN);
  if (flaw.kind === 'duplicate') return new ApiError('duplicate_key', { field, values: { name: field } });
  return new ApiError('invalid_request', { field, values: { detail: `${field}: no field may have this name` } });
}

const utf8 = new TextDecoder('utf-8', { fatal: true });
function decodeText(raw: Buffer): string {
  try {
    return utf8.decode(raw);
  } catch {
    throw new ApiError('invalid_request', { values: { detail: 'The body is not valid UTF-8.' } });
  }
}
