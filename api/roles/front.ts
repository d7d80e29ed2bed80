/** The server's port. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { ConfigError } from '../config.ts';
import type { Config } from '../config.ts';
import { ApiError } from '../errors.ts';
import { Turns } from '../http/turns.ts';

const KEEP_ALIVE_MILLIS = 65_000;
const CLOSE_MILLIS_MAX = 2_400;
/** How often connections are looked for whose last request has been answered. */
const LOOK_MILLIS = 50;
/** Connections that may wait while the process is busy; the system has a bound of its own. A burst of clients is not turned away. */
const BACKLOG = 4_096;

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Takes connections from the beginning: who comes too early is told when to try again. */
export class Front {
  readonly server: Server;
  readonly turns = new Turns();
  private handler: Handler = answerStarting;
  /** Those that speak another protocol by now, too: the server waits for them, but does not know them any more. */
  private readonly connections = new Set<Connection>();

  constructor() {
    this.server = createServer((request, response) => this.handler(request, response));
    this.server.keepAliveTimeout = KEEP_ALIVE_MILLIS;
    this.server.on('connection', (connection: Connection) => {
      this.turns.connected();
      this.connections.add(connection);
      connection.once('close', () => this.connections.delete(connection));
    });
  }

  open(app: Handler): void {
    this.handler = app;
  }

  /** @throws ConfigError when the port is taken */
  async listen({ host, port }: Config): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', (error: NodeJS.ErrnoException) =>
        reject(error.code === 'EADDRINUSE' || error.code === 'EACCES' ? new ConfigError(`PORT: ${port} on ${host} cannot be used (${error.code})`) : error),
      );
      this.server.listen({ port, host, backlog: BACKLOG }, resolve);
    });
    return (this.server.address() as AddressInfo).port;
  }

  /** Takes no new connection nor request, lets requests under way end, and waits no longer than a moment for them. */
  async close(): Promise<void> {
    this.handler = closingAnswerer();
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeIdleConnections();
    const looking = setInterval(() => this.server.closeIdleConnections(), LOOK_MILLIS);
    const late = setTimeout(() => {
      for (const connection of this.connections) giveUp(connection);
      // What is told leaves first.
      setTimeout(() => this.connections.forEach((connection) => connection.destroy()), LOOK_MILLIS);
    }, CLOSE_MILLIS_MAX);
    await closed;
    clearInterval(looking);
    clearTimeout(late);
  }
}

/** _httpMessage: node's own, the answer whose turn it is. */
type Connection = Socket & { _httpMessage?: ServerResponse | null };

/** Who has waited until now for an answer of the exchange is told to come again: under its key it finds what became of it. */
function giveUp({ _httpMessage: response }: Connection): void {
  if (response?.req.url?.startsWith('/api/') !== true || response.headersSent) return;
  response.setHeader('connection', 'close');
  answerStarting(response.req, response);
}

function answerStarting(request: Pick<IncomingMessage, 'url'>, response: ServerResponse): void {
  const lives = request.url === '/healthz';
  const error = new ApiError('unavailable');
  response.writeHead(lives ? 200 : error.status, { 'content-type': 'application/json; charset=utf-8', 'retry-after': '1' });
  response.end(JSON.stringify(lives ? { status: 'ok' } : error.body('')));
}

/** Who goes on sending on an old connection would keep a server from ending: it is told once, and nothing more of it is read. */
function closingAnswerer(): Handler {
  const told = new WeakSet<Socket>();
  return (request, response) => {
    const { socket } = request;
    socket.pause();
    if (told.has(socket)) return;
    told.add(socket);
    response.setHeader('connection', 'close');
    answerStarting(request, response);
  };
}
