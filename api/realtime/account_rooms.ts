/** What one company's sockets are told: its orders, fills, balances, allocations and facilities. */
import type { FacilityView } from '../../engine/queries.ts';
import type { Directory } from '../directory.ts';
import { ApiError } from '../errors.ts';
import { facilityViews } from '../facility_views.ts';
import { allocationWire, balancesWire } from '../http/routes/account_routes.ts';
import { facilityWire } from '../http/wire/facility_wire.ts';
import type { MarketChange, MarketData } from '../market/market_data.ts';
import type { SequencerPort } from '../sequencer/port.ts';
import { FacilitiesSource, FillsSource, OrdersSource, RowsSource, ValueSource, WarningsSource } from './account_sources.ts';
import type { WarningNews } from './account_sources.ts';
import { ACCOUNT_CHANNELS } from './messages.ts';
import type { AccountChannel, SubscribeRequest } from './messages.ts';
import { FRAME_MILLIS } from './pace.ts';
import type { PastFills } from './past_fills.ts';
import type { Connection } from './connection.ts';
import type { Room, Source } from './room.ts';
import type { RoomPlan } from './room_table.ts';

/** Channels that ask the engine do so at most this often for a company. */
const ASK_MILLIS = 200;

export interface AccountMeans {
  market: MarketData;
  directory: Directory;
  sequencer: SequencerPort;
  /** Absent: there is no past. */
  pastFills?: PastFills;
  /** Absent: nobody is warned of anything. */
  warnings?: WarningNews;
}

/** What a room is told of a batch: whether that concerns it, and whether it must not wait for its interval. */
type Note = (change: MarketChange) => 'no' | 'news' | 'urgent';

export class AccountRooms {
  private readonly means: AccountMeans;
  private readonly listeners = new Set<(change: MarketChange) => void>();

  constructor(means: AccountMeans) {
    this.means = means;
  }

  change(change: MarketChange): void {
    if (change.companies.size === 0) return;
    for (const listener of this.listeners) listener(change);
  }

  /** @throws ApiError for a channel that does not exist */
  plan(company: number, lender: boolean, request: SubscribeRequest): RoomPlan {
    const channel = ACCOUNT_CHANNELS.find((name) => name === request.channel);
    if (channel === undefined) throw new ApiError('invalid_request', { field: 'channel', values: { detail: `channel: is one of ${ACCOUNT_CHANNELS.join(', ')}` } });
    if (request.instrument !== null && request.instrument !== undefined) {
      throw new ApiError('invalid_request', { field: 'instrument', values: { detail: 'instrument: account channels have none' } });
    }
    const interval = channel === 'orders' || channel === 'fills' ? FRAME_MILLIS : ASK_MILLIS;
    return {
      channel, instrument: null, name: `${channel} ${company}`, interval,
      open: () => {
        if (channel === 'warnings') return this.warningsOf(company);
        const { source, note } = this.sourceOf(channel, company, lender);
        const attach = (room: Room<Connection>) =>
          this.follow(company, (change) => {
            const news = note(change);
            if (news !== 'no') room.touch(news === 'urgent');
          });
        return { source, attach };
      },
    };
  }

  /** They come by way of the database, not with what the market does. */
  private warningsOf(company: number): ReturnType<RoomPlan['open']> {
    const { warnings } = this.means;
    const attach = (room: Room<Connection>): (() => void) => warnings?.follow((concerned) => void (concerned === company && room.touch())) ?? (() => undefined);
    return { source: new WarningsSource(() => warnings?.latest(company) ?? Promise.resolve([])), attach };
  }

  private follow(company: number, listener: (change: MarketChange) => void): () => void {
    const release = this.means.market.watchCompany(company);
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
      release();
    };
  }

  private sourceOf(channel: Exclude<AccountChannel, 'warnings'>, company: number, lender: boolean): { source: Source; note: Note } {
    const { sequencer, directory } = this.means;
    const concerned: Note = (change) => (change.companies.has(company) ? 'news' : 'no');
    switch (channel) {
      case 'orders':
        return ordersOf(this.means, company);
      case 'fills':
        return fillsOf(this.means, company);
      case 'balances':
        return { source: new ValueSource(async () => balancesWire(await sequencer.query('balances', { company }))), note: concerned };
      case 'allocations': {
        const fetch = async () => (await sequencer.query('allocations', { company })).map((row) => allocationWire(directory, row));
        return { source: new RowsSource(fetch, (row) => ({ ...row, credits: '0.00', status: 'delivered' as const })), note: concerned };
      }
      case 'facility': {
        const wire = (view: FacilityView) => facilityWire(directory, view);
        const fetch = async () => (await facilityViews(sequencer, { company, lender })).map(wire);
        const source = new FacilitiesSource(fetch, (row) => row);
        // Who trades on frozen credit is refused from that command on, so it should know why.
        const note: Note = (change) => (source.note(change.facilities) ? 'urgent' : concerned(change));
        return { source, note };
      }
    }
  }
}

function ordersOf(means: AccountMeans, company: number): { source: Source; note: Note } {
  const source = new OrdersSource(means, company);
  const note: Note = (change) => {
    const own = [...change.orders].filter((order) => order.company === company);
    for (const order of own) source.note(order);
    return own.length > 0 ? 'news' : 'no';
  };
  return { source, note };
}

function fillsOf(means: AccountMeans, company: number): { source: Source; note: Note } {
  const source = new FillsSource(means, company);
  const note: Note = (change) => {
    const own = change.fills.filter((fill) => fill.buyer === company || fill.seller === company);
    for (const fill of own) source.note(fill);
    return own.length > 0 ? 'news' : 'no';
  };
  return { source, note };
}
