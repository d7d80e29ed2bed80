/**
 * Live data: many sockets on one book that changes all the time. The server and the engine run in this
 * process, the clients in one of their own. Lag is counted for every committed batch and every client,
 * from the commit until the client has the frame that contains it, so conflation is part of it. The engine has run before as it does in a market that is open.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { BUY, SELL } from '../../engine/vocabulary.ts';
import type { SocketAuth } from '../../api/realtime/sessions.ts';
import { Realtime } from '../../api/realtime/realtime.ts';
import { INSTRUMENT, openExchange, orderOf } from '../../api/market/test/exchange.ts';
import type { Exchange } from '../../api/market/test/exchange.ts';
import { eventOf } from '../../api/sequencer/port.ts';
import { percentile } from './benchmark.ts';
import type { BenchOptions, BenchResult } from './benchmark.ts';
import type { ClientOrders, ClientReport } from './realtime_clients.ts';
import { Random } from './random.ts';

const MID = 20_000;
/** Prices of the book lie within so many ticks of the mid. */
const REACH = 40;
const RESTING = 2_000;
const BATCH_MILLIS = 5;
const WARMUP_MILLIS = 2_000;
/** Before anybody listens: what a market that has been open for a minute has long compiled. In the server the engine has a thread of its own. */
const REHEARSED = 60_000;
const REHEARSED_BATCH = 25;
/** How long the last frames may take to arrive. */
const SETTLE_MILLIS = 500;

const nobody: SocketAuth = {
  authenticate: () => Promise.resolve({ ok: false, reason: 'unauthenticated' }),
  onRevoked: () => () => undefined,
};

const clock = (): number => performance.timeOrigin + performance.now();
const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis));

/** Adds, cancels and now and then takes, so that the book keeps its size. */
class Load {
  updates = 0;
  /** First sequence and commit time of each batch. */
  readonly batches: { sequence: number; at: number }[] = [];
  private readonly exchange: Exchange;
  private readonly random = new Random(1);
  private readonly resting: { company: number; order: number }[] = [];

  constructor(exchange: Exchange) {
    this.exchange = exchange;
    exchange.sequencer.hold();
    for (let count = 0; count < RESTING; count++) this.add();
    this.commit();
  }

  private add(): void {
    const { random, exchange } = this;
    const sell = random.below(2) === 0;
    const company = (sell ? exchange.providers : exchange.buyers)[random.below(5)];
    const distance = random.below(10) === 0 ? -1 : random.below(REACH);
    const price = sell ? MID + distance : MID - 1 - distance;
    const events = exchange.sequencer.run(orderOf(company, sell ? SELL : BUY, price, 1 + random.below(100)));
    const accepted = eventOf(events, 'orderAccepted');
    if (accepted === undefined) throw new Error(`an order was refused: ${JSON.stringify(events)}`);
    this.resting.push({ company, order: accepted.order });
    this.updates++;
  }

  /** Cancels any order that rests; those that have traded since are passed over. */
  private cancel(): void {
    while (this.resting.length > 0) {
      const index = this.random.below(this.resting.length);
      const { company, order } = this.resting[index];
      this.resting[index] = this.resting[this.resting.length - 1];
      this.resting.pop();
      if (eventOf(this.exchange.sequencer.run({ type: 'cancel', company, order }), 'rejected') === undefined) {
        this.updates++;
        return;
      }
    }
  }

  step(): void {
    if (this.resting.length < RESTING || this.random.below(2) === 0) this.add();
    else this.cancel();
  }

  commit(): void {
    const at = clock();
    this.exchange.sequencer.commit();
    this.batches.push({ sequence: this.exchange.view.sequence, at });
  }

  async rehearse(): Promise<void> {
    for (let done = 0; done < REHEARSED; done++) {
      this.step();
      if (done % REHEARSED_BATCH > 0) continue;
      this.commit();
      // What is compiled beside it comes into use between tasks.
      await pause(0);
    }
    this.batches.length = 0;
  }

  /** Applies `rate` updates a second for so long. */
  async run(rate: number, millis: number): Promise<number> {
    const started = performance.now();
    const before = this.updates;
    for (let elapsed = 0; elapsed < millis; elapsed = performance.now() - started) {
      const due = before + Math.floor((elapsed * rate) / 1_000);
      while (this.updates < due) this.step();
      this.commit();
      await pause(BATCH_MILLIS);
    }
    return ((this.updates - before) * 1_000) / (performance.now() - started);
  }
}

/** Lag of every batch at every client, from frames of (client, previous sequence, sequence, received at). */
function lagsOf(frames: Float64Array, batches: readonly { sequence: number; at: number }[], from: number): Float64Array {
  const lags: number[] = [];
  for (let at = 0; at < frames.length; at += 3) {
    const [before, sequence, received] = frames.subarray(at, at + 3);
    for (let index = firstAfter(batches, before); index < batches.length && batches[index].sequence <= sequence; index++) {
      if (batches[index].at >= from) lags.push(received - batches[index].at);
    }
  }
  return Float64Array.from(lags).sort();
}

function firstAfter(batches: readonly { sequence: number }[], sequence: number): number {
  let low = 0;
  let high = batches.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (batches[middle].sequence <= sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}

const answerOf = <T>(child: ChildProcess): Promise<T> =>
  new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as T));
    child.once('exit', (code) => reject(new Error(`the clients ended with ${code}`)));
  });

export async function run(options: BenchOptions): Promise<BenchResult> {
  const clients = options.number('clients', 1_000);
  const rate = options.number('rate', 5_000);
  const seconds = options.number('seconds', 10);
  const stalled = Math.round(clients * options.number('stalled-share', 1e-9));
  const exchange = await openExchange();
  const http = createServer();
  const { view: market, directory, sequencer } = exchange;
  const realtime = new Realtime({ http, market, directory, sequencer, auth: nobody, log: pino({ level: 'error' }) });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const child = fork(process.argv[1], ['realtime-clients'], { serialization: 'advanced', execArgv: [] });
  const orders: ClientOrders = { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, instrument: INSTRUMENT, clients, stalled };
  try {
    const load = new Load(exchange);
    await load.rehearse();
    child.send(orders);
    await answerOf(child);
    options.say(`${clients} sockets, ${stalled} of them stalled; ${rate} updates a second for ${seconds} s`);
    await load.run(rate, WARMUP_MILLIS);
    const from = clock();
    const updatesPerSecond = await load.run(rate, seconds * 1_000);
    await pause(SETTLE_MILLIS);
    child.send('report');
    const { frames, gaps, received } = await answerOf<ClientReport>(child);
    const lags = lagsOf(frames, load.batches, from);
    options.say(`${received} messages received; heap ${Math.round(process.memoryUsage().heapUsed / 2 ** 20)} MiB`);
    return { clients, updates_per_second: updatesPerSecond, lag_p50_ms: percentile(lags, 0.5), lag_p99_ms: percentile(lags, 0.99), gaps };
  } finally {
    child.kill();
    await realtime.close();
  }
}
