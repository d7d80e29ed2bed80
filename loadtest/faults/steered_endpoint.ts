/** An endpoint that passes verification, and answers as a fault wants it to. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createProvider } from '../../api/demo/provider/provider.ts';

/** @returns whether it was answered; else it is, honestly */
export type Steering = (request: IncomingMessage, reply: ServerResponse) => boolean;

export class SteeredEndpoint {
  /** Of every POST. undefined: all are answered honestly. */
  steering: Steering | undefined;
  private readonly server: Server;

  private constructor(server: Server) {
    this.server = server;
  }

  static async open(models: readonly string[]): Promise<SteeredEndpoint> {
    const honest = createProvider({ models, firstTokenMillis: 1, tokenMillis: 0 });
    const server = createServer({ keepAliveTimeout: 60_000 }, (request, reply) => {
      const isSteered = request.method === 'POST' && endpoint.steering?.(request, reply) === true;
      if (!isSteered) honest.emit('request', request, reply);
    });
    const endpoint = new SteeredEndpoint(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return endpoint;
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}
