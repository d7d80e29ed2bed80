import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import pino from 'pino';
import { describe, expect, test } from 'vitest';
import { traceRequests } from '../../db/seed/llm_trace.ts';
import { MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import { InferenceLoad, bodyOf, nextRequest } from './inference_load.ts';

const START = 495_000 * MILLIS_PER_HOUR;

describe('the recorded load', () => {
  test('begins with each hour and ends before the next', () => {
    const trace = traceRequests(20);
    expect(nextRequest(trace, START - 1)).toEqual({ request: trace[0], at: START });
    expect(nextRequest(trace, START)).toEqual({ request: trace[1], at: START + trace[1].offset });
    expect(nextRequest(trace, START + 58 * 60_000)).toEqual({ request: trace[0], at: START + MILLIS_PER_HOUR });
  });

  test('has the recorded token counts and is the same every time', () => {
    const [first, second] = traceRequests();
    const body = bodyOf(first, ['a', 'b']);
    expect(body.messages[0].content.split(' ')).toHaveLength(4_808);
    expect(body).toMatchObject({ max_tokens: 10, stream: false });
    expect(bodyOf(first, ['a', 'b'])).toEqual(body);
    expect(bodyOf(second, ['a']).stream).toBe(true);
  });

  test('reaches the server with its key, at its time', async () => {
    const received: { authorization: string | undefined; model: string }[] = [];
    const server = createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      request.on('end', () => {
        received.push({ authorization: request.headers.authorization, model: (JSON.parse(text) as { model: string }).model });
        response.end('{}');
      });
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as AddressInfo;
    // The fourth request comes 141 ms after the first.
    const shift = START - 10 - Date.now();
    const load = new InferenceLoad({ url: `http://127.0.0.1:${port}`, key: 'k', models: ['m'], every: 1, log: pino({ level: 'silent' }), now: () => Date.now() + shift });
    load.start();
    await expect.poll(() => received.length, { interval: 10 }).toBeGreaterThanOrEqual(4);
    load.stop();
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
    expect(received.slice(0, 4)).toEqual(Array.from({ length: 4 }, () => ({ authorization: 'Bearer k', model: 'm' })));
  });
});
