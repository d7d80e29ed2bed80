import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { UnderWay } from './under_way.ts';

test('counts what is under way, also on connections that go away with answers in line', async () => {
  const underWay = new UnderWay(3);
  const waiting: ServerResponse[] = [];
  const server = createServer((request, response) => {
    if (!underWay.enter(request, response)) return void response.writeHead(503).end();
    waiting.push(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const send = (requests: number) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(requests));
    return socket;
  };
  const first = send(2);
  await expect.poll(() => underWay.count).toBe(2);
  const second = send(2);
  const refused = new Promise<string>((resolve) => second.once('data', (bytes: Buffer) => resolve(bytes.toString())));
  await expect.poll(() => underWay.count).toBe(3);
  first.destroy();
  await expect.poll(() => underWay.count).toBe(1);
  // Answers leave in order: the refusal of the second after what the first is told.
  waiting[2].end();
  expect(await refused).toMatch(/^HTTP\/1.1 200/);
  await expect.poll(() => underWay.count).toBe(0);
  for (const response of waiting) response.end();
  expect(underWay.count).toBe(0);
  second.destroy();
  server.close();
});

test('hangs up on who sends hundreds of requests without reading that they are refused', async () => {
  const underWay = new UnderWay(0);
  let refused = 0;
  const server = createServer((request, response) => {
    refused++;
    if (!underWay.enter(request, response) && underWay.floods(request)) response.setHeader('connection', 'close');
    response.writeHead(503).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const send = (requests: number) => connect({ port, host: '127.0.0.1' }).on('error', () => undefined).end('GET / HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(requests), 'latin1');
  const flood = send(100_000);
  await new Promise((resolve) => flood.on('close', resolve).resume());
  expect(refused).toBeGreaterThan(64);
  expect(refused).toBeLessThan(50_000);
  // One that sends what a client may is answered in full.
  refused = 0;
  const client = connect({ port, host: '127.0.0.1' });
  let answers = '';
  client.on('data', (bytes: Buffer) => (answers += bytes.toString()));
  for (let piece = 0; piece < 10; piece++) {
    client.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(10));
    await expect.poll(() => answers.split('503').length - 1).toBe(10 * (piece + 1));
  }
  client.destroy();
  server.close();
});
