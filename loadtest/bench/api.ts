/**
 * Order entry over HTTP: the whole stack with keys, validation, engine and durable commit in a process
 * of its own, against a bare Express 5 endpoint that parses the same JSON and answers as much. They
 * take turns; a rate is the median of its rounds. Latency is measured before them, at an even rate, from
 * when an order was due: what a burst leaves to the projections is on the disk's way for long after it.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { SERVER_ARGUMENTS } from '../../api/cluster/topology.ts';
import type { ApiReady, ApiReport } from './api_server.ts';
import { median, percentile } from './benchmark.ts';
import type { BenchOptions, BenchResult } from './benchmark.ts';
import { runLoad, runPaced } from './http_load.ts';
import type { LoadTarget } from './http_load.ts';

const CONNECTIONS = 64;
const BATCH_CONNECTIONS = 8;
const BATCH_ORDERS = 100;
const WARMUP_MILLIS = 2_000;
const OFFERED = 1_000;
/** Orders a second that the projections are to keep up with. */
const PROJECTED = 10_000;
const LAG_MILLIS = 6_000;
/** Bids and asks meet at one price, so that about half of the orders trade with the other half. */
const PRICE = '2.0000';

const message = <T>(child: ChildProcess): Promise<T> =>
  new Promise((resolve, reject) => {
    child.once('message', (value) => resolve(value as T));
    child.once('exit', (code) => reject(new Error(`a part of the benchmark ended with ${code}`)));
  });

const told = <T>(server: ChildProcess, what: string): Promise<T> => {
  server.send(what);
  return message<T>(server);
};

const order = (instrument: string, side: 'buy' | 'sell'): object => ({ instrument, side, type: 'limit', price: PRICE, quantity: '0.01', time_in_force: 'gtc' });

/** Buyers and sellers in turn, each with a key of its own. */
function orderTargets({ port, buyers, sellers, instrument }: ApiReady): LoadTarget[] {
  return buyers.flatMap((buyer, index) => [
    { port, path: '/api/v1/orders', headers: { authorization: `Bearer ${buyer}` }, body: JSON.stringify(order(instrument, 'buy')), status: 201 },
    { port, path: '/api/v1/orders', headers: { authorization: `Bearer ${sellers[index % sellers.length]}` }, body: JSON.stringify(order(instrument, 'sell')), status: 201 },
  ]);
}

function batchTargets({ port, buyers, sellers, instrument }: ApiReady): LoadTarget[] {
  const body = (side: 'buy' | 'sell'): string => JSON.stringify({ operations: Array.from({ length: BATCH_ORDERS }, () => ({ op: 'place', ...order(instrument, side) })) });
  const of = (key: string, side: 'buy' | 'sell'): LoadTarget => ({ port, path: '/api/v1/orders/batch', headers: { authorization: `Bearer ${key}` }, body: body(side) });
  return buyers.flatMap((buyer, index) => [of(buyer, 'buy'), of(sellers[index % sellers.length], 'sell')]);
}

/** With so many orders a second offered, in batches. @returns milliseconds, sorted */
async function projectionLag(server: ChildProcess, ready: ApiReady, options: BenchOptions): Promise<Float64Array> {
  const offered = options.number('projected', PROJECTED);
  await told(server, 'catchUp');
  await told(server, 'lag');
  await runPaced(batchTargets(ready), BATCH_CONNECTIONS, offered / BATCH_ORDERS, LAG_MILLIS);
  const lags = Float64Array.from(await told<number[]>(server, 'lag'));
  options.say(`lag of the projections with ${offered} orders a second offered: p50 ${Math.round(percentile(lags, 0.5))} ms, at most ${Math.round(percentile(lags, 1))} ms`);
  await told(server, 'catchUp');
  return lags;
}

async function measure(start: (name: string) => ChildProcess, options: BenchOptions): Promise<BenchResult> {
  const millis = options.number('seconds', 4) * 1_000;
  const rounds = options.number('rounds', 3);
  const server = start('api-server');
  const ready = await message<ApiReady>(server);
  const bare = (await message<{ port: number }>(start('api-bare'))).port;
  const orders = orderTargets(ready);
  const floor = orders.map((target) => ({ ...target, port: bare }));
  await runLoad(orders, CONNECTIONS, WARMUP_MILLIS);
  await runLoad(floor, CONNECTIONS, WARMUP_MILLIS);
  await told(server, 'catchUp');
  const offered = options.number('offered', OFFERED);
  const { latencies } = await runPaced(orders, CONNECTIONS, offered, millis * 2);
  options.say(`latency with ${offered} orders a second offered`);
  const lags = await projectionLag(server, ready, options);
  const rates = { orders: [] as number[], bare: [] as number[], batch: [] as number[] };
  for (let round = 1; round <= rounds; round++) {
    rates.bare.push((await runLoad(floor, CONNECTIONS, millis)).perSecond);
    rates.orders.push((await runLoad(orders, CONNECTIONS, millis)).perSecond);
    rates.batch.push((await runLoad(batchTargets(ready), BATCH_CONNECTIONS, millis)).perSecond * BATCH_ORDERS);
    const [bareRate, orderRate, batchRate] = [rates.bare, rates.orders, rates.batch].map((list) => Math.round(list[round - 1]));
    options.say(`round ${round} of ${rounds}: ${orderRate} orders a second, ${batchRate} in batches of ${BATCH_ORDERS}; bare Express ${bareRate}`);
  }
  const { sequence, invariantsOk } = await told<ApiReport>(server, 'report');
  if (!invariantsOk) throw new Error('an invariant of the engine is broken');
  options.say(`${sequence} commands committed, invariants hold`);
  server.send('close');
  await new Promise((resolve) => server.once('exit', resolve));
  return {
    orders_per_second: median(rates.orders), p50_ms: percentile(latencies, 0.5), p99_ms: percentile(latencies, 0.99),
    batch_orders_per_second: median(rates.batch), bare_express_per_second: median(rates.bare), ratio: median(rates.orders) / median(rates.bare),
    projection_lag_p99_ms: percentile(lags, 0.99),
  };
}

export async function run(options: BenchOptions): Promise<BenchResult> {
  const children: ChildProcess[] = [];
  const start = (name: string): ChildProcess => {
    const child = fork(process.argv[1], [name], { execArgv: [...SERVER_ARGUMENTS] });
    children.push(child);
    return child;
  };
  try {
    return await measure(start, options);
  } finally {
    for (const child of children) child.kill();
  }
}
