/** Rooms of the public namespace, and which of them a committed batch concerns. */
import { NONE } from '../../engine/vocabulary.ts';
import type { Directory } from '../directory.ts';
import { ApiError } from '../errors.ts';
import { instrumentKey, marketOfKey } from '../market/instruments.ts';
import type { FillEvent, Instrument, MarketChange, MarketData } from '../market/market_data.ts';
import type { Connection } from './connection.ts';
import { BookSource, CandlesSource, CurveSource, ModelBookSource, StatusSource, TickerSource, TradesSource } from './market_sources.ts';
import { MARKET_CHANNELS } from './messages.ts';
import type { MarketChannel, SubscribeRequest } from './messages.ts';
import { FRAME_MILLIS } from './pace.ts';
import type { Room } from './room.ts';
import type { RoomPlan } from './room_table.ts';

const CURVE_MILLIS = 1_000;
/** How long marks and figures of a day, which other hours' trades and the time itself move, may be told late, milliseconds. */
const MARK_MILLIS = 1_000;
type Touch = () => void;

const allOf = (detachments: readonly (() => void)[]) => (): void => detachments.forEach((detach) => detach());

/** Who is to be told, by instrument or market number. */
class Listeners<T> {
  private readonly byKey = new Map<number, Set<T>>();

  add(key: number, listener: T): () => void {
    const listeners = this.byKey.get(key) ?? new Set<T>();
    this.byKey.set(key, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.byKey.delete(key);
    };
  }

  of(key: number): Iterable<T> {
    return this.byKey.get(key) ?? [];
  }
}

export class MarketRooms {
  private readonly market: MarketData;
  private readonly directory: Directory;
  private readonly instruments = new Listeners<Touch>();
  private readonly markets = new Listeners<Touch>();
  private readonly fills = new Listeners<(fill: FillEvent) => void>();
  private readonly reference = new Listeners<Touch>();
  /** Rooms that tell marks. */
  private readonly marks = new Set<Touch>();
  private marking: NodeJS.Timeout | undefined;

  constructor(market: MarketData, directory: Directory) {
    this.market = market;
    this.directory = directory;
  }

  /** Tells the rooms that a batch concerns. */
  change(change: MarketChange): void {
    for (const fill of change.fills) for (const note of this.fills.of(instrumentKey(fill.market, fill.hour))) note(fill);
    for (const key of change.instruments) {
      for (const touch of this.instruments.of(key)) touch();
      for (const touch of this.markets.of(marketOfKey(key))) touch();
    }
    if (change.reference) for (const touch of this.reference.of(NONE)) touch();
    if (this.marks.size > 0) this.marking ??= setTimeout(() => this.remark(), MARK_MILLIS);
  }

  private remark(): void {
    this.marking = undefined;
    for (const touch of this.marks) touch();
  }

  close(): void {
    clearTimeout(this.marking);
  }

  /** @throws ApiError for a channel, instrument or market that does not exist */
  plan(request: SubscribeRequest): RoomPlan {
    const channel = MARKET_CHANNELS.find((name) => name === request.channel);
    if (channel === undefined) throw invalid('channel', `is one of ${MARKET_CHANNELS.join(', ')}`);
    if (channel === 'status') return this.statusPlan(request);
    if (channel === 'curve') return this.curvePlan(request);
    return this.instrumentPlan(channel, request);
  }

  private instrumentPlan(channel: Exclude<MarketChannel, 'status' | 'curve'>, request: SubscribeRequest): RoomPlan {
    const instrument = this.instrumentOf(request);
    const { market, instruments, fills } = this;
    const key = instrumentKey(instrument.market, instrument.hour);
    const touched = (room: Room<Connection>): (() => void) => instruments.add(key, () => room.touch());
    const plan = { channel, instrument: instrument.id, name: `${channel} ${instrument.id}`, interval: FRAME_MILLIS };
    switch (channel) {
      case 'book':
        if (request.model !== null && request.model !== undefined) return this.modelBookPlan(instrument, request.model, { ...plan, attach: touched });
        return { ...plan, open: () => ({ source: new BookSource(market, instrument), attach: touched }) };
      case 'ticker':
        return { ...plan, open: () => ({ source: new TickerSource(market, instrument), attach: (room) => allOf([touched(room), this.tellMarks(room)]) }) };
      case 'candles': {
        const interval = request.interval ?? '1m';
        return { ...plan, name: `${plan.name} ${interval}`, open: () => ({ source: new CandlesSource(market, instrument, interval), attach: touched }) };
      }
      case 'trades':
        return {
          ...plan,
          open: () => {
            const source = new TradesSource(market, instrument);
            const attach = (room: Room<Connection>): (() => void) =>
              fills.add(key, (fill) => {
                source.note(fill);
                room.touch();
              });
            return { source, attach };
          },
        };
    }
  }

  private modelBookPlan(instrument: Instrument, name: string, { attach, ...plan }: Omit<RoomPlan, 'open'> & { attach: (room: Room<Connection>) => () => void }): RoomPlan {
    const model = this.directory.modelId(name);
    if (model === NONE) throw invalid('model', `there is no "${name}"`);
    return { ...plan, name: `${plan.name} ${name}`, open: () => ({ source: new ModelBookSource(this.market, instrument, { id: model, name }), attach }) };
  }

  private instrumentOf(request: SubscribeRequest): Instrument {
    const { instrument: id } = request;
    if (id === null || id === undefined) throw invalid('instrument', 'is needed for this channel');
    const instrument = this.market.instrument(id);
    if (instrument === undefined) throw invalid('instrument', `there is no "${id}"`);
    return instrument;
  }

  private statusPlan(request: SubscribeRequest): RoomPlan {
    const instrument = request.instrument === null || request.instrument === undefined ? null : this.instrumentOf(request).id;
    return {
      channel: 'status', instrument, name: `status ${instrument ?? ''}`, interval: FRAME_MILLIS,
      open: () => ({
        source: new StatusSource(this.market, this.directory),
        attach: (room) => this.reference.add(NONE, () => room.touch()),
      }),
    };
  }

  /** Of one market, named by itself (`CLASS.region`) or by any of its instruments; without a name, of all. */
  private curvePlan(request: SubscribeRequest): RoomPlan {
    const name = request.instrument ?? null;
    const markets = name === null ? this.directory.markets() : [this.marketOf(name)];
    return {
      channel: 'curve', instrument: name, name: `curve ${name ?? ''}`, interval: CURVE_MILLIS,
      open: () => ({
        source: new CurveSource(this.market, this.directory, markets),
        attach: (room) => {
          const detachments = markets.map((market) => this.markets.add(market, () => room.touch()));
          return allOf([...detachments, this.reference.add(NONE, () => room.touch()), this.tellMarks(room)]);
        },
      }),
    };
  }

  private tellMarks(room: Room<Connection>): () => void {
    const touch = (): void => room.touch();
    this.marks.add(touch);
    return () => this.marks.delete(touch);
  }

  private marketOf(name: string): number {
    const instrument = this.market.instrument(name);
    if (instrument !== undefined) return instrument.market;
    const dot = name.lastIndexOf('.');
    const market = this.directory.marketId(name.slice(0, Math.max(0, dot)), name.slice(dot + 1));
    if (market === NONE) throw invalid('instrument', `there is no market "${name}"`);
    return market;
  }
}

const invalid = (field: string, detail: string): ApiError => new ApiError('invalid_request', { field, values: { detail: `${field}: ${detail}` } });
