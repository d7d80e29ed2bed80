/** A provider that fails in every way that one can, as often as a bad one would. */
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createProvider } from '../../api/demo/provider/provider.ts';

/** How it answers, by the parts in a hundred; the rest is as it should be. */
const WAYS: [parts: number, answer: (reply: ServerResponse, model: string) => void][] = [
  [5, (reply) => void reply.writeHead(500).end('{"error":{"message":"out of memory","code":17}}')],
  [3, (reply) => void reply.writeHead(200, { 'content-type': 'text/html' }).end('<html>502 Bad Gateway</html>')],
  [3, (reply) => void reply.destroy()],
  [4, (reply) => {
    reply.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: {"choices":[{"index":0,"delta":{"content":"half of"},"finish_reason":null}]}\n\n');
    setTimeout(() => reply.destroy(), 5);
  }],
  // Ten times what it has said, then nothing at all.
  [4, (reply, model) => void reply.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({
    model, choices: [{ index: 0, message: { role: 'assistant', content: 'one two three' }, finish_reason: 'stop' }], usage: { prompt_tokens: 80_000, completion_tokens: 30, total_tokens: 80_030 },
  }))],
  [3, (reply, model) => void reply.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ model, choices: [{ message: { content: 'one two three' } }] }))],
];

export class InferenceProvider {
  /** False: it behaves. */
  fails = false;
  private readonly server: Server;

  private constructor(server: Server) {
    this.server = server;
  }

  static async open(models: readonly string[]): Promise<InferenceProvider> {
    const honest = createProvider({ models, firstTokenMillis: 1, tokenMillis: 0 });
    const server = createServer({ keepAliveTimeout: 60_000 }, (request, reply) => {
      let part = Math.random() * 100;
      const way = provider.fails && request.method === 'POST' ? WAYS.find(([parts]) => (part -= parts) < 0) : undefined;
      if (way === undefined) honest.emit('request', request, reply);
      else request.resume().once('end', () => way[1](reply, models[0]));
    });
    const provider = new InferenceProvider(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return provider;
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}
