/** The way back to one client of OpenAI's paths: every answer's head is written once, with what all of them bear. */
import type { ServerResponse } from 'node:http';
import { GATEWAY_ERRORS, GatewayError } from '../../errors.ts';
import type { ApiError, ErrorCode, GatewayErrorCode } from '../../errors.ts';
import type { Aside, PaceWindow } from './pace.ts';

/** Nothing here is a page: no browser need ever show, frame or guess it. */
const COMMON = [
  'x-content-type-options', 'nosniff', 'content-security-policy', "default-src 'none'; frame-ancestors 'none'", 'x-frame-options', 'DENY', 'referrer-policy', 'no-referrer',
  'openai-version', '2020-10-01',
  // A page of any site may ask with a key of its own; a session is never sent along.
  'access-control-allow-origin', '*', 'access-control-expose-headers', '*',
];
const STREAM_HEAD = ['content-type', 'text/event-stream; charset=utf-8', 'cache-control', 'no-cache', 'x-accel-buffering', 'no'];
const JSON_HEAD = ['content-type', 'application/json; charset=utf-8', 'cache-control', 'no-store'];

/** A comment of a stream. */
const KEEP_ALIVE = ': keep-alive\n\n';
export const KEEP_ALIVE_MILLIS = 10_000;
/** So often each stream is looked at in that time. */
const LOOKS = 10;

/** The longest wait that OpenAI's clients keep to. */
const RETRIED_SECONDS_MAX = 60;

/** A piece of a chunked body (RFC 9112, 7.1). */
const frameOf = (text: string, bytes: number): string => `${bytes.toString(16)}\r\n${text}\r\n`;

export class Outgoing {
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly started = performance.now();
  /** Of the account that asks, once it is known. */
  window: PaceWindow | undefined;
  /** Tokens that are set aside for the request there. */
  private reserved: Aside | undefined;
  /** Whether the client knows pieces with their length before them: one of HTTP/1.0 does not. */
  private framed = false;
  private waiting = false;
  private begun = false;
  /** Looks since the last piece. */
  private looks = 0;

  constructor(response: ServerResponse, requestId: string) {
    this.response = response;
    this.requestId = requestId;
  }

  /** Sets aside what the request may use of its account's tokens. @returns how many; undefined: they have no limit. @throws GatewayError rate_limit_exceeded */
  async reserve(least: number, most: number): Promise<number | undefined> {
    this.reserved = await this.window?.reserve(Date.now(), least, most);
    return this.reserved?.amount;
  }

  /** Counts the tokens that the request was charged for; nothing is set aside for it any more. */
  used(tokens: number): void {
    const { reserved } = this;
    this.reserved = undefined;
    this.window?.used(Date.now(), tokens, reserved);
  }

  head(status: number, headers: readonly string[]): void {
    const millis = Math.round(performance.now() - this.started);
    this.response.writeHead(status, [...COMMON, 'x-request-id', this.requestId, 'openai-processing-ms', String(millis), ...(this.window?.headers() ?? []), ...headers]);
  }

  /** Of a stream that has long been silent: a comment, lest somebody on the way takes it for dead, and its head if nothing has come yet. */
  look(): void {
    this.looks += 1;
    if (this.looks < LOOKS || this.response.destroyed || this.response.writableEnded) return;
    if (!this.begun && !this.waiting) {
      this.openStream([]);
      this.waiting = true;
    }
    this.piece(KEEP_ALIVE);
  }

  /** Whether the head went out before anything came: what fails by then fails within the stream. */
  get isWaiting(): boolean {
    return this.waiting && !this.begun;
  }

  /** The head of an answer that comes in pieces. */
  streamHead(headers: readonly string[] = []): void {
    if (!this.waiting) this.openStream(headers);
    this.begun = true;
  }

  private openStream(headers: readonly string[]): void {
    this.framed = this.response.useChunkedEncodingByDefault;
    this.head(200, this.framed ? [...STREAM_HEAD, ...headers, 'transfer-encoding', 'chunked'] : [...STREAM_HEAD, ...headers]);
    // Node writes a piece and its frame as four things; as one text it costs a third.
    this.response.chunkedEncoding = false;
  }

  /** @param letters the bytes of a piece, one letter each: so they are neither read nor written anew */
  piece(letters: string): void {
    this.looks = 0;
    this.response.write(this.framed ? frameOf(letters, letters.length) : letters, 'latin1');
  }

  /** The last piece, and the end. */
  lastPiece(text: string): void {
    this.response.end(this.framed ? `${text === '' ? '' : frameOf(text, Buffer.byteLength(text))}0\r\n\r\n` : text);
  }

  json(status: number, text: string, headers: readonly string[] = []): void {
    if (this.response.headersSent) return;
    this.head(status, [...JSON_HEAD, 'content-length', String(Buffer.byteLength(text)), ...headers]);
    this.response.end(text);
  }

  /** What a browser asks before a page of another site may. @param wanted the headers it would send */
  preflight(methods: string, wanted: string): void {
    this.head(204, ['access-control-allow-methods', methods, 'access-control-allow-headers', wanted, 'access-control-max-age', '7200']);
    this.response.end();
  }

  error(error: ApiError | GatewayError, headers: readonly string[] = []): void {
    const retryAfter = error.retryAfterSeconds ?? (error.status === 429 || error.status === 503 ? 1 : undefined);
    const more = [...headers];
    if (retryAfter !== undefined && retryAfter !== Infinity) more.push('retry-after', String(Math.ceil(retryAfter)));
    // OpenAI's clients try again by themselves after these; nothing would have changed by then.
    if (error.status === 409 || (retryAfter ?? 0) > RETRIED_SECONDS_MAX) more.push('x-should-retry', 'false');
    if (error.status === 401) more.push('www-authenticate', 'Bearer');
    // What a client still sends of a body that was refused is not read.
    if (error.code === 'request_too_large') more.push('connection', 'close');
    this.json(error.status, JSON.stringify(openAiError(error)), more);
  }
}

/** Looks at all streams under way, by one timer for all of them: none of their pieces costs a timer's. */
export class KeepAlive {
  private readonly streams = new Set<Outgoing>();
  private readonly millis: number;
  private timer: NodeJS.Timeout | undefined;

  /** @param millis how long a stream may be silent */
  constructor(millis: number) {
    this.millis = millis;
  }

  add(stream: Outgoing): void {
    this.streams.add(stream);
    this.timer ??= setInterval(() => this.look(), this.millis / LOOKS).unref();
  }

  delete(stream: Outgoing): void {
    this.streams.delete(stream);
  }

  private look(): void {
    for (const stream of this.streams) stream.look();
    if (this.streams.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }
}

/** Codes of the exchange that have another name on OpenAI's paths. */
const OPENAI_CODES: Partial<Record<ErrorCode, GatewayErrorCode>> = {
  unauthenticated: 'invalid_api_key',
  invalid_request: 'invalid_request_error',
  invalid_json: 'invalid_request_error',
  nesting_too_deep: 'invalid_request_error',
  duplicate_key: 'invalid_request_error',
  invalid_idempotency_key: 'invalid_request_error',
  unsupported_media_type: 'invalid_request_error',
  unavailable: 'provider_unavailable',
};

/** OpenAI's clients know its types; a code of ours that is none of theirs keeps its name. */
export function openAiError(error: ApiError | GatewayError): object {
  if (error instanceof GatewayError) return error.body();
  const code = OPENAI_CODES[error.code] ?? error.code;
  const type = code in GATEWAY_ERRORS ? GATEWAY_ERRORS[code as GatewayErrorCode].type : error.status >= 500 ? 'api_error' : 'invalid_request_error';
  return { error: { message: error.message, type, param: paramOf(error.field), code } };
}

/** `messages.0.role` as OpenAI writes it: `messages[0].role`. */
const paramOf = (field: string | undefined): string | null => field?.replace(/\.([0-9]+)(?=\.|$)/g, '[$1]') ?? null;
