/** How a provider answers that fails in every way that one can, as often as a bad one would. */
import type { ServerResponse } from 'node:http';
import type { Steering } from './steered_endpoint.ts';

const withUsage = (model: string, usage: string): string => `{"model":"${model}","choices":[{"index":0,"message":{"role":"assistant","content":"one two three"},"finish_reason":"stop"}],"usage":${usage}}`;

/** By the parts in a hundred; the rest is as it should be. */
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
  // What is no number, and what JavaScript takes for Infinity.
  [2, (reply, model) => void reply.writeHead(200, { 'content-type': 'application/json' }).end(withUsage(model, '{"prompt_tokens":NaN,"completion_tokens":3}'))],
  [2, (reply, model) => void reply.writeHead(200, { 'content-type': 'application/json' }).end(withUsage(model, '{"prompt_tokens":1e999,"completion_tokens":-3}'))],
];

/** @param model named in what is made up */
export const failing = (model: string): Steering => (request, reply) => {
  let part = Math.random() * 100;
  const way = WAYS.find(([parts]) => (part -= parts) < 0);
  if (way === undefined) return false;
  request.resume().once('end', () => way[1](reply, model));
  return true;
};
