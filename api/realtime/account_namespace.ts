/** Namespace /account: one company's own channels, for a key or a session. */
import type { Namespace, Socket } from 'socket.io';
import { ApiError } from '../errors.ts';
import type { Principal } from '../auth/principal.ts';
import { AccountRooms } from './account_rooms.ts';
import type { AccountMeans } from './account_rooms.ts';
import type { OrderWatch } from './cancel_on_disconnect.ts';
import { Connection } from './connection.ts';
import type { CloseCode } from './messages.ts';
import { RoomTable } from './room_table.ts';
import { handshakeOf, isEnded, isExpired, principalOf } from './sessions.ts';
import type { SocketAuth } from './sessions.ts';
import { serveSubscriptions } from './subscriptions.ts';

const EXPIRY_MILLIS = 1_000;

interface Session {
  readonly principal: Principal;
  readonly connection: Connection;
  /** False until the client is told that it is. */
  connected: boolean;
}

export interface AccountNamespaceMeans extends AccountMeans {
  auth: SocketAuth;
  orderWatch: OrderWatch;
  onError: (error: unknown) => void;
  /** As `Connection` has it. */
  owedMillis: number;
}

export class AccountNamespace {
  private readonly means: AccountNamespaceMeans;
  private readonly rooms: RoomTable;
  private readonly accounts: AccountRooms;
  private readonly sessions = new Map<string, Session>();
  /** By company: connections of those who may trade. */
  private readonly watchers = new Map<number, number>();
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
    const connection = new Connection(socket, this.means.owedMillis);
    // Known from here on: a key that ends while the socket connects ends the socket too.
    this.sessions.set(socket.id, { principal, connection, connected: false });
    socket.conn.once('close', () => this.sessions.delete(socket.id));
  }

  private connected(socket: Socket): void {
    const session = this.sessions.get(socket.id);
    if (session === undefined) {
      socket.disconnect(true);
      return;
    }
    this.begin(session);
    const { principal, connection } = session;
    serveSubscriptions(socket, connection, {
      rooms: this.rooms,
      plan: (request) => {
        requireRead(principal);
        return this.accounts.plan(principal.company, principal.role === 'lender', request);
      },
      onError: this.means.onError,
    });
    socket.on('disconnect', () => this.disconnected(socket.id));
  }

  private begin(session: Session): void {
    const { company } = session.principal;
    session.connected = true;
    if (!mayTrade(session.principal)) return;
    const watchers = (this.watchers.get(company) ?? 0) + 1;
    this.watchers.set(company, watchers);
    if (watchers === 1) this.means.orderWatch.began(company);
  }

  /** With the last connection of a company that may trade nobody watches over its orders any more. */
  private disconnected(id: string): void {
    const session = this.sessions.get(id);
    this.sessions.delete(id);
    if (session?.connected !== true || !mayTrade(session.principal)) return;
    const { company } = session.principal;
    const left = (this.watchers.get(company) ?? 1) - 1;
    if (left > 0) {
      this.watchers.set(company, left);
      return;
    }
    this.watchers.delete(company);
    this.means.orderWatch.ended(company);
  }

  private end(code: CloseCode, concerns: (session: Session) => boolean): void {
    for (const session of [...this.sessions.values()]) if (concerns(session)) session.connection.close(code);
  }

  close(): void {
    for (const ending of this.endings) ending();
    const sessions = [...this.sessions];
    this.end('server_closing', () => true);
    // A transport may take longer to close than the sequencer stays open.
    for (const [id] of sessions) this.disconnected(id);
    this.rooms.close();
  }
}

const mayTrade = (principal: Principal): boolean => principal.scopes.includes('trade');

function requireRead(principal: Principal): void {
  if (!principal.scopes.includes('read')) throw new ApiError('insufficient_scope', { values: { scope: 'read' } });
}

/** What the client's `connect_error` carries: `{message, data: {code, message}}`. */
function refusal(error: unknown, onError: (error: unknown) => void): Error {
  if (!(error instanceof ApiError)) onError(error);
  const { code, message } = error instanceof ApiError ? error : new ApiError('internal_error');
  return Object.assign(new Error(message), { data: { code, message } });
}
