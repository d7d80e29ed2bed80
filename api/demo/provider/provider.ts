/**
 * A demo provider: a server that speaks OpenAI's protocol. One process may stand for several
 * providers, each under a path of its own (`/acme/v1/...`); what they say follows from the seed, the
 * path and the question.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { MODELS, findModel } from '../../gateway/catalogue/catalogue.ts';
import { rating } from '../../gateway/catalogue/ratings.ts';
import { STREAMS } from '../../gateway/catalogue/roofline.ts';
import { chat, chatRequest, completion, completionRequest, embedding, embeddingRequest, response, responseRequest } from './protocol.ts';
import type { Spoken } from './protocol.ts';
import { slownessOf } from './text.ts';

export interface ProviderOptions {
  seed: string;
  /** As this server calls them; every model of the catalogue when empty. */
  models: readonly string[];
  /** Milliseconds before the first token, and for each token. */
  firstTokenMillis: number;
  tokenMillis: number;
  /** Asked of every caller when not empty. */
  apiKey: string;
}
export const PROVIDER_DEFAULTS: ProviderOptions = { seed: 'demo', models: [], firstTokenMillis: 20, tokenMillis: 1, apiKey: '' };

const MICROS_PER_MILLI = 1_000;
const BODY_LIMIT_BYTES = 64 * 1024 * 1024;
const PATH = /^(?:\/([^/]+))?\/v1(\/.*)$/;

class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface Said {
  spoken: Spoken;
  model: string;
  streamed: boolean;
  /** The GPU class as fast as which it is to be said. */
  paceOf: string | undefined;
}
type Speak = (seed: string, value: unknown) => Said;
/** A path of the protocol: checks the body, then speaks. */
function speaking<S extends z.ZodType<{ model: string }>>(schema: S, speak: (seed: string, body: z.output<S>) => Spoken): Speak {
  return (seed, value) => {
    const parsed = schema.safeParse(value);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new Refused(400, `${issue.path.join('.')}: ${issue.message}`);
    }
    const body: { model: string; stream?: unknown; pace_of?: unknown } = parsed.data;
    return { spoken: speak(seed, parsed.data), model: body.model, streamed: body.stream === true, paceOf: typeof body.pace_of === 'string' ? body.pace_of : undefined };
  };
}
const PATHS = new Map<string, Speak>([
  ['/chat/completions', speaking(chatRequest, chat)],
  ['/completions', speaking(completionRequest, completion)],
  ['/embeddings', speaking(embeddingRequest, embedding)],
  ['/responses', speaking(responseRequest, response)],
]);

export function createProvider(given: Partial<ProviderOptions> = {}): Server {
  const options = { ...PROVIDER_DEFAULTS, ...given };
  return createServer({ keepAliveTimeout: 60_000 }, (request, reply) => {
    serve(options, request, reply).catch((error: unknown) => refuse(reply, error));
  });
}

function refuse(reply: ServerResponse, error: unknown): void {
  if (reply.headersSent) return void reply.destroy();
  const status = error instanceof Refused ? error.status : 500;
  const message = error instanceof Refused ? error.message : 'internal error';
  send(reply, status, { error: { message, type: status < 500 ? 'invalid_request_error' : 'server_error', param: null, code: null } });
}

function send(reply: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  reply.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text);
}

async function serve(options: ProviderOptions, request: IncomingMessage, reply: ServerResponse): Promise<void> {
  const match = PATH.exec(new URL(request.url ?? '/', 'http://provider').pathname);
  if (match === null) throw new Refused(404, 'there is nothing here');
  const [, name = '', path] = match;
  if (options.apiKey !== '' && request.headers.authorization !== `Bearer ${options.apiKey}`) throw new Refused(401, 'the key is not valid');
  const names = options.models.length > 0 ? options.models : MODELS.map(({ id }) => id);
  if (request.method === 'GET' && path === '/models') return send(reply, 200, { object: 'list', data: names.map(modelObject) });
  const speak = PATHS.get(path);
  if (request.method !== 'POST' || speak === undefined) throw new Refused(404, 'there is nothing here');
  const seed = `${options.seed}/${name}`;
  const { spoken, model, streamed, paceOf } = speak(seed, await bodyOf(request));
  if (!names.includes(model) && !names.some((known) => findModel(known)?.id === findModel(model)?.id)) throw new Refused(404, `the model "${model}" does not exist`);
  const paced = { ...options, tokenMillis: tokenMillisOn(model, paceOf, seed) ?? options.tokenMillis };
  await (streamed ? stream(paced, spoken, reply) : whole(paced, spoken, reply));
}

/** What a token of one stream takes on the provider's GPUs of a class while all streams of a replica are in use: what it is rated, but no two providers are alike. */
function tokenMillisOn(model: string, className: string | undefined, seed: string): number | undefined {
  if (className === undefined) return undefined;
  const rated = rating(model, className);
  return rated && (slownessOf(seed, className) * rated.completion * STREAMS) / rated.gpus / MICROS_PER_MILLI;
}

const modelObject = (id: string): object => ({ id, object: 'model', created: 1_767_225_600, owned_by: id.split('/')[0] });

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > BODY_LIMIT_BYTES) throw new Refused(413, 'the body is too large');
    pieces.push(piece);
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8')) as unknown;
  } catch {
    throw new Refused(400, 'the body is not valid JSON');
  }
}

/** A wait of no time is no wait. */
const pause = (millis: number): Promise<unknown> | undefined => (millis > 0 ? sleep(millis) : undefined);

async function whole({ firstTokenMillis, tokenMillis }: ProviderOptions, spoken: Spoken, reply: ServerResponse): Promise<void> {
  await pause(firstTokenMillis + tokenMillis * spoken.tokens);
  send(reply, 200, spoken.whole());
}

async function stream({ firstTokenMillis, tokenMillis }: ProviderOptions, spoken: Spoken, reply: ServerResponse): Promise<void> {
  await pause(firstTokenMillis);
  reply.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  for (const { event, data, paced } of spoken.events()) {
    if (reply.destroyed) return;
    if (paced) await pause(tokenMillis);
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    const flows = reply.write(event === '' ? `data: ${text}\n\n` : `event: ${event}\ndata: ${text}\n\n`);
    if (!flows) await new Promise((resolve) => reply.once('drain', resolve).once('close', resolve));
  }
  reply.end();
}
