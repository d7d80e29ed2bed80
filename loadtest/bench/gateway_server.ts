/** The gateway of the benchmark in a process of its own: the whole HTTP stack over a durable market, with one key and one large allocation. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { createApp } from '../../api/app.ts';
import { Auth } from '../../api/auth/auth.ts';
import { NO_SPOT } from '../../api/auth/keys.ts';
import { Committed } from '../../api/committed.ts';
import { readConfig } from '../../api/config.ts';
import { Directory } from '../../api/directory.ts';
import { AnswersInMemory } from '../../api/gateway/relay/answers.ts';
import { EndpointsInMemory } from '../../api/gateway/endpoints/endpoint_rows.ts';
import { Gateway } from '../../api/gateway/gateway.ts';
import { Vault } from '../../api/gateway/endpoints/vault.ts';
import { MarketView } from '../../api/market/market_view.ts';
import { eventOf } from '../../api/sequencer/port.ts';
import type { Ack, SequencerPort } from '../../api/sequencer/port.ts';
import { openDatabase } from '../../db/database.ts';
import { ProjectionWaiter } from '../../db/queries/positions.ts';
import { BUY, CANCEL_NEWEST, GTC, LIMIT, NONE, SELL } from '../../engine/vocabulary.ts';
import type { Command, PlaceOrder } from '../../engine/commands.ts';
import { MICRO, MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import { percentile } from './benchmark.ts';
import { DurableMarket } from './durable_market.ts';
import { START, inEnvelope } from './engine_market.ts';
import { MODEL } from './gateway_parts.ts';

export interface GatewayReady {
  port: number;
  key: string;
}
export interface GatewayReport {
  /** Median of a commit as a caller waits for it, one at a time. */
  commitMillis: number;
  requests: number;
  invariantsOk: boolean;
}

const MARKET = 0;
const COMPANY = { borrower: 0, provider: 1 };
const GPUS = 900_000;
const COMMITS = 500;

const orderOf = (company: number, side: 0 | 1): PlaceOrder => ({
  type: 'place', company, market: MARKET, hour: START / MILLIS_PER_HOUR, side, orderType: LIMIT, price: 20_000, quantity: GPUS * 100, timeInForce: GTC, postOnly: false,
  displayQuantity: 0, minimumQuantity: 0, stopPrice: 0, expiresAt: 0, model: NONE, resaleOf: 0, selfTradePrevention: CANCEL_NEWEST, cancelOnDisconnect: false,
  clientOrderId: '',
});
const commands: Command[] = [
  { type: 'registerCompany', name: 'borrower', role: 'borrower', group: '' },
  { type: 'registerCompany', name: 'provider', role: 'provider', group: '' },
  { type: 'addRegion', name: 'us-east' },
  { type: 'addClass', name: 'H100-SXM-80', chip: 'H100', memoryGb: 80, formFactor: 'SXM', listPrice: 40_000, listInputs: [] },
  { type: 'deposit', company: COMPANY.borrower, amount: 50_000_000 * MICRO, reference: '' },
  { type: 'prepay', company: COMPANY.borrower, amount: 50_000_000 * MICRO },
  { type: 'deposit', company: COMPANY.provider, amount: 50_000_000 * MICRO, reference: '' },
  { type: 'postBond', company: COMPANY.provider, amount: 50_000_000 * MICRO },
  { type: 'declareCapacity', company: COMPANY.provider, market: MARKET, gpus: GPUS },
  { type: 'verifyCapacity', company: COMPANY.provider, market: MARKET, gpus: GPUS },
  orderOf(COMPANY.provider, SELL),
  orderOf(COMPANY.borrower, BUY),
];

async function submit(sequencer: SequencerPort, command: Command): Promise<Ack> {
  const ack = await sequencer.submit(inEnvelope(command));
  const rejected = eventOf(ack.events, 'rejected');
  if (rejected !== undefined) throw new Error(`${command.type} was refused: ${rejected.code}`);
  return ack;
}

async function start(upstreamPort: number): Promise<{ ready: GatewayReady; report: () => Promise<GatewayReport>; close: () => Promise<void> }> {
  const durable = await DurableMarket.open((line) => console.error(line));
  const sequencer = await durable.start();
  const database = openDatabase(durable.url, 4);
  const log = pino({ level: 'error' }, pino.destination(2));
  const committed = await Committed.follow(sequencer);
  const { directory } = await Directory.load(sequencer);
  for (const command of commands) await submit(sequencer, command);
  const market = await MarketView.start(sequencer, directory);
  const auth = new Auth(database, log, () => START);
  await auth.start();
  await database('users').insert({ id: 'usr_bench', email: 'bench', email_key: 'bench', password_hash: '', company: COMPANY.borrower, role: 'borrower' });
  const { text: key } = await database.transaction((transaction) => auth.createKey(transaction, { user: 'usr_bench', company: COMPANY.borrower }, {
    name: 'bench', scopes: ['inference'], allowedModels: null, allowedIps: null, expiresAt: null, monthlyLimit: null, spot: NO_SPOT,
  }));
  const base = {
    config: readConfig({ LOG_LEVEL: 'error', RATE_LIMIT: '1000000' }), log, sequencer, committed, auth, database, projections: new ProjectionWaiter(database), directory, market,
    vault: new Vault(Buffer.alloc(32, 1)), clockFollowers: new Set<() => Promise<void>>(),
  };
  const rows = new EndpointsInMemory();
  const gateway = new Gateway({ services: base, rows, history: () => Promise.resolve({ used: 0, bought: 0 }), answers: new AnswersInMemory(), addresses: ['127.0.0.0/8'] });
  await gateway.start();
  rows.rows.push({ id: 'end_bench', company: COMPANY.provider, market: MARKET, url: `http://127.0.0.1:${upstreamPort}/v1`, credential: null, models: [MODEL], status: 'pending' });
  gateway.endpoints.changed('end_bench');
  while (directory.capacities()[0].models.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  const server = createServer({ keepAliveTimeout: 60_000 }, createApp({ services: { ...base, endpoints: gateway.endpoints }, routes: gateway.routes }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const captured = countCaptures(sequencer);
  return {
    ready: { port: (server.address() as AddressInfo).port, key },
    async report() {
      const { checks } = await sequencer.query('invariants', {});
      return { commitMillis: await commitMillis(sequencer), requests: captured(), invariantsOk: checks.every(({ ok }) => ok) };
    },
    async close() {
      await gateway.close();
      await auth.close();
      await sequencer.close();
      await database.destroy();
      await durable.close();
    },
  };
}

/** Sequence numbers of a run without orders are captures, releases of nothing, and ticks that a manual clock does not send. */
function countCaptures(sequencer: SequencerPort): () => number {
  let count = 0;
  sequencer.onCommitted((batch) => (count += batch.lastSequence - batch.firstSequence + 1));
  return () => count;
}

async function commitMillis(sequencer: SequencerPort): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < COMMITS; index++) {
    const started = performance.now();
    await submit(sequencer, { type: 'cancelAfter', company: COMPANY.borrower, after: 0 });
    times.push(performance.now() - started);
  }
  return percentile(Float64Array.from(times).sort(), 0.5);
}

/** Says where it listens; answers `report`, and `close` when all is taken down. */
export function serve(): void {
  const fail = (error: unknown): void => {
    console.error(error);
    process.exit(1);
  };
  start(Number(process.argv[3])).then(({ ready, report, close }) => {
    process.send?.(ready);
    process.on('message', (message) => {
      if (message === 'report') report().then((answer) => process.send?.(answer), fail);
      else close().then(() => process.exit(0), fail);
    });
    process.once('disconnect', () => void close().finally(() => process.exit(0)));
  }, fail);
}
