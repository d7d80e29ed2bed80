/** Everything without a user interface, put together: started in order, stopped in reverse. */
import { io } from 'socket.io-client';
import { Account } from './account.ts';
import { ApiClient } from './api_client.ts';
import { Cell } from './cell.ts';
import { MarketClock } from './clock.ts';
import type { ApiError } from './errors.ts';
import { Feed, type FeedSocket } from './feed.ts';
import { Frame } from './frame.ts';
import { Market } from './market.ts';
import { OrderEntry } from './order_entry.ts';
import { Resource } from './resource.ts';
import { Session } from './session.ts';
import { browserStorage, tabStorage } from './storage.ts';
import { restoredTicket } from './ticket.ts';
import { Toasts } from './toasts.ts';
import type { WireDemo } from './wire.ts';

const CLOCK_MILLIS = 1_000;
const STATUS_MILLIS = 15_000;
const TICKET = 'ticket';

/** A connection of its own for each namespace: the session's cookie travels with the handshake, and a login comes after the market's. */
const socketOf = (namespace: string): FeedSocket =>
  io(namespace, { autoConnect: false, forceNew: true, withCredentials: true, transports: ['websocket'], reconnectionDelay: 300, reconnectionDelayMax: 5_000 });

export class Exchange {
  readonly api: ApiClient;
  readonly clock = new MarketClock(() => Date.now());
  readonly frame = new Frame((run) => requestAnimationFrame(run));
  readonly toasts = new Toasts();
  readonly session: Session;
  readonly marketFeed: Feed;
  readonly accountFeed: Feed;
  readonly market: Market;
  readonly account: Account;
  readonly orders: OrderEntry;
  /** Not asked for outside demo mode. */
  readonly demo: Resource<WireDemo>;
  /** Milliseconds the last status request took. */
  readonly roundTrip = new Cell<number | undefined>(undefined);
  private timers: ReturnType<typeof setInterval>[] = [];

  constructor() {
    this.api = new ApiClient({
      fetch: (...request) => fetch(...request),
      base: '',
      csrfToken: () => this.session.csrfToken(),
      randomId: () => crypto.randomUUID(),
    });
    this.demo = new Resource(() => this.api.get<WireDemo>('/demo'));
    this.session = new Session(this.api);
    this.marketFeed = new Feed(socketOf('/market'));
    // A login that has ended elsewhere ends here too.
    this.accountFeed = new Feed(socketOf('/account'), () => void this.session.resume());
    this.market = new Market({ api: this.api, feed: this.marketFeed, frame: this.frame, clock: this.clock, storage: browserStorage });
    this.orders = new OrderEntry({ api: this.api, account: () => this.account, toasts: this.toasts, onError: this.noticed });
    this.account = new Account(this.api, this.accountFeed, (order) => this.orders.onOrder(order));
    let opened = '';
    this.session.state.subscribe((state) => {
      const user = state.status === 'open' ? state.me.id : '';
      if (user === opened) return;
      opened = user;
      if (user === '') this.account.close();
      else this.account.open();
    });
  }

  start(): void {
    this.market.followStatus();
    this.marketFeed.start();
    void this.refreshStatus();
    void this.market.directory.refresh();
    void this.session.resume();
    // A reload loses nothing that was typed into the ticket.
    this.orders.ticket.value = restoredTicket(tabStorage.read(TICKET));
    addEventListener('pagehide', () => tabStorage.write(TICKET, JSON.stringify(this.orders.ticket.value)));
    this.timers = [setInterval(() => this.clock.tick(), CLOCK_MILLIS), setInterval(() => void this.refreshStatus(), STATUS_MILLIS)];
  }

  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
    this.account.close();
    this.marketFeed.stop();
  }

  private async refreshStatus(): Promise<void> {
    const started = performance.now();
    await this.market.status.refresh();
    this.roundTrip.value = this.market.status.cell.value.status === 'success' ? Math.round(performance.now() - started) : undefined;
  }

  /** For errors of calls that screens make themselves. */
  readonly noticed = (error: ApiError): void => this.session.noticed(error);
}
