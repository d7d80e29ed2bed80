import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { readConfig } from '../config.ts';
import { Front } from './front.ts';

const REQUEST = 'GET /x HTTP/1.1\r\nhost: x\r\n\r\n';

/** A connection, all that it has heard, and its end. */
async function client(port: number): Promise<{ send: (text: string) => void; heard: () => string; ended: Promise<unknown> }> {
  const socket = connect({ port, host: '127.0.0.1' });
  let heard = '';
  socket.on('data', (bytes: Buffer) => (heard += bytes.toString()));
  socket.on('error', () => undefined);
  const ended = new Promise((resolve) => socket.once('close', resolve));
  await once(socket, 'connect');
  return { send: (text) => socket.write(text), heard: () => heard, ended };
}

test('a front that closes answers what is under way, and tells who goes on sending once', async () => {
  const front = new Front();
  const port = await front.listen({ ...readConfig({}), port: 0 });
  let answer = (): void => undefined;
  const asked = new Promise<void>((resolve) => {
    front.open((_request, response) => {
      answer = () => void response.end('done');
      resolve();
    });
  });
  const reached: Socket[] = [];
  front.server.on('connection', (socket) => reached.push(socket));
  const [patient, flooding] = [await client(port), await client(port)];
  patient.send(REQUEST);
  await asked;
  // A request that is not whole keeps the connection from being taken for idle.
  flooding.send(REQUEST.slice(0, 8));
  await expect.poll(() => reached[1].bytesRead).toBe(8);
  const closed = front.close();
  flooding.send(REQUEST.slice(8) + REQUEST.repeat(1_000));
  await flooding.ended;
  answer();
  await Promise.all([closed, patient.ended]);
  expect(patient.heard()).toContain('200 OK');
  expect(flooding.heard().match(/HTTP\/1.1 503/g)).toHaveLength(1);
  expect(flooding.heard().toLowerCase()).toContain('connection: close');
});

test('a front that closes waits no longer than a moment, for whatever it is', async () => {
  const front = new Front();
  const port = await front.listen({ ...readConfig({}), port: 0 });
  front.open(() => undefined);
  front.server.on('upgrade', (_request, socket: Socket) => void socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
  const [waiting, upgraded] = [await client(port), await client(port)];
  waiting.send(REQUEST.replace('/x', '/api/x'));
  upgraded.send(REQUEST.replace('\r\n\r\n', '\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'));
  await expect.poll(() => upgraded.heard()).toContain('101');
  await Promise.all([front.close(), waiting.ended, upgraded.ended]);
  expect(waiting.heard()).toMatch(/503[^]*retry-after: 1/);
});

/** Asks again as soon as it is answered. @returns resolves with the first answer */
async function asker(port: number): Promise<{ first: Promise<unknown>; end: () => void }> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  socket.once('connect', () => socket.write(REQUEST));
  socket.on('data', () => socket.write(REQUEST));
  return { first: once(socket, 'data'), end: () => socket.destroy() };
}

test('a front whose clients keep it busy lets others in before it serves on', async () => {
  const front = new Front();
  const port = await front.listen({ ...readConfig({}), port: 0 });
  let answers = 0;
  front.open((_request, response) => {
    front.turns.take(() => {
      answers++;
      response.end();
    });
  });
  const busy = await Promise.all(Array.from({ length: 100 }, () => asker(port)));
  await Promise.all(busy.map(({ first }) => first));
  const before = answers;
  const others = await Promise.all(Array.from({ length: 100 }, () => asker(port)));
  await Promise.all(others.map(({ first }) => first));
  // Each of a hundred turns would serve a hundred requests.
  expect(answers - before).toBeLessThan(2_000);
  for (const { end } of [...busy, ...others]) end();
  await front.close();
});
