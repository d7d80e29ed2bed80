/** What the gateway benchmark puts around the gateway: a fixed fast upstream, and a bare Express proxy in front of it. */
import { Agent, createServer, request as httpRequest } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { chatPromptTokens } from '../../api/gateway/dialects/prompt.ts';

export const MODEL = 'meta-llama/Llama-3.1-8B-Instruct';
export const CHUNKS = 50;
export const MESSAGES = [
  { role: 'system', content: 'You are a helpful assistant that answers in a few plain words.' },
  { role: 'user', content: 'How much does an hour of compute cost on the open market today, and why does it change through the day?' },
];
const WORDS = Array.from({ length: CHUNKS }, (_, index) => (index === 0 ? 'word' : ' word'));
const USAGE = { prompt_tokens: chatPromptTokens({ messages: MESSAGES }), completion_tokens: CHUNKS, total_tokens: chatPromptTokens({ messages: MESSAGES }) + CHUNKS };
const HEAD = { id: 'chatcmpl-bench', created: 1_767_225_600, model: MODEL };

const whole = Buffer.from(JSON.stringify({
  ...HEAD, object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content: WORDS.join('') }, finish_reason: 'stop' }], usage: USAGE,
}));
const chunk = (delta: object, reason: string | null): Buffer =>
  Buffer.from(`data: ${JSON.stringify({ ...HEAD, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`);
const chunks = WORDS.map((content) => chunk({ content }, null));
const last = Buffer.concat([
  chunk({}, 'stop'),
  Buffer.from(`data: ${JSON.stringify({ ...HEAD, object: 'chat.completion.chunk', choices: [], usage: USAGE })}\n\ndata: [DONE]\n\n`),
]);
const models = Buffer.from(JSON.stringify({ object: 'list', data: [{ id: MODEL, object: 'model', created: 1, owned_by: 'bench' }] }));
const STREAMED = Buffer.from('"stream":true');

/** Answers every completion with the same bytes; a stream one chunk a turn. */
function upstream(): Server {
  return createServer({ keepAliveTimeout: 60_000 }, (request, reply) => {
    if (request.method === 'GET') return void reply.writeHead(200, { 'content-type': 'application/json', 'content-length': models.length }).end(models);
    let streamed = false;
    request.on('data', (bytes: Buffer) => (streamed ||= bytes.includes(STREAMED)));
    request.on('end', () => {
      if (!streamed) return void reply.writeHead(200, { 'content-type': 'application/json', 'content-length': whole.length }).end(whole);
      reply.writeHead(200, { 'content-type': 'text/event-stream' });
      let next = 0;
      const write = (): void => {
        if (next === chunks.length) return void reply.end(last);
        reply.write(chunks[next++]);
        setImmediate(write);
      };
      write();
    });
  });
}

/** What anybody would write: headers and bytes both ways, connections kept. */
function bareProxy(port: number): Server {
  const agent = new Agent({ keepAlive: true });
  const app = express();
  app.post('/v1/chat/completions', (request, response) => {
    const headers = { ...request.headers, host: `127.0.0.1:${port}` };
    const forwarded = httpRequest({ port, host: '127.0.0.1', method: 'POST', path: request.url, headers, agent }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    forwarded.on('error', () => response.status(502).end());
    request.pipe(forwarded);
  });
  return createServer({ keepAliveTimeout: 60_000 }, app);
}

function listen(server: Server): void {
  server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
  process.once('disconnect', () => process.exit(0));
}

export const serveUpstream = (): void => listen(upstream());
export const serveBareProxy = (): void => listen(bareProxy(Number(process.argv[3])));
