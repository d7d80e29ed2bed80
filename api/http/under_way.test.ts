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
