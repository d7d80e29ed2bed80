/** The server's port. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigError } from '../config.ts';
import type { Config } from '../config.ts';
import { ApiError } from '../errors.ts';

const KEEP_ALIVE_MILLIS = 65_000;
const CLOSE_MILLIS_MAX = 2_400;
/** Connections that may wait while the process is busy; the system has a bound of its own. A burst of clients is not turned away. */
const BACKLOG = 4_096;

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Takes connections from the beginning: who comes too early is told when to try again. */
export class Front {
  readonly server: Server;
  private handler: Handler = answerStarting;

  constructor() {
    this.server = createServer((request, response) => this.handler(request, response));
    this.server.keepAliveTimeout = KEEP_ALIVE_MILLIS;
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
    this.handler = answerClosing;
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeIdleConnections();
    const timer = setTimeout(() => this.server.closeAllConnections(), CLOSE_MILLIS_MAX);
    await closed;
    clearTimeout(timer);
  }
}

function answerStarting(request: IncomingMessage, response: ServerResponse): void {
  const lives = request.url === '/healthz';
  const error = new ApiError('unavailable');
  response.writeHead(lives ? 200 : error.status, { 'content-type': 'application/json; charset=utf-8', 'retry-after': '1' });
  response.end(JSON.stringify(lives ? { status: 'ok' } : error.body('')));
}

/** Who goes on sending on an old connection would keep a server from ending. */
function answerClosing(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('connection', 'close');
  answerStarting(request, response);
}
