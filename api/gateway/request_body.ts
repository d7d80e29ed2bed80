/** Reads the body of a request on OpenAI's paths: JSON, plain or compressed, within a limit of what it comes to. */
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip } from 'node:zlib';
import { ApiError } from '../errors.ts';
import { requireType } from '../http/middleware/body.ts';

/** A client that still sends does not read: so much and so long of what is too large is heard, and forgotten, before that is said. */
const TOO_LARGE = { times: 8, millis: 5_000 };
const plain = (bytes: Buffer): Promise<Buffer> => Promise.resolve(bytes);
const READERS: Readonly<Record<string, (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>>> = {
  identity: plain, gzip: promisify(gunzip), 'x-gzip': promisify(gunzip), br: promisify(brotliDecompress),
};

const tooLarge = (limit: number): ApiError => new ApiError('request_too_large', { values: { limit } });

/** @throws ApiError request_too_large, unsupported_media_type, invalid_request */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  requireType(request, 'application/json');
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  const read = Object.hasOwn(READERS, encoding) ? READERS[encoding] : undefined;
  if (read === undefined) throw new ApiError('unsupported_media_type', { values: { expected: 'application/json' } });
  const bytes = await bytesOf(request, limit);
  try {
    return await read(bytes, { maxOutputLength: limit });
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge(limit);
    throw new ApiError('invalid_request', { values: { detail: `The body is not ${encoding}, as its content-encoding says.` } });
  }
}

/** The bytes as they come. */
function bytesOf(request: IncomingMessage, limit: number): Promise<Buffer> {
  const announced = Number(request.headers['content-length'] ?? 0);
  const most = limit * TOO_LARGE.times;
  if (announced > most) throw tooLarge(limit);
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let length = 0;
    let late: NodeJS.Timeout | undefined;
    const refuse = (): void => {
      clearTimeout(late);
      reject(tooLarge(limit));
    };
    request.on('data', (piece: Buffer) => {
      length += piece.length;
      if (Math.max(length, announced) <= limit) return void pieces.push(piece);
      pieces.length = 0;
      late ??= setTimeout(refuse, TOO_LARGE.millis);
      if (length > most) refuse();
    });
    request.once('end', () => (length > limit ? refuse() : resolve(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces))));
    request.once('error', () => {
      clearTimeout(late);
      reject(new ApiError('invalid_request', { values: { detail: 'The body is shorter or longer than announced.' } }));
    });
  });
}
