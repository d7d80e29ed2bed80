/** A provider that fails is noticed by its probes, and what its buyers lose is refunded. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { NONE } from '../../../engine/vocabulary.ts';
import type { EngineEvent, EventKind, EventOf } from '../../../engine/events.ts';
import { decodeEvents } from '../../../engine/events.ts';
import { MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../../../engine/numbers/units.ts';
import { createProvider } from '../../demo/provider/provider.ts';
import { agrees, askCanary, ordinaryQuestion, runCanary } from './canary.ts';
import { LoadTests } from './load_test.ts';
import type { LoadTestParts } from './load_test.ts';
import { LoadTestsInMemory } from './load_test_log.ts';
import type { Upstream } from '../relay/upstream.ts';
import { CHAT, HOUR, MARKET, START, openGatewayWorld } from '../test/gateway_world.ts';
import type { GatewayWorld, WorldOptions } from '../test/gateway_world.ts';

let world: GatewayWorld;
let events: EngineEvent[] = [];
async function open(options: WorldOptions = {}): Promise<void> {
  world = await openGatewayWorld(options);
  events = [];
  world.services.sequencer.onCommitted((batch) => events.push(...decodeEvents(batch.events)));
}
const seen = <K extends EventKind>(kind: K): EventOf<K>[] => events.filter((event): event is EngineEvent & EventOf<K> => event.kind === kind);

/** Answers like a provider until it is told otherwise. */
function moody(answer: () => 'well' | 'badly' | 'lie'): Server {
  const provider = createProvider({ firstTokenMillis: 0, tokenMillis: 0 });
  return createServer((request, response) => {
    const mood = request.method === 'GET' ? 'well' : answer();
    if (mood === 'well') provider.emit('request', request, response);
    else if (mood === 'badly') response.writeHead(500).end('{}');
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ choices: [{ message: { role: 'assistant', content: 'I am a smaller model.' } }] }));
  });
}

/** The second provider sells a GPU of the running hour, and answers in its mood. */
async function sold(answer: () => 'well' | 'badly' | 'lie', options: WorldOptions = {}): Promise<number> {
  await open({ providers: 2, ...options });
  await world.serveAt(world.providers[1], moody(answer), [CHAT]);
  await world.offer(world.providers[1], 20_000, 100);
  return world.buy(20_000, 100);
}

const endHour = async (): Promise<void> => void (await world.services.sequencer.setClock((HOUR + 1) * MILLIS_PER_HOUR));

describe('the watch over delivery', () => {
  afterEach(async () => {
    await world.check();
    await world.close();
  });

  test('reports nothing of a provider that delivers', async () => {
    await sold(() => 'well');
    await world.gateway.watch.heartbeat();
    await world.gateway.watch.minute();
    expect(seen('minuteFailed')).toEqual([]);
  });

  test('reports a minute whose canary failed; the hour is refunded by its share', async () => {
    let mood: 'well' | 'badly' = 'well';
    const allocation = await sold(() => mood);
    mood = 'badly';
    for (let minute = 10; minute < 15; minute++) {
      await world.services.sequencer.setClock(START + (minute - 10) * MILLIS_PER_MINUTE);
      await world.gateway.watch.minute();
    }
    expect(seen('minuteFailed').map(({ company, model, reason, minute }) => [company, model, reason, minute % 60])).toEqual([10, 11, 12, 13, 14].map((minute) => [world.providers[1], NONE, 'canary', minute]));
    // Sought after the third, and after each that follows.
    expect(seen('replacementSought').map(({ allocation: of, outcome }) => [of, outcome])).toEqual([0, 1, 2].map(() => [allocation, 'no_offer']));
    mood = 'well';
    await world.services.sequencer.setClock(START + 5 * MILLIS_PER_MINUTE);
    await world.gateway.watch.minute();
    await endHour();
    // Bought with fifty minutes left: five of them failed.
    expect(seen('deliveryFailed')).toMatchObject([{ allocation, gpu: 360 * 1_000_000, reason: 'canary' }]);
  });

  test.each([401, 404, 429, 500, 'a cut stream'])('counts what real requests met, though its canaries pass: %s', async (how) => {
    let real = false;
    const provider = createProvider({ firstTokenMillis: 0, tokenMillis: 0 });
    const server = createServer((request, response) => {
      if (!real || request.method === 'GET') return void provider.emit('request', request, response);
      if (typeof how === 'number') return void response.writeHead(how).end('{}');
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: 'one' } }] })}\n\n`);
      setTimeout(() => response.destroy(), 5);
    });
    await open({ providers: 2 });
    await world.serveAt(world.providers[1], server, [CHAT]);
    await world.offer(world.providers[1], 20_000, 100);
    await world.buy(20_000, 100);
    real = true;
    for (let index = 0; index < 6; index++) {
      const body = JSON.stringify({ model: CHAT, messages: [{ role: 'user', content: 'hello' }], stream: typeof how !== 'number' });
      await fetch(`${world.url}/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${world.key()}`, 'content-type': 'application/json' }, body }).then((told) => told.text());
    }
    real = false;
    // Of a minute that is not over nothing is said; then it is the one in which they failed, and no other.
    await world.gateway.watch.minute();
    expect(seen('minuteFailed')).toEqual([]);
    await world.services.sequencer.setClock(START + 2 * MILLIS_PER_MINUTE);
    await world.gateway.watch.minute();
    expect(seen('minuteFailed').map(({ company, model, reason, minute }) => [company, model, reason, minute])).toEqual([[world.providers[1], NONE, 'requests', START / MILLIS_PER_MINUTE]]);
  });

  const watched = async (minutes: number): Promise<void> => {
    for (let minute = 1; minute <= minutes; minute++) {
      await world.services.sequencer.setClock(START + minute * MILLIS_PER_MINUTE + 1);
      await world.gateway.watch.minute();
    }
  };

  test('each whole minute of a suspended provider has failed, though it answers; after three it is replaced', async () => {
    const allocation = await sold(() => 'well');
    await world.offer(world.providers[0], 20_000, 100);
    await world.services.sequencer.setClock(START + 1);
    await world.run({ type: 'suspendProvider', company: NONE, provider: world.providers[1], reason: 'drill' });
    await world.gateway.watch.minute();
    await watched(3);
    expect(seen('minuteFailed').map(({ reason, minute }) => [reason, minute % 60])).toEqual([11, 12, 13].map((minute) => ['suspended', minute]));
    expect(seen('replacementSought')).toMatchObject([{ allocation, outcome: 'replaced' }]);
  });

  test.each(['draining', 'removed'] as const)('a place whose last endpoint is %s serves nothing, though nobody has watched it before; after three minutes it is replaced', async (status) => {
    const allocation = await sold(() => 'well');
    await world.offer(world.providers[0], 20_000, 100);
    await world.turn(world.providers[1], status);
    await watched(3);
    expect(seen('minuteFailed').map(({ reason }) => reason)).toEqual(['not_served', 'not_served', 'not_served']);
    expect(seen('replacementSought')).toMatchObject([{ allocation, outcome: 'replaced' }]);
  });

  test('says which model failed when others are served', async () => {
    await open({ providers: 2 });
    let broken = false;
    const half = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece)).on('end', () => {
        const fails = broken && Buffer.concat(pieces).toString().includes(CHAT);
        if (fails) response.writeHead(404).end('{}');
        else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ data: [{ id: CHAT }, { id: 'Qwen/Qwen2.5-7B-Instruct' }], choices: [{ message: { content: 'Well.' } }] }));
      });
    });
    await world.serveAt(world.providers[1], half, [CHAT, 'Qwen/Qwen2.5-7B-Instruct']);
    await world.offer(world.providers[1], 20_000, 100);
    await world.buy(20_000, 100);
    broken = true;
    // They come up by chance; one that failed is asked every minute until it answers.
    for (let minute = 0; minute < 20; minute++) {
      await world.services.sequencer.setClock(START + minute * MILLIS_PER_MINUTE);
      await world.gateway.watch.minute();
    }
    const model = world.services.directory.modelId(CHAT);
    expect(new Set(seen('minuteFailed').map((event) => [event.model, event.reason].join()))).toEqual(new Set([`${model},canary`]));
  });

  test('three wrong answers in a row: nothing since the first counts, and the provider is suspended', async () => {
    let mood: 'well' | 'lie' = 'well';
    await open({ providers: 2, references: { of: () => Promise.resolve([{ prompt: 'Name the first four planets.', answer: 'Mercury, Venus, Earth and Mars are the first four planets of the Sun.' }]) } });
    await world.serveAt(world.providers[1], moody(() => mood), [CHAT]);
    await world.offer(world.providers[1], 20_000, 100);
    await world.buy(20_000, 100);
    mood = 'lie';
    // The first provider's words are not those that were recorded either: it has sold nothing, and is suspended as well.
    for (let minute = 0; seen('providerSuspended').length < 2 && minute < 60; minute++) {
      await world.services.sequencer.setClock(START + Math.min(minute, 45) * MILLIS_PER_MINUTE);
      await world.gateway.watch.minute();
    }
    expect(new Set(seen('providerSuspended').map(({ company }) => company))).toEqual(new Set(world.providers));
    expect(seen('deliveryAnnulled').filter(({ provider }) => provider === world.providers[1]).slice(0, 1)).toMatchObject([{ market: MARKET, reason: 'wrong_answers', by: NONE }]);
  });

  test('minutes that a manual clock passes over are those of the endpoint as it is now', async () => {
    await open({ providers: 2 });
    const server = createProvider({ firstTokenMillis: 0, tokenMillis: 0 });
    await world.serveAt(world.providers[1], server, [CHAT]);
    await world.offer(world.providers[1], 20_000, 100);
    await world.buy(20_000, 100);
    await world.gateway.watch.clockMoved();
    await world.services.sequencer.setClock(START + 10 * MILLIS_PER_MINUTE);
    await world.gateway.watch.clockMoved();
    expect(seen('minuteFailed')).toEqual([]);
    server.close();
    server.closeAllConnections();
    await endHour();
    await world.gateway.watch.clockMoved();
    expect(seen('minuteFailed')).toHaveLength(40);
    const [failed] = seen('deliveryFailed').slice(-1);
    expect(failed.found).toBe('after_delivery');
    expect(seen('deliveryFailed').reduce((sum, { gpu }) => sum + gpu, 0)).toBe((3_600 * 1_000_000 * 40) / 50);
  });
});

describe('a manual clock', () => {
  test('that is moved over minutes of a suspended provider has it replaced', async () => {
    const allocation = await sold(() => 'well');
    await world.offer(world.providers[0], 20_000, 100);
    await world.gateway.watch.clockMoved();
    await world.run({ type: 'suspendProvider', company: NONE, provider: world.providers[1], reason: 'drill' });
    await world.services.sequencer.setClock(START + 15 * MILLIS_PER_MINUTE);
    await world.gateway.watch.clockMoved();
    expect(seen('minuteFailed').map(({ reason }) => reason)).toEqual(Array.from({ length: 15 }, () => 'suspended'));
    expect(seen('replacementSought')).toMatchObject([{ allocation, outcome: 'replaced' }]);
  });

  test('that is moved out of a minute has the requests of that minute counted in it', async () => {
    let mood: 'well' | 'badly' = 'well';
    await sold(() => mood);
    await world.gateway.watch.clockMoved();
    mood = 'badly';
    for (let index = 0; index < 6; index++) {
      const body = JSON.stringify({ model: CHAT, messages: [{ role: 'user', content: 'hello' }] });
      await fetch(`${world.url}/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${world.key()}`, 'content-type': 'application/json' }, body }).then((told) => told.text());
    }
    mood = 'well';
    await world.services.sequencer.setClock(START + 3 * MILLIS_PER_MINUTE);
    await world.gateway.watch.clockMoved();
    expect(seen('minuteFailed').map(({ reason, minute }) => [reason, minute])).toEqual([['requests', START / MILLIS_PER_MINUTE]]);
  });

  afterEach(async () => {
    await world.check();
    await world.close();
  });

  test('that is moved over minutes finds an endpoint that is there and answers nothing', async () => {
    let mood: 'well' | 'badly' = 'well';
    await sold(() => mood);
    await world.gateway.watch.clockMoved();
    mood = 'badly';
    await world.services.sequencer.setClock(START + 10 * MILLIS_PER_MINUTE);
    await world.gateway.watch.clockMoved();
    expect(seen('minuteFailed').map(({ reason }) => reason)).toEqual(Array.from({ length: 10 }, () => 'canary'));
  });

  test('has the load tests made that were asked for: what one misses fails until a later one reaches it', async () => {
    const loadTests = new LoadTestsInMemory();
    await open({ providers: 2, loadTests });
    let isMended = false;
    await world.serveAt(world.providers[1], createServer((request, response) => {
      if (request.method === 'GET') return void response.end(JSON.stringify({ data: [{ id: CHAT }] }));
      let text = '';
      request.on('data', (piece: Buffer) => (text += piece.toString())).on('end', () => {
        const words = (JSON.parse(text) as { max_tokens: number }).max_tokens;
        // It answers, but not much.
        if (words > 200 && !isMended) response.writeHead(503).end('{}');
        else response.end(JSON.stringify({ choices: [{ message: { content: 'word '.repeat(words).trim() } }] }));
      });
    }), [CHAT]);
    await world.offer(world.providers[1], 20_000, 100);
    await world.buy(20_000, 100);
    await world.gateway.watch.clockMoved();
    const moved = async (minutes: number): Promise<void> => {
      loadTests.wanted.push({ company: world.providers[1], market: MARKET });
      await world.services.sequencer.setClock(START + minutes * MILLIS_PER_MINUTE);
      await world.gateway.watch.clockMoved();
    };
    await moved(1);
    expect(seen('minuteFailed')).toMatchObject([{ reason: 'load_test', share: 1_000_000 }]);
    isMended = true;
    await moved(2);
    expect(loadTests.results.map(({ shortfall }) => shortfall)).toEqual([1_000_000, 0]);
    expect(seen('minuteFailed')).toHaveLength(1);
  });

  test('that is moved over three minutes finds one that answers wrongly, from the first of them on', async () => {
    let mood: 'well' | 'lie' = 'well';
    const references = { of: () => Promise.resolve([{ prompt: 'Name the first four planets.', answer: 'Mercury, Venus, Earth and Mars are the first four planets of the Sun.' }]) };
    const allocation = await sold(() => mood, { references });
    await world.offer(world.providers[0], 20_000, 100);
    await world.gateway.watch.clockMoved();
    mood = 'lie';
    await world.services.sequencer.setClock(START + 3 * MILLIS_PER_MINUTE);
    await world.gateway.watch.clockMoved();
    expect(seen('providerSuspended')).toMatchObject([{ company: world.providers[1] }]);
    expect(seen('deliveryAnnulled')).toMatchObject([{ provider: world.providers[1], reason: 'wrong_answers', since: START }]);
    expect(seen('replacementSought')).toMatchObject([{ allocation, outcome: 'replaced' }]);
  });
});

test('a place is load-tested once on each day of a clock that is moved, at a minute of its own', async () => {
  const loadTests = new LoadTestsInMemory();
  const committed = { now: 0 };
  const tests = new LoadTests({
    services: { committed, directory: { className: () => 'H100-SXM-80' } }, ratings: { inForce: () => undefined }, loadTests, endpoints: { all: () => [] }, upstream: {},
  } as unknown as LoadTestParts);
  const counts: number[] = [];
  for (let hour = 0; hour < 4 * 24; hour++) {
    committed.now += MILLIS_PER_HOUR;
    await tests.moved([{ company: 1, market: MARKET, hour, quantity: 100, models: [] }], hour * MILLIS_PER_HOUR);
    if (hour % 24 === 23) counts.push(loadTests.results.length);
  }
  expect(counts).toEqual([1, 2, 3, 4]);
});

describe('a canary', () => {
  test('is read as a stream where it comes as one', async () => {
    const chunks = [{ choices: [{ delta: { role: 'assistant', content: 'Mer' } }] }, { choices: [{ delta: { content: 'cury' }, finish_reason: 'stop' }] }, { choices: [], usage: {} }];
    const streamed = (...events: (object | string)[]) => ({
      post: () => Promise.resolve({ status: 200, contentType: 'text/event-stream', text: () => Promise.resolve(events.map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\r\n\r\n`).join('')) }),
    }) as unknown as Upstream;
    const ask = { target: { url: '', credential: undefined }, model: CHAT, prompt: 'x', mayStream: true, signal: AbortSignal.timeout(1_000) };
    expect(await askCanary(streamed(...chunks, '[DONE]'), ask)).toBe('Mercury');
    expect(await runCanary(streamed(chunks[0], { error: { message: 'out of memory' } }), ask)).toBe('failed');
    expect(await runCanary(streamed('[DONE]'), ask)).toBe('failed');
  });

  test('asks what anybody might ask', () => {
    const questions = new Set(Array.from({ length: 50 }, () => ordinaryQuestion(Math.random)));
    expect(questions.size).toBeGreaterThan(20);
  });

  test.each([
    ['The capital of France is Paris.', 'the capital of France is Paris, of course', true],
    ['The capital of France is Paris.', 'Paris', false],
    ['42', '42', true],
    ['42', '41', false],
    ['Mercury, Venus, Earth and Mars.', 'I am a smaller model.', false],
    ['!', '!', true],
  ])('recorded %j, given %j: %s', (recorded, given, same) => {
    expect(agrees(recorded, given)).toBe(same);
  });
});
