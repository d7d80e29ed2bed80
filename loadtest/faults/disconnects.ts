/** Clients that asked for their orders to be cancelled when they go: who leads after a leader that died at that moment knows of them. */
import { io } from 'socket.io-client';
import type { Socket } from 'socket.io-client';
import type { ClusterWorld } from './cluster_world.ts';
import { clusterFault } from './clusters.ts';
import { pause, until } from './server_process.ts';

const PASSWORD = 'correct horse battery staple';
/** A process that fell silent is waited for by who leads: six looks, one a second, and the order's way. */
const CANCELED_MILLIS_MAX = 12_000;
const DEADLINE_MILLIS = 60_000;
/** By then the engine has been told of a connection, and has noted it. */
const TOLD_MILLIS = 1_500;

interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, never>;
}

async function ask(url: string, method: string, path: string, { headers, body }: { headers: Record<string, string>; body?: object | string }): Promise<Answer> {
  const isText = typeof body === 'string';
  const response = await fetch(`${url}/api/v1${path}`, {
    method, headers: { ...(body === undefined ? {} : { 'content-type': isText ? 'text/csv' : 'application/json' }), ...headers }, body: isText ? body : JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return { status: response.status, headers: response.headers, body: JSON.parse(text) as Record<string, never> };
}

/** A company that has some credit, and one connection that watches over its orders. */
class Trader {
  private readonly world: ClusterWorld;
  private readonly headers: Record<string, string>;
  private readonly token: string;
  private socket: Socket | undefined;
  order = '';

  private constructor(world: ClusterWorld, token: string) {
    this.world = world;
    this.token = token;
    this.headers = { authorization: `Bearer ${token}` };
  }

  static async open(world: ClusterWorld, name: string): Promise<Trader> {
    const url = world.urls[0];
    const email = `${name}@faults.example`;
    await ask(url, 'POST', '/auth/register', { headers: {}, body: { email, password: PASSWORD, company: name, role: 'borrower' } });
    const login = await ask(url, 'POST', '/auth/login', { headers: {}, body: { email, password: PASSWORD } });
    const session = { cookie: (login.headers.get('set-cookie') ?? '').split(';')[0], 'x-csrf-token': String(login.body.csrf_token) };
    const { body } = await ask(url, 'POST', '/keys', { headers: session, body: { name, scopes: ['read', 'trade', 'credit', 'account'] } });
    const trader = new Trader(world, String(body.secret));
    await trader.ask('POST', '/deposits', { amount: '1000', reference: name });
    await ask(url, 'POST', '/bank-transactions', { headers: { authorization: `Bearer ${world.demo.operator.api_key}` }, body: `date,amount,reference\n2026-12-01,1000,${name}\n` });
    await trader.ask('POST', '/prepayments', { amount: '1000' });
    return trader;
  }

  async connect(url: string): Promise<void> {
    const socket = io(`${url}/account`, { auth: { token: this.token }, transports: ['websocket'], forceNew: true, reconnection: false });
    this.socket = socket;
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('connect_error', reject));
    await socket.emitWithAck('subscribe', { channel: 'orders' });
  }
  disconnect(): void {
    this.socket?.disconnect();
  }

  async place(instrument: string): Promise<void> {
    const order = { instrument, side: 'buy', type: 'limit', price: '0.9000', quantity: '0.01', time_in_force: 'gtc', cancel_on_disconnect: true };
    const { body } = await this.ask('POST', '/orders', order);
    this.order = (body as unknown as { order: { id: string } }).order.id;
  }

  /** As any process of the exchange has it that answers. */
  async status(): Promise<string> {
    const { body } = await this.ask('GET', `/orders/${this.order}`);
    return (body as unknown as { order: { status: string } }).order.status;
  }
  isCanceled(): Promise<boolean> {
    return this.status().then((status) => status === 'canceled', () => false);
  }

  private ask(method: string, path: string, body?: object): Promise<Answer> {
    return ask(this.world.url, method, path, { headers: this.headers, body });
  }
}

async function instrumentOf(url: string): Promise<string> {
  const { body } = await ask(url, 'GET', '/instruments?class=H100-SXM-80&region=us-east', { headers: {} });
  return (body as unknown as { data: { id: string }[] }).data[5].id;
}

let names = 0;

/** One goes with the leader, one with its api process, which dies with the leader, and one stays. */
async function loseLeaderAndClients(world: ClusterWorld, patience: number): Promise<{ findings: string[]; millis: number }> {
  await world.warm();
  const findings: string[] = [];
  const traders: Trader[] = [];
  const members = world.cluster.file.processes.filter(({ name }) => name.startsWith('api'));
  const [dies, lives] = members.map(({ url }) => url.replace('localhost', '127.0.0.1'));
  const instrument = await instrumentOf(lives);
  for (const url of [lives, dies, lives]) {
    const trader = await Trader.open(world, `disconnects${names++}`);
    await trader.connect(url);
    await trader.place(instrument);
    traders.push(trader);
  }
  const [goes, cut, stays] = traders;
  await pause(TOLD_MILLIS);
  const leader = await world.leader();
  process.kill(leader, 'SIGKILL');
  goes.disconnect();
  process.kill(members[0].pid ?? 0, 'SIGKILL');
  const moment = performance.now();
  await until('another leader', async () => (await world.leader()) !== leader, DEADLINE_MILLIS);
  await until('the orders of who has gone to be cancelled', async () => (await goes.isCanceled()) && cut.isCanceled(), DEADLINE_MILLIS);
  const millis = performance.now() - moment;
  if (millis > CANCELED_MILLIS_MAX * patience) findings.push(`orders were cancelled only after ${Math.round(millis)} ms`);
  // Those of the leader before are forgotten by now.
  const status = await stays.status();
  if (status !== 'open') findings.push(`the order of who has stayed is ${status}`);
  stays.disconnect();
  await until('the order of who went last to be cancelled', () => stays.isCanceled(), DEADLINE_MILLIS);
  await world.warm(leader);
  return { findings, millis };
}

export const cancelOnDisconnect = clusterFault('leader killed as clients go whose orders end with them', { short: 1, long: 10 }, async (world, times, { patience }) => {
  await world.load.stop();
  const findings: string[] = [];
  let slowest = 0;
  for (let time = 0; time < times; time++) {
    const { findings: found, millis } = await loseLeaderAndClients(world, patience);
    findings.push(...found);
    slowest = Math.max(slowest, millis);
  }
  return { times, findings, note: `cancelled within ${Math.round(slowest)} ms, the order of who stayed only when it went too` };
});
