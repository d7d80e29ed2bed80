/** Namespace /account: one company's own channels, for a key or a session. */
import type { Namespace, Socket } from 'socket.io';
import { z } from 'zod';
import { ApiError } from '../errors.ts';
import type { Principal } from '../http/route.ts';
import { AccountRooms } from './account_rooms.ts';
import type { AccountMeans } from './account_rooms.ts';
import type { CancelOnDisconnect } from './cancel_on_disconnect.ts';
import { Connection } from './connection.ts';
import type { CloseCode } from './messages.ts';
import { RoomTable } from './room_table.ts';
import { handshakeOf, isEnded, isExpired, principalOf } from './sessions.ts';
import type { SocketAuth } from './sessions.ts';
import { serveSubscriptions } from './subscriptions.ts';

const EXPIRY_MILLIS = 1_000;
const intentSchema = z.object({ enabled: z.boolean() });

interface Session {
  readonly principal: Principal;
  readonly connection: Connection;
  /** Orders marked so are cancelled when this connection ends. */
  cancels: boolean;
}

export interface AccountNamespaceMeans extends AccountMeans {
  auth: SocketAuth;
  cancelOnDisconnect: CancelOnDisconnect;
  onError: (error: unknown) => void;
}

export class AccountNamespace {
  private readonly means: AccountNamespaceMeans;
  private readonly rooms: RoomTable;
  private readonly accounts: AccountRooms;
  private readonly sessions = new Map<string, Session>();
  private readonly endings: (() => void)[];

  constructor(namespace: Namespace, means: AccountNamespaceMeans) {
    const { market, auth, onError } = means;
    this.means = means;
    this.rooms = new RoomTable(namespace, market, onError);
    this.accounts = new AccountRooms(means);
    namespace.use((socket, next) => void this.admit(socket).then(() => next(), (error: unknown) => next(refusal(error, onError))));
    namespace.on('connection', (socket) => this.connected(socket));
    const expiry = setInterval(() => this.end('expired', ({ principal }) => isExpired(principal, Date.now())), EXPIRY_MILLIS);
    expiry.unref();
    this.endings = [
      () => clearInterval(expiry),
      market.follow((change) => this.accounts.change(change)),
      auth.onRevoked((revoked) => this.end('revoked', ({ principal }) => isEnded(principal, revoked))),
    ];
  }

  get size(): number {
    return this.sessions.size;
  }

  private async admit(socket: Socket): Promise<void> {
    const handshake = handshakeOf(socket);
    const principal = await principalOf(this.means.auth, socket, handshake);
    if (handshake.cancel_on_disconnect === true) requireScope(principal, 'trade');
    const connection = new Connection(socket);
    // Known from here on: a key that ends while the socket connects ends the socket too.
    this.sessions.set(socket.id, { principal, connection, cancels: handshake.cancel_on_disconnect === true });
    socket.conn.once('close', () => this.sessions.delete(socket.id));
  }

  private connected(socket: Socket): void {
    const session = this.sessions.get(socket.id);
    if (session === undefined) {
      socket.disconnect(true);
      return;
    }
    const { principal, connection } = session;
    serveSubscriptions(socket, connection, {
      rooms: this.rooms,
      plan: (request) => {
        requireScope(principal, 'read');
        return this.accounts.plan(principal.company, principal.role === 'lender', request);
      },
      onError: this.means.onError,
    });
    socket.on('cancel_on_disconnect', (payload: unknown, acknowledge: unknown) => {
      const answer = intend(session, payload);
      if (typeof acknowledge === 'function') acknowledge(answer);
    });
    socket.on('disconnect', () => this.disconnected(socket.id));
  }

  private disconnected(id: string): void {
    const session = this.sessions.get(id);
    this.sessions.delete(id);
    if (session !== undefined) this.cancelFor(session);
  }

  private cancelFor(session: Session): void {
    if (session.cancels) this.means.cancelOnDisconnect.cancel(session.principal.company);
    session.cancels = false;
  }

  private end(code: CloseCode, concerns: (session: Session) => boolean): void {
    for (const session of [...this.sessions.values()]) if (concerns(session)) session.connection.close(code);
  }

  close(): void {
    for (const ending of this.endings) ending();
    for (const session of this.sessions.values()) this.cancelFor(session);
    this.end('server_closing', () => true);
    this.rooms.close();
  }
}

function requireScope(principal: Principal, scope: 'read' | 'trade'): void {
  if (!principal.scopes.includes(scope)) throw new ApiError('insufficient_scope', { values: { scope } });
}

function intend(session: Session, payload: unknown): { ok: boolean; error?: { code: string; message: string } } {
  const parsed = intentSchema.safeParse(payload);
  try {
    if (!parsed.success) throw new ApiError('invalid_request', { field: 'enabled', values: { detail: 'enabled: must be true or false' } });
    requireScope(session.principal, 'trade');
    session.cancels = parsed.data.enabled;
    return { ok: true };
  } catch (error) {
    const { code, message } = error instanceof ApiError ? error : new ApiError('internal_error');
    return { ok: false, error: { code, message } };
  }
}

/** What the client's `connect_error` carries: `{message, data: {code, message}}`. */
function refusal(error: unknown, onError: (error: unknown) => void): Error {
  if (!(error instanceof ApiError)) onError(error);
  const { code, message } = error instanceof ApiError ? error : new ApiError('internal_error');
  return Object.assign(new Error(message), { data: { code, message } });
}
