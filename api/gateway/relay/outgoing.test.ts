import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { KeepAlive, Outgoing } from './outgoing.ts';

const SILENT_MILLIS = 50;
const COMMENTS = /^(: keep-alive\n\n){2,}$/;
let close: () => void = () => undefined;
afterEach(() => close());

/** All that a client of a stream reads. @param write what the server does with it */
async function read(write: (out: Outgoing, keepAlive: KeepAlive) => Promise<void>): Promise<string> {
  const keepAlive = new KeepAlive(SILENT_MILLIS);
  const server = createServer((_request, response) => {
    const out = new Outgoing(response, 'one');
    keepAlive.add(out);
    void write(out, keepAlive).finally(() => keepAlive.delete(out));
  });
  close = () => void server.close();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return new Promise((resolve, reject) => {
    request({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (piece: string) => (text += piece)).on('end', () => resolve(text));
    }).on('error', reject).end();
  });
}

const after = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis));

test('a stream that is silent has comments before its first piece, between two, and none after its end', async () => {
  const text = await read(async (out) => {
    const pieces = vi.spyOn(out, 'piece');
    const comments = (count: number): Promise<void> => expect.poll(() => pieces.mock.calls.length).toBeGreaterThanOrEqual(count);
    await comments(2);
    expect(out.isWaiting).toBe(true);
    out.streamHead();
    out.piece('data: 1\n\n');
    expect(out.isWaiting).toBe(false);
    pieces.mockClear();
    await comments(2);
    out.lastPiece('data: 2\n\n');
    await after(SILENT_MILLIS * 2);
  });
  const [before, between, last] = text.split(/data: [12]\n\n/);
  expect(before).toMatch(COMMENTS);
  expect(between).toMatch(COMMENTS);
  expect(last).toBe('');
});
