/** Who is on a socket of the account namespace, and when that ends. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'socket.io';
import { z } from 'zod';
import type { Auth, Revoked } from '../auth/auth.ts';
import { senderOf } from '../auth/same_site.ts';
import { ApiError } from '../errors.ts';
import type { Principal } from '../auth/principal.ts';

/** The part of Auth that sockets need. */
export type SocketAuth = Pick<Auth, 'authenticate' | 'onRevoked'>;

const handshakeSchema = z.object({ token: z.string().min(1).max(200).optional() });
export type Handshake = z.infer<typeof handshakeSchema>;

/** @throws ApiError when the handshake is malformed */
export function handshakeOf(socket: Socket): Handshake {
  const parsed = handshakeSchema.safeParse(socket.handshake.auth);
  if (!parsed.success) throw new ApiError('invalid_request', { field: 'auth', values: { detail: 'auth: {token?: string}' } });
  return parsed.data;
}

/**
 * A key goes before a cookie; a cookie counts only from a page of ours.
 * @throws ApiError when nobody is recognised
 */
export async function principalOf(auth: SocketAuth, socket: Socket, handshake: Handshake): Promise<Principal> {
  const { headers, address } = socket.handshake;
  const answer = await auth.authenticate({ method: 'GET', headers: credentialsOf(headers, handshake.token), address });
  if (!answer.ok) throw new ApiError(answer.reason);
  return answer.principal;
}

function credentialsOf(headers: IncomingHttpHeaders, token: string | undefined): IncomingHttpHeaders {
  if (token !== undefined) return { authorization: `Bearer ${token}` };
  if (headers.authorization !== undefined) return { authorization: headers.authorization };
  if (headers.cookie !== undefined && senderOf(headers) === 'foreign') throw new ApiError('cross_site');
  return { cookie: headers.cookie };
}

export const isEnded = (principal: Principal, { kind, subject }: Revoked): boolean =>
  kind === 'key' ? principal.key === subject : principal.session === subject;

export const isExpired = (principal: Principal, now: number): boolean => {
  const expiresAt = principal.apiKey?.expiresAt ?? null;
  return expiresAt !== null && expiresAt <= now;
};
