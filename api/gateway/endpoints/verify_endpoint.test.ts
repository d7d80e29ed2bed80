import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { Upstream } from '../relay/upstream.ts';
import { CHAT, listen } from '../test/gateway_world.ts';
import { AddressGuard } from './address_guard.ts';
import { FIRST_RATINGS } from '../catalogue/ratings.ts';
import { measurePace, verifyEndpoint } from './verify_endpoint.ts';
import { createProvider } from '../../demo/provider/provider.ts';
import { slownessOf } from '../../demo/provider/text.ts';

let server: Server;
const upstream = new Upstream(new AddressGuard(['127.0.0.0/8']));
afterEach(() => {
  server.close();
  server.closeAllConnections();
});

/** Says as many words as it may, one after so many milliseconds, but at most so many. */
function speaker(millis: number, most = Infinity): Server {
  return createServer((request, reply) => {
    if (request.method === 'GET') return void reply.end(JSON.stringify({ data: [{ id: CHAT }] }));
    let text = '';
    request.on('data', (piece: Buffer) => (text += piece.toString())).on('end', () => {
      const words = Math.min((JSON.parse(text) as { max_tokens: number }).max_tokens, most);
      setTimeout(() => reply.end(JSON.stringify({ choices: [{ message: { content: 'word '.repeat(words).trim() } }] })), millis * words);
    });
  });
}

test.each([
  ['writes as fast as its GPUs would', speaker(0), 8, undefined],
  ['says too little to tell', speaker(40, 2), 8, undefined],
  ['writes more slowly', speaker(50), 8, /^it writes [0-9]+ tokens a second in 4 streams; of 8 x H100-SXM-80 at least 250 are expected$/],
])('an endpoint that %s', async (what, speaking, gpus, reason) => {
  server = speaking;
  const claim = { target: { url: `${await listen(server)}/v1`, credential: undefined }, models: [CHAT] };
  expect(await verifyEndpoint(upstream, claim)).toEqual({ ok: true });
  const verdict = await verifyEndpoint(upstream, { ...claim, capacity: { className: 'H100-SXM-80', gpus, ratings: FIRST_RATINGS } });
  expect(verdict).toMatchObject(reason === undefined ? { ok: true } : { ok: false, reason: expect.stringMatching(reason) as string });
  // What was found is told, also of one that is too slow; not what could not be found.
  expect(verdict.pace === undefined).toBe(what === 'says too little to tell');
});

test('a provider of the demo, which has no GPUs, is measured as fast as GPUs of the class that is asked for: about as rated', async () => {
  server = createProvider();
  // The slowest: what else this machine does adds little to it.
  const capacity = { className: 'L4-PCIe-24', gpus: 8, ratings: FIRST_RATINGS };
  const rated = FIRST_RATINGS.of(CHAT).get(capacity.className)?.completion ?? 0;
  const claim = { target: { url: `${await listen(server)}/acme/v1`, credential: undefined }, models: [CHAT] };
  const part = ((await measurePace(upstream, claim, capacity)).pace?.completion ?? 0) / rated;
  expect(part).toBeGreaterThan(0.85);
  expect(part).toBeLessThan(1.5);
  // Whoever asks for an answer has it sooner.
  expect((await verifyEndpoint(upstream, { ...claim, capacity })).pace?.completion).toBeLessThan(rated / 3);
});

test('no two providers of the demo are alike: each is a little slower or faster than rated', () => {
  const parts = ['acme', 'bolt', 'core', 'dune'].map((name) => slownessOf(name, 'L4-PCIe-24'));
  expect(new Set(parts).size).toBeGreaterThan(2);
  for (const part of parts) expect(Math.abs(part - 1)).toBeLessThanOrEqual(0.12001);
});
