/** Many times more orders than the market can take. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Fault } from './fault.ts';
import type { FaultWorld } from './fault_world.ts';
import { pause, until } from './server_process.ts';

const CONNECTIONS = 40;
/** Requests that a connection sends in one piece, without waiting for answers. */
const PIECE = 50;
const PIECE_MILLIS = 20;
const SHORT_SECONDS = 5;
const LONG_SECONDS = 20;
/** What the server may hold more than in the beginning of the flood, garbage aside. */
const GROWTH_MEGABYTES_MAX = 64;
/** And what it may occupy more: each of its three threads lets as much of what is old lie before it is collected. */
const OCCUPIED_MEGABYTES_MAX = 3 * 256;
const STOP_MILLIS_MAX = 10_000;

/** Requests under way while the peak is measured: fewer than are refused. */
const PEAK_OUTSTANDING = 400;
/** How long the peak is measured, and twice of it is offered. */
const PEAK_MILLIS = { short: 2_000, long: 10_000 };
const PEAK_ORDERS_MIN = 100;
const TWICE_MILLIS = { short: 6_000, long: 600_000 };
/** Within which nothing waits any more. */
const EMPTY_MILLIS_MAX = 5_000;

/** Sends requests for as long as the other side takes them, pieces at a time or so many a second, and counts what is answered. */
class Flood {
  readonly statuses = new Map<number, number>();
  /** Of orders that were refused for a reason, by its code. */
  readonly reasons = new Map<string, number>();
  /** Refusals that do not say when to come again. */
  withoutRetryAfter = 0;
  private readonly sockets = new Set<Socket>();
  private readonly piece: Buffer;
  private readonly timer: NodeJS.Timeout;
  private readonly begun = performance.now();
  private readonly pace: { perSecond: number; outstanding: number } | undefined;
  private ended = false;
  sent = 0;

  /** @param pace at most; undefined: all that is taken */
  constructor(url: string, apiKey: string, instrument: string, pace?: { perSecond: number; outstanding: number }) {
    this.pace = pace;
    const { hostname, port } = new URL(url);
    const body = JSON.stringify({ instrument, side: 'buy', type: 'limit', price: '0.9000', quantity: '0.01', time_in_force: 'ioc' });
    const request = `POST /api/v1/orders HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${apiKey}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    this.piece = Buffer.from(request.repeat(pace === undefined ? PIECE : 1));
    for (let connection = 0; connection < CONNECTIONS; connection++) this.open(Number(port), hostname);
    this.timer = setInterval(() => this.send(), PIECE_MILLIS);
  }

  get answered(): number {
    return [...this.statuses.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Sends no more, and goes on hearing. */
  pause(): void {
    clearInterval(this.timer);
  }

  end(): void {
    this.ended = true;
    clearInterval(this.timer);
    for (const socket of this.sockets) socket.destroy();
  }

  /** One that is closed is opened again. */
  private open(port: number, host: string): void {
    const socket = connect({ port, host });
    this.sockets.add(socket);
    let rest = '';
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.sockets.delete(socket);
      if (!this.ended) setTimeout(() => this.open(port, host), PIECE_MILLIS);
    });
    socket.on('data', (bytes: Buffer) => {
      const heads = (rest + bytes.toString('latin1')).split('HTTP/1.1 ');
      rest = `HTTP/1.1 ${heads.pop() ?? ''}`;
      for (const head of heads) if (head !== '') this.count(head);
    });
  }

  private count(head: string): void {
    const status = Number(head.slice(0, 3));
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    const reason = status === 422 ? (/"code":"([a-z_]+)"/.exec(head)?.[1] ?? 'none') : undefined;
    if (reason !== undefined) this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
    if (status === 503 && !/retry-after: \d/i.test(head)) this.withoutRetryAfter++;
  }

  private send(): void {
    const takers = [...this.sockets].filter((socket) => !socket.writableNeedDrain && !socket.destroyed);
    const due = this.pace === undefined ? takers.length : this.dueAt(this.pace);
    for (let count = 0; count < due && takers.length > 0; count++) takers[count % takers.length].write(this.piece);
    if (takers.length > 0) this.sent += due;
  }

  private dueAt({ perSecond, outstanding }: { perSecond: number; outstanding: number }): number {
    const offered = ((performance.now() - this.begun) / 1000) * perSecond - this.sent;
    return Math.max(0, Math.floor(Math.min(offered, this.answered + outstanding - this.sent)));
  }
}

async function memoryOf(world: FaultWorld): Promise<{ held: number; occupied: number }> {
  const occupied = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${world.server.pid}/status`, 'utf8'))?.[1]) / 1024;
  return { held: await world.liveMegabytes(), occupied };
}

async function instrumentOf({ url }: FaultWorld): Promise<string> {
  const { data } = (await (await fetch(`${url}/api/v1/instruments?class=H100-SXM-80&region=us-east`)).json()) as { data: { id: string }[] };
  return data[5].id;
}

function strangeAnswers({ statuses, withoutRetryAfter }: Flood): string[] {
  const strange = [...statuses.keys()].filter((status) => ![200, 201, 422, 503].includes(status));
  return [
    ...(strange.length > 0 ? [`it answered with ${strange.join(', ')}`] : []),
    ...(withoutRetryAfter > 0 ? [`${withoutRetryAfter} refusals did not say when to come again`] : []),
  ];
}

const countsIn = ({ statuses, reasons }: Flood): string => [...[...statuses].filter(([status]) => status !== 422), ...reasons].map(([what, count]) => `${count} times ${what}`).join(', ');

const queueOf = async ({ url }: FaultWorld): Promise<number> => Number(/^sequencer_queue_length (\d+)/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1]);

/** Milliseconds until nothing waits any more and nothing is answered any more. */
async function emptyAfter(world: FaultWorld, flood: Flood): Promise<number> {
  flood.pause();
  let answered = -1;
  const isEmpty = async (): Promise<boolean> => {
    const before = answered;
    answered = flood.answered;
    return before === answered && (await queueOf(world)) === 0;
  };
  return until('an empty queue', isEmpty, 60_000);
}

const overload: Fault = {
  name: 'offered many times what it can take, stopped amid it',
  times: { short: 1, long: 1 },
  lacks: () => (process.platform === 'linux' ? undefined : 'the memory of a process is read from /proc'),
  async run(world, times) {
    const findings: string[] = [];
    await world.progress(5);
    const instrument = await instrumentOf(world);
    const flood = new Flood(world.url, world.demo.borrower.api_key, instrument);
    const seconds = world.long ? LONG_SECONDS : SHORT_SECONDS;
    await pause(2_000);
    const early = await memoryOf(world);
    await pause(seconds * 1_000);
    const late = await memoryOf(world);
    const { server } = world;
    const stopped = await server.stop();
    flood.end();
    await world.restart();
    const { statuses } = flood;
    findings.push(...strangeAnswers(flood));
    if ((statuses.get(201) ?? 0) === 0) findings.push('nothing was accepted');
    if (late.held - early.held > GROWTH_MEGABYTES_MAX) findings.push(`what it holds grew by ${(late.held - early.held).toFixed(0)} MB`);
    if (late.occupied - early.occupied > OCCUPIED_MEGABYTES_MAX) findings.push(`its memory grew from ${early.occupied.toFixed(0)} to ${late.occupied.toFixed(0)} MB`);
    if (stopped.millis > STOP_MILLIS_MAX * world.patience || stopped.code !== 0) findings.push(`it stopped after ${(stopped.millis / 1000).toFixed(1)} s with ${stopped.code ?? stopped.signal}: ${server.output.slice(-300)}`);
    findings.push(...(await world.verdict()));
    return { times, findings, note: `${countsIn(flood)}; what it holds grew by ${(late.held - early.held).toFixed(0)} MB, it occupied ${early.occupied.toFixed(0)}, then ${late.occupied.toFixed(0)} MB; stopped in ${(stopped.millis / 1000).toFixed(1)} s` };
  },
};

/** What is accepted in a second by who sends as fast as he is answered. */
async function peakOf(world: FaultWorld, instrument: string, millis: number): Promise<number> {
  const flood = new Flood(world.url, world.demo.borrower.api_key, instrument, { perSecond: Infinity, outstanding: PEAK_OUTSTANDING });
  const begun = performance.now();
  await pause(millis);
  const accepted = (): number => flood.statuses.get(201) ?? 0;
  await until('orders at the peak', () => accepted() >= PEAK_ORDERS_MIN, 60_000).finally(() => flood.end());
  return Math.round((accepted() / (performance.now() - begun)) * 1000);
}

const twice: Fault = {
  name: 'offered twice the peak',
  times: { short: 1, long: 1 },
  async run(world, times) {
    await world.progress(5);
    const instrument = await instrumentOf(world);
    const length = world.long ? 'long' : 'short';
    const peak = await peakOf(world, instrument, PEAK_MILLIS[length]);
    await world.progress(5);
    const flood = new Flood(world.url, world.demo.borrower.api_key, instrument, { perSecond: 2 * peak, outstanding: Infinity });
    await pause(TWICE_MILLIS[length]);
    const empty = await emptyAfter(world, flood);
    flood.end();
    const findings = strangeAnswers(flood);
    if (empty > EMPTY_MILLIS_MAX * world.patience) findings.push(`what waited was answered only after ${(empty / 1000).toFixed(1)} s`);
    findings.push(...(await world.verdict()));
    return { times, findings, note: `${2 * peak} a second: ${countsIn(flood)}; nothing waited ${(empty / 1000).toFixed(1)} s later` };
  },
};

export const overloadFaults: Fault[] = [overload, twice];
