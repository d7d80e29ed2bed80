/** Many times more orders than the market can take. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Fault } from './fault.ts';
import type { FaultWorld } from './fault_world.ts';
import { pause } from './server_process.ts';

const CONNECTIONS = 40;
/** Requests that a connection sends in one piece, without waiting for answers. */
const PIECE = 50;
const PIECE_MILLIS = 20;
const SHORT_SECONDS = 5;
const LONG_SECONDS = 20;
/** What the server may need more than before the flood, once it has had a moment with it: what has not been answered, and what is garbage. */
const GROWTH_MEGABYTES_MAX = 200;
const STOP_MILLIS_MAX = 10_000;

/** Sends pieces of requests for as long as the other side takes them, and counts what is answered. */
class Flood {
  readonly statuses = new Map<number, number>();
  /** Refusals that do not say when to come again. */
  withoutRetryAfter = 0;
  private readonly sockets = new Set<Socket>();
  private readonly piece: Buffer;
  private readonly timer: NodeJS.Timeout;
  private ended = false;

  constructor(url: string, apiKey: string, instrument: string) {
    const { hostname, port } = new URL(url);
    const body = JSON.stringify({ instrument, side: 'buy', type: 'limit', price: '0.9000', quantity: '0.01', time_in_force: 'ioc' });
    const request = `POST /api/v1/orders HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${apiKey}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    this.piece = Buffer.from(request.repeat(PIECE));
    for (let connection = 0; connection < CONNECTIONS; connection++) this.open(Number(port), hostname);
    this.timer = setInterval(() => this.send(), PIECE_MILLIS);
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
    if (status === 503 && !/retry-after: \d/i.test(head)) this.withoutRetryAfter++;
  }

  private send(): void {
    for (const socket of this.sockets) if (!socket.writableNeedDrain && !socket.destroyed) socket.write(this.piece);
  }
}

const megabytesOf = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

async function instrumentOf({ url }: FaultWorld): Promise<string> {
  const { data } = (await (await fetch(`${url}/api/v1/instruments?class=H100-SXM-80&region=us-east`)).json()) as { data: { id: string }[] };
  return data[5].id;
}

const overload: Fault = {
  name: 'offered many times what it can take, stopped amid it',
  times: { short: 1, long: 1 },
  restarts: true,
  lacks: () => (process.platform === 'linux' ? undefined : 'the memory of a process is read from /proc'),
  async run(world, times) {
    const findings: string[] = [];
    await world.server.stop();
    await world.restart({ environment: { RATE_LIMIT: '1000000' } });
    await world.progress(5);
    const instrument = await instrumentOf(world);
    const flood = new Flood(world.url, world.demo.borrower.api_key, instrument);
    const seconds = world.long ? LONG_SECONDS : SHORT_SECONDS;
    await pause(2_000);
    const early = megabytesOf(world.server.pid);
    await pause(seconds * 1_000);
    const late = megabytesOf(world.server.pid);
    const stopped = await world.server.stop();
    flood.end();
    await world.restart();
    const { statuses, withoutRetryAfter } = flood;
    const strange = [...statuses.keys()].filter((status) => ![200, 201, 422, 503].includes(status));
    if (strange.length > 0) findings.push(`it answered with ${strange.join(', ')}`);
    if (withoutRetryAfter > 0) findings.push(`${withoutRetryAfter} refusals did not say when to come again`);
    if ((statuses.get(201) ?? 0) === 0) findings.push('nothing was accepted');
    if (late - early > GROWTH_MEGABYTES_MAX) findings.push(`its memory grew from ${early.toFixed(0)} to ${late.toFixed(0)} MB`);
    if (stopped.millis > STOP_MILLIS_MAX * world.patience || stopped.code !== 0) findings.push(`it stopped after ${(stopped.millis / 1000).toFixed(1)} s with ${stopped.code ?? stopped.signal}`);
    findings.push(...(await world.verdict()));
    const counts = [...statuses].map(([status, count]) => `${count} times ${status}`).join(', ');
    return { times, findings, note: `${counts}; memory ${early.toFixed(0)} to ${late.toFixed(0)} MB, stopped in ${(stopped.millis / 1000).toFixed(1)} s` };
  },
};

export const overloadFaults: Fault[] = [overload];
