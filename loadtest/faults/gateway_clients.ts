/** Clients of the gateway that go away, and clients that read slowly what fast endpoints say. */
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { countPauses } from '../../api/gateway/test/pauses.ts';
import { deskFault } from './desk.ts';
import type { Desk } from './desk.ts';
import type { Fault } from './fault.ts';
import { CHAT } from './inference_market.ts';
import { memoryOf, pause, until } from './server_process.ts';

const CLOSED_MILLIS_MAX = 250;
const STREAM_MILLIS = { short: 5_000, long: 20_000 };
const WAIT_MILLIS = 60_000;
/** So many begin at once, and are given so long for it. */
const TOGETHER = 25;
const TURN_MILLIS = 5_000;
const MEGABYTE = 2 ** 20;
/** What the server may need more, and that for each client. */
const GROWTH_MAX = { once: 128 * MEGABYTE, each: MEGABYTE / 2 };
/** So many tokens, each in an event of its own of a kilobyte, are more than the operating system keeps on the way. */
const TOKENS = 20_000;
const PADDING = 'x'.repeat(800);

type Say = (reply: ServerResponse) => void;
const event = (content: string): string => `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_767_225_600, model: CHAT, choices: [{ index: 0, delta: { content }, logprobs: null, finish_reason: null }] })}\n\n`;
const begin: Say = (reply) => void reply.writeHead(200, { 'content-type': 'text/event-stream' }).write(event('one'));
const PIECE = event(' word').replace('"chatcmpl-1"', `"chatcmpl-1","padding":"${PADDING}"`).repeat(64);
const PIECES = Math.floor(TOKENS / 64);

/** As fast as it is read. */
const sayAll: Say = (reply) => {
  let left = PIECES;
  const write = (): void => {
    while (left-- > 0) if (!reply.write(PIECE)) return void reply.once('drain', write);
    reply.end(`data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`);
  };
  begin(reply);
  write();
};

/** What an endpoint is amid when its client leaves, and whether that is a stream. */
const PHASES: readonly [stream: boolean, say: Say][] = [
  [false, () => undefined],
  [false, (reply) => void reply.writeHead(200, { 'content-type': 'application/json' }).write('{"choices":[')],
  [true, begin],
  [true, sayAll],
];

/** What a fault hears of the endpoint that it steers. */
interface Heard {
  say: Say;
  /** A request is under way; its connection is closed. */
  reached: () => void;
  closed: () => void;
}

function steer({ endpoint }: Desk): Heard {
  const heard: Heard = { say: sayAll, reached: () => undefined, closed: () => undefined };
  endpoint.steering = (request, reply) => {
    const { say } = heard;
    request.resume().once('end', () => {
      reply.once('close', () => heard.closed());
      say(reply);
      heard.reached();
    });
    return true;
  };
  return heard;
}

/** Sends a chat that goes to the endpoint; what comes is read by whoever asks. */
function ask({ world, provider, clients }: Desk, stream: boolean): Socket {
  const body = JSON.stringify({ model: CHAT, messages: [{ role: 'user', content: 'hello' }], max_tokens: TOKENS, stream });
  const socket = connect(Number(new URL(world.server.url).port), '127.0.0.1').on('error', () => undefined).pause();
  socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${world.server.demo.gateway_key}\r\nx-ccx-provider: ${provider}\r\n`
    + `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  clients.push(socket);
  return socket;
}

const clientsLeave = deskFault('clients that go away', { short: 20, long: 100 }, async (desk, times) => {
  const heard = steer(desk);
  const millis: number[] = [];
  for (let time = 0; time < times; time++) {
    const [stream, say] = PHASES[time % PHASES.length];
    heard.say = say;
    const underWay = new Promise<void>((resolve) => (heard.reached = resolve));
    const gone = new Promise<void>((resolve) => (heard.closed = resolve));
    const client = ask(desk, stream);
    await underWay;
    // Long enough that the first bytes have gone through.
    await pause(10);
    const pauses = countPauses();
    const left = performance.now();
    client.destroy();
    await gone;
    millis.push(performance.now() - left - pauses.millis);
    pauses.stop();
  }
  const sorted = millis.sort((a, b) => a - b);
  const late = sorted.filter((each) => each > CLOSED_MILLIS_MAX).length;
  const note = `the endpoint's side was closed after ${sorted[times >> 1].toFixed(1)} ms, at most ${sorted[times - 1].toFixed(1)} ms; ${times - late} of ${times} within ${CLOSED_MILLIS_MAX} ms`;
  return { times, findings: late === 0 ? [] : [`${late} were closed late`], note };
});

const clientsDawdle = deskFault('clients that read slowly', { short: 50, long: 1_000 }, async (desk, times) => {
  const { world, clients } = desk;
  const heard = steer(desk);
  let [reached, open] = [0, 0];
  heard.reached = () => void (reached++, open++);
  heard.closed = () => void open--;
  const before = await memoryOf(world.server);
  const wanted = performance.now() + WAIT_MILLIS * world.patience;
  while (reached < times) {
    // A market that is busy turns some away; others come in their place.
    for (let more = Math.min(TOGETHER, times - reached); more > 0; more--) ask(desk, true);
    const all = Math.min(times, reached + TOGETHER);
    await until('those are served', () => reached >= all, TURN_MILLIS).catch(() => undefined);
    if (performance.now() > wanted) throw new Error(`only ${reached} of ${times} were served`);
  }
  let most = 0;
  const begun = performance.now();
  while (performance.now() - begun < STREAM_MILLIS[world.long ? 'long' : 'short']) {
    // Each takes a little now and then.
    for (const client of clients) client.read(4_096);
    await pause(200);
    most = Math.max(most, await memoryOf(world.server));
  }
  const findings: string[] = [];
  if (open < times) findings.push(`${times - open} of ${times} streams had ended`);
  const grown = most - before;
  if (grown > GROWTH_MAX.once + times * GROWTH_MAX.each) findings.push(`memory grew by ${Math.round(grown / MEGABYTE)} MiB`);
  for (const client of clients) client.destroy();
  await until('every endpoint is left', () => open === 0, WAIT_MILLIS).catch((error: Error) => findings.push(error.message));
  const said = Math.round((times * PIECES * PIECE.length) / MEGABYTE);
  return { times, findings, note: `of ${said} MiB to be said, memory grew by at most ${Math.round(grown / MEGABYTE)} MiB` };
});

export const gatewayClientFaults: Fault[] = [clientsLeave, clientsDawdle];
