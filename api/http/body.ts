/** Reads a request's body within hard limits, before anything looks at it. */
import express from 'express';
import type { Request, RequestHandler, Response } from 'express';
import { ApiError } from '../errors.ts';
import type { Route } from './route.ts';

export const BODY_LIMIT_BYTES = 256 * 1024;
const NESTING_LIMIT = 64;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);
const EMPTY = Buffer.alloc(0);

export interface ReadBody {
  raw: Buffer;
  /** Parsed JSON, or text of another content type; undefined when there was none. */
  value: unknown;
}

/** A reader for one route: parsers are made once, not per request. */
export function bodyReader(route: Pick<Route, 'contentType' | 'bodyLimit'>): (request: Request, response: Response) => Promise<ReadBody> {
  const expected = route.contentType ?? 'application/json';
  const limit = route.bodyLimit ?? BODY_LIMIT_BYTES;
  const parse = express.raw({ type: expected, limit, inflate: false });
  return async (request, response) => {
    if (!hasBody(request)) return { raw: EMPTY, value: undefined };
    requireType(request, expected);
    await run(parse, request, response).catch((error: unknown) => {
      throw bodyError(error, limit, expected);
    });
    const raw: unknown = request.body;
    if (!Buffer.isBuffer(raw) || raw.length === 0) return { raw: EMPTY, value: undefined };
    return { raw, value: expected === 'application/json' ? parseJson(raw) : decodeText(raw) };
  };
}

const hasBody = (request: Request): boolean =>
  request.headers['transfer-encoding'] !== undefined || (request.headers['content-length'] !== undefined && request.headers['content-length'] !== '0');

function requireType(request: Request, expected: string): void {
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

/** @throws ApiError invalid_json, nesting_too_deep */
export function parseJson(raw: Buffer): unknown {
  if (depthOf(raw) > NESTING_LIMIT) throw new ApiError('nesting_too_deep', { values: { limit: NESTING_LIMIT } });
  try {
    return JSON.parse(decodeText(raw)) as unknown;
  } catch (error) {
    throw error instanceof ApiError ? error : new ApiError('invalid_json');
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });
function decodeText(raw: Buffer): string {
  try {
    return utf8.decode(raw);
  } catch {
    throw new ApiError('invalid_request', { values: { detail: 'The body is not valid UTF-8.' } });
  }
}

/** Deepest nesting of brackets outside of strings; counted before a parser may follow them. */
export function depthOf(raw: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let index = 0; index < raw.length; index++) {
    const byte = raw[index];
    if (inString) {
      if (byte === BACKSLASH) index += 1;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (OPENING.has(byte)) deepest = Math.max(deepest, ++depth);
    else if (CLOSING.has(byte)) depth -= 1;
  }
  return deepest;
}
