/** The exchange of the api benchmark in a process of its own: the whole HTTP stack over a durable market, projections included; and its floor. */
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import express from 'express';
import { pino } from 'pino';
import { createApp } from '../../api/app.ts';
import { Auth } from '../../api/auth/auth.ts';
import { NO_SPOT, scopesOf } from '../../api/auth/keys.ts';
import { Committed } from '../../api/committed.ts';
import { readConfig } from '../../api/config.ts';
import { Directory } from '../../api/directory.ts';
import { Vault } from '../../api/gateway/endpoints/vault.ts';
import { exchangeRoutes } from '../../api/http/routes/all_routes.ts';
import { MarketView } from '../../api/market/market_view.ts';
import { eventOf } from '../../api/sequencer/port.ts';
import type { SequencerPort } from '../../api/sequencer/port.ts';
import { readSourceMap } from '../../api/source_map.ts';
import { openDatabase } from '../../db/database.ts';
import { startProjector } from '../../db/projector.ts';
import { ProjectionWaiter } from '../../db/queries/positions.ts';
import type { Command } from '../../engine/commands.ts';
import type { Role } from '../../engine/vocabulary.ts';
import { MICRO, MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import { DurableMarket } from './durable_market.ts';
import { ProjectionLag } from './projection_lag.ts';
import { START, inEnvelope } from './engine_market.ts';

export interface ApiReady {
  port: number;
  instrument: string;
  /** Keys, one per company. */
  buyers: string[];
  sellers: string[];
}
export interface ApiReport {
  sequence: number;
  invariantsOk: boolean;
}
/** What the server does when it is told to, and answers with. */
interface ApiServer {
  /** Until the projections include all that is committed. */
  catchUp: () => Promise<boolean>;
  /** From the first call to the second: how far the projections were behind, milliseconds, sorted. */
  lag: () => Promise<number[]>;
  report: () => Promise<ApiReport>;
  close: () => Promise<void>;
}

const COMPANIES = 40;
const MARKET = 0;
const GPUS = 100_000;
const USD = 50_000_000 * MICRO;
const HOURS_AHEAD = 30;
const CATCH_UP_MILLIS_MAX = 120_000;

const roleOf = (company: number): Role => (company < COMPANIES / 2 ? 'borrower' : 'provider');

function companyCommands(company: number): Command[] {
  const register: Command = { type: 'registerCompany', name: `company ${company}`, role: roleOf(company), group: '' };
  const deposit: Command = { type: 'deposit', company, amount: USD, reference: '' };
  if (roleOf(company) === 'borrower') return [register, deposit, { type: 'prepay', company, amount: USD }];
  return [
    register, deposit, { type: 'postBond', company, amount: USD }, { type: 'declareCapacity', company, market: MARKET, gpus: GPUS },
    { type: 'verifyCapacity', company, market: MARKET, gpus: GPUS },
  ];
}

async function submit(sequencer: SequencerPort, command: Command): Promise<void> {
  const rejected = eventOf((await sequencer.submit(inEnvelope(command))).events, 'rejected');
  if (rejected !== undefined) throw new Error(`${command.type} was refused: ${rejected.code}`);
}

async function start(): Promise<{ ready: ApiReady; server: ApiServer }> {
  const root = fileURLToPath(new URL('..', import.meta.url));
  execFileSync(process.execPath, ['api/cli/build.mjs', 'projector_worker'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  const durable = await DurableMarket.open((line) => console.error(line));
  const sequencer = await durable.start();
  const database = openDatabase(durable.url);
  const log = pino({ level: 'error' }, pino.destination(2));
  const committed = await Committed.follow(sequencer);
  const { directory } = await Directory.load(sequencer);
  await submit(sequencer, { type: 'addRegion', name: 'us-east' });
  await submit(sequencer, { type: 'addClass', name: 'H100-SXM-80', chip: 'H100', memoryGb: 80, formFactor: 'SXM', listPrice: 40_000, listInputs: [] });
  for (let company = 0; company < COMPANIES; company++) for (const command of companyCommands(company)) await submit(sequencer, command);
  const projector = await startProjector({ file: fileURLToPath(new URL('projector_worker.js', import.meta.url)), url: () => durable.url, onProblem: (problem) => console.error(problem) });
  const market = await MarketView.start(sequencer, directory);
  const auth = new Auth(database, log, () => START);
  await auth.start();
  const keys = await Promise.all(Array.from({ length: COMPANIES }, (_, company) => openKey(database, auth, company)));
  const services = {
    config: readConfig({ LOG_LEVEL: 'error', RATE_LIMIT: '1000000' }), log, sequencer, committed, auth, database, projections: new ProjectionWaiter(database), directory, market,
    vault: new Vault(Buffer.alloc(32, 1)), clockFollowers: new Set<() => Promise<void>>(),
    endpoints: { refusal: () => Promise.resolve(undefined), changed: () => undefined },
  };
  const http = createServer({ keepAliveTimeout: 60_000 }, createApp({ services, routes: exchangeRoutes() }));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const instrument = directory.instrumentName(MARKET, START / MILLIS_PER_HOUR + HOURS_AHEAD);
  const ready = { port: (http.address() as AddressInfo).port, instrument, buyers: keys.slice(0, COMPANIES / 2), sellers: keys.slice(COMPANIES / 2) };
  return { ready, server: serverOf({ sequencer, database, projections: services.projections }, async () => {
    await projector.stop();
    await auth.close();
    await sequencer.close();
    await database.destroy();
    await durable.close();
  }) };
}

function serverOf({ sequencer, database, projections }: { sequencer: SequencerPort; database: ReturnType<typeof openDatabase>; projections: ProjectionWaiter }, close: () => Promise<void>): ApiServer {
  let watch: ProjectionLag | undefined;
  return {
    async catchUp() {
      const { committedSequence } = await sequencer.status();
      return projections.waitFor(committedSequence, CATCH_UP_MILLIS_MAX);
    },
    async lag() {
      const lags = (await watch?.end()) ?? [];
      watch = watch === undefined ? new ProjectionLag(sequencer, database) : undefined;
      return lags;
    },
    async report() {
      const { checks, sequence } = await sequencer.query('invariants', {});
      return { sequence, invariantsOk: checks.every(({ ok }) => ok) };
    },
    close,
  };
}

async function openKey(database: ReturnType<typeof openDatabase>, auth: Auth, company: number): Promise<string> {
  const id = `usr_bench${company}`;
  const role = roleOf(company);
  await database('users').insert({ id, email: id, email_key: id, password_hash: '', company, role });
  const key = { name: 'bench', scopes: scopesOf(role), allowedModels: null, allowedIps: null, expiresAt: null, monthlyLimit: null, spot: NO_SPOT };
  return (await database.transaction((transaction) => auth.createKey(transaction, { user: id, company }, key))).text;
}

/** Says where it listens; answers when it is told the name of something that an ApiServer does. */
export function serve(): void {
  const fail = (error: unknown): void => {
    console.error(error);
    process.exit(1);
  };
  // As the server does.
  readSourceMap();
  start().then(({ ready, server }) => {
    process.send?.(ready);
    process.on('message', (name: keyof ApiServer) => {
      server[name]().then((answer) => (name === 'close' ? process.exit(0) : process.send?.(answer)), fail);
    });
    process.once('disconnect', () => void server.close().finally(() => process.exit(0)));
  }, fail);
}

/** What an answer of the exchange looks like, without the exchange. */
const ANSWER = {
  order: {
    id: 'ord_100666432', instrument: 'H100-SXM-80.us-east.20260102T06Z', side: 'buy', type: 'limit', price: '2.0000', quantity: '0.01', time_in_force: 'gtc', status: 'filled',
    filled_quantity: '0.01', remaining_quantity: '0.00', average_price: '2.0000', hold: '0.000000', fees: '0.000100', reject_code: null, sequence: 123456, client_order_id: null,
  },
  fills: [{ id: 'fil_12345', price: '2.0000', quantity: '0.01', liquidity: 'taker', fee: '0.000100', counterparty: null, allocation_id: 'alc_12345' }],
};

/** The floor: Express 5 that parses the same JSON and answers as much. */
export function serveBare(): void {
  const app = express();
  app.use(express.json());
  app.post('/api/v1/orders', (_request, response) => void response.status(201).json(ANSWER));
  const server = createServer({ keepAliveTimeout: 60_000 }, app).listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
  process.once('disconnect', () => process.exit(0));
}
