/** What every request is met by, whichever paths it asks for. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { ApiError } from '../errors.ts';

const REQUEST_ID = /^[A-Za-z0-9_.-]{8,64}$/;
const URL_LENGTH_MAX = 8_192;

/** The client's request id when it is usable, else one of ours; it stands in the answer, in errors and in the log. */
export function requestIdFor({ headers }: IncomingMessage): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

/** @throws ApiError uri_too_long */
export function requireBounded(url: string): void {
  if (url.length > URL_LENGTH_MAX) throw new ApiError('uri_too_long');
}
