/** Live data over socket.io. */
import type { Server as HttpServer } from 'node:http';
import type { Logger } from 'pino';
import { Server } from 'socket.io';
import type { Directory } from '../directory.ts';
import type { MarketData } from '../market/market_data.ts';
import { Unavailable } from '../sequencer/port.ts';
import type { SequencerPort } from '../sequencer/port.ts';
import { AccountNamespace } from './account_namespace.ts';
import type { WarningNews } from './account_sources.ts';
import { CancelOnDisconnect } from './cancel_on_disconnect.ts';
import type { OrderWatch } from './cancel_on_disconnect.ts';
import { MarketNamespace } from './market_namespace.ts';
import type { PastFills } from './past_fills.ts';
import type { SocketAuth } from './sessions.ts';

export interface RealtimeMeans {
  http: HttpServer;
  market: MarketData;
  directory: Directory;
  sequencer: SequencerPort;
  auth: SocketAuth;
  log: Logger;
  /** Absent: there is no past. */
  pastFills?: PastFills;
  /** Absent: nobody is warned of anything. */
  warnings?: WarningNews;
  /** Absent: no other process has connections. */
  orderWatch?: OrderWatch;
  /** PINGS unless given. */
  pings?: Pings;
}

export interface Pings {
  /** Between the answer to one and the next. */
  everyMillis: number;
  /** For which an answer may be owed before the connection is told that it is too slow. */
  owedMillis: number;
  /** For which it may be owed at most. */
  lostMillis: number;
}
/** A network that was lost is noticed after at most 45 s, as engine.io has it by itself. */
const PINGS: Pings = { everyMillis: 10_000, owedMillis: 15_000, lostMillis: 35_000 };

const HEARTBEAT_MILLIS = 1_000;
const REQUEST_BYTES_MAX = 16 * 1_024;
const CONNECTIONS_MAX = 20_000;

export class Realtime {
  private readonly io: Server;
  private readonly market: MarketNamespace;
  private readonly account: AccountNamespace;
  private readonly orderWatch: OrderWatch;
  private readonly heart: NodeJS.Timeout;

  /** Serves `/socket.io` on the given server. */
  constructor({ http, market, directory, sequencer, auth, log, pastFills, warnings, orderWatch = new CancelOnDisconnect(sequencer, log), pings = PINGS }: RealtimeMeans) {
    const onError = (error: unknown): void => {
      // Rooms ask again by themselves.
      if (error instanceof Unavailable) log.debug({ err: error }, 'live data wait');
      else log.error({ err: error }, 'live data failed');
    };
    this.io = new Server(http, {
      serveClient: false,
      maxHttpBufferSize: REQUEST_BYTES_MAX,
      pingInterval: pings.everyMillis,
      pingTimeout: pings.lostMillis,
      // Public data are for every page; the account namespace checks for itself where a cookie comes from.
      cors: { origin: '*' },
      allowRequest: (_request, answer) => answer(null, this.io.engine.clientsCount < CONNECTIONS_MAX),
    });
    this.orderWatch = orderWatch;
    this.market = new MarketNamespace(this.io.of('/market'), market, directory, { onError, owedMillis: pings.owedMillis });
    this.account = new AccountNamespace(this.io.of('/account'), { market, directory, sequencer, auth, orderWatch, onError, owedMillis: pings.owedMillis, ...(pastFills === undefined ? {} : { pastFills }), ...(warnings === undefined ? {} : { warnings }) });
    this.io.of('/').use((_socket, next) => next(new Error('connect to /market or /account')));
    let counter = 0;
    this.heart = setInterval(() => {
      counter++;
      for (const name of ['/market', '/account']) this.io.of(name).local.emit('heartbeat', { counter });
    }, HEARTBEAT_MILLIS);
    this.heart.unref();
  }

  /** Connections by namespace. */
  get connections(): { market: number; account: number } {
    return { market: this.market.size, account: this.account.size };
  }

  /** Tells everyone, cancels the orders that asked for it, then closes. Ends before the sequencer does. */
  async close(): Promise<void> {
    clearInterval(this.heart);
    this.account.close();
    this.market.close();
    await this.orderWatch.settle();
    await this.io.close();
  }
}
