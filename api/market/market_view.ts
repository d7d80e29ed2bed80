/** The market data of one process: started from the engine's snapshot, continued by committed events. */
import { NONE, classOf, regionOf } from '../../engine/vocabulary.ts';
import type { ClassId, MarketId, TradingMode } from '../../engine/vocabulary.ts';
import { KIND, decodeEvent, forEachEvent } from '../../engine/events.ts';
import type { EventBatch, EventOf } from '../../engine/events.ts';
import { USUAL_BANDS } from '../../engine/trading/bands.ts';
import { mulDiv } from '../../engine/numbers/muldiv.ts';
import type { MarketSnapshot } from '../../engine/queries.ts';
import type { Directory } from '../directory.ts';
import type { CommittedBatch, SequencerPort } from '../sequencer/port.ts';
import type { Candle, Interval } from './candles.ts';
import { changedLevels, levelsOf, levelsServing, queueOf } from './depth.ts';
import { ACCOUNT_REACH, fieldsOf } from './event_fields.ts';
import type { InstrumentState } from './instrument_state.ts';
import { hourAt, hourOfKey, instrumentKey, lastListedHour, marketOfKey, phaseOf } from './instruments.ts';
import type { LiveOrder } from './live_orders.ts';
import { MarketChanges } from './market_changes.ts';
import type {
  ClassIndex, CurvePoint, Depth, Instrument, InstrumentFilter, InstrumentView, LevelTracker, LevelView, Mark, MarketChange, MarketData, Queues,
  Ticker, Trade, TradingModeView,
} from './market_data.ts';
import { MarketState } from './market_state.ts';
import type { PastTrade, TradeHistory } from './trade_history.ts';
import { indexOf, markOf } from './trade_window.ts';
import { TradingModes } from './trading_modes.ts';

/** Events after which listings and status read differently. */
const REFERENCE: ReadonlySet<number> = new Set([KIND.classAdded, KIND.regionAdded, KIND.listPriceAnnounced, KIND.listPriceEffective]);
const ELIGIBILITY = fieldsOf('eligibilitySet');
/** Of an instrument's past, for its candles. */
const PAST_TRADES_MAX = 20_000;
const NO_BEST: { bid: LevelView | null; ask: LevelView | null } = { bid: null, ask: null };

export class MarketView implements MarketData {
  sequence = 0;
  now = 0;
  bands = USUAL_BANDS;
  private readonly directory: Directory;
  private readonly history: TradeHistory | undefined;
  private readonly changes = new MarketChanges();
  private readonly books: MarketState;
  private readonly tradingModes = new TradingModes();
  private readonly listeners = new Set<(change: MarketChange) => void>();
  private readonly groups = new Map<string, number>();
  private unsubscribe: () => void = () => undefined;
  private endedHour = NONE;
  private sequencer: Pick<SequencerPort, 'query'> | undefined;

  constructor(directory: Directory, history?: TradeHistory) {
    this.directory = directory;
    this.history = history;
    this.books = new MarketState(this.changes, (company) => this.groupOf(company));
  }

  /** Asks the engine for its open orders, takes the trades of the last day from `history`, then follows. */
  static async start(sequencer: SequencerPort, directory: Directory, history?: TradeHistory): Promise<MarketView> {
    const view = new MarketView(directory, history);
    const early: CommittedBatch[] = [];
    let accept = (batch: CommittedBatch): void => void early.push(batch);
    view.sequencer = sequencer;
    view.unsubscribe = sequencer.onCommitted((batch) => accept(batch));
    const snapshot = await sequencer.query('market', {});
    view.load(snapshot, (await history?.recent(snapshot.now, snapshot.sequence)) ?? []);
    for (const batch of early) view.apply(batch);
    accept = (batch) => view.apply(batch);
    return view;
  }

  /** trades: oldest first. */
  load(snapshot: MarketSnapshot, trades: readonly PastTrade[] = []): void {
    this.sequence = snapshot.sequence;
    this.now = snapshot.now;
    this.books.load(snapshot.orders, snapshot.blocks);
    for (const mode of snapshot.modes) this.tradingModes.set({ ...mode, mode: mode.mode as TradingMode });
    this.tradingModes.drop(hourAt(this.now) - 1);
    this.bands = snapshot.bands;
    for (const trade of trades) this.books.record(trade, trade.buyer, trade.seller, trade.provider);
    this.books.drop(hourAt(this.now) - 1);
  }

  /** Takes a committed batch in; commands that the snapshot includes are skipped. */
  apply(batch: CommittedBatch): void {
    if (batch.lastSequence <= this.sequence) return;
    const { events } = batch;
    const loaded = this.sequence;
    let skipping = true;
    forEachEvent(events, (kind, at) => {
      if (kind === KIND.command) {
        skipping = events.words[at + 2] <= loaded;
        if (!skipping) this.sequence = events.words[at + 2];
      } else if (!skipping) {
        this.applyEvent(events, kind, at);
      }
    });
    this.sequence = batch.lastSequence;
    this.now = Math.max(this.now, batch.now);
    if (this.endedHour !== NONE) this.books.drop(this.endedHour);
    this.endedHour = NONE;
    this.publish();
  }

  private applyEvent(batch: EventBatch, kind: number, at: number): void {
    const { books } = this;
    switch (kind) {
      case KIND.posted: break;
      case KIND.orderAccepted: books.accepted(batch, at, this.now, this.sequence); break;
      case KIND.orderRested: books.rested(batch.words, at); break;
      case KIND.orderDone: books.done(batch.words, at); break;
      case KIND.fill: books.filled(batch, at); break;
      case KIND.orderReduced: books.reduced(batch.words, at); break;
      case KIND.orderAmended: books.amended(batch.words, at); break;
      case KIND.allocationResold:
        books.resold(batch.words, at);
        this.noteAccounts(batch.words, kind, at);
        break;
      case KIND.blockAccepted: books.acceptedBlock(decodeEvent(batch, at) as EventOf<'blockAccepted'>, this.now, this.sequence); break;
      case KIND.blockExecuted: books.blockExecuted(batch.words[at + 2], batch.words[at + 6]); break;
      case KIND.blockAsk: books.blockAsk(batch.words[at + 2], batch.words[at + 3]); break;
      case KIND.orderTriggered: books.triggered(batch.words, at); break;
      case KIND.eligibilitySet:
        books.touchMarket(batch.words[at + ELIGIBILITY.market]);
        this.noteAccounts(batch.words, kind, at);
        break;
      case KIND.ticked: this.now = Math.max(this.now, batch.words[at + 2]); break;
      case KIND.hourEnded: this.endHour(batch.words[at + 2]); break;
      case KIND.tradingModeSet: this.setMode(decodeEvent(batch, at) as EventOf<'tradingModeSet'>); break;
      case KIND.bandsSet: this.setBands(decodeEvent(batch, at) as EventOf<'bandsSet'>); break;
      case KIND.facilityFrozen:
      case KIND.facilityStateChanged:
        this.noteFacility(decodeEvent(batch, at) as EventOf<'facilityFrozen'> | EventOf<'facilityStateChanged'>);
        this.noteAccounts(batch.words, kind, at);
        break;
      default: this.noteAccounts(batch.words, kind, at);
    }
  }

  /** The hour's allocations are settled and the next one's are being delivered. */
  private endHour(hour: number): void {
    this.endedHour = Math.max(this.endedHour, hour);
    this.tradingModes.drop(hour);
    this.changes.addAllCompanies();
  }

  private setMode(event: EventOf<'tradingModeSet'>): void {
    this.tradingModes.set({ class: event.class, market: event.market, hour: event.hour, mode: event.mode as TradingMode, reason: event.reason });
    this.changes.reference = true;
  }

  private setBands({ above, below }: EventOf<'bandsSet'>): void {
    this.bands = { above, below };
    this.changes.reference = true;
  }

  private noteFacility(event: EventOf<'facilityFrozen'> | EventOf<'facilityStateChanged'>): void {
    if (!this.changes.watching) return;
    const { facility } = event;
    this.changes.facilities.push({ sequence: this.sequence, facility, ...(event.kind === 'facilityFrozen' ? { fraction: event.fraction } : { state: event.state }) });
  }

  private noteAccounts(words: Float64Array, kind: number, at: number): void {
    if (REFERENCE.has(kind)) this.changes.reference = true;
    if (!this.changes.watching) return;
    const reach = ACCOUNT_REACH[kind];
    if (reach === 'anyone') this.changes.addAllCompanies();
    else for (const offset of reach?.offsets ?? []) this.changes.addCompany(words[at + offset]);
  }

  private publish(): void {
    const { changes } = this;
    changes.sequence = this.sequence;
    changes.now = this.now;
    for (const listener of this.listeners) listener(changes);
    changes.clear();
  }

  private groupOf(company: number): number {
    const declared = this.directory.company(company)?.group ?? '';
    // A company without a declared owner is a group of its own; '#' begins no declared group's key.
    const key = declared === '' ? `#${company}` : `=${declared}`;
    let group = this.groups.get(key);
    if (group === undefined) this.groups.set(key, (group = this.groups.size));
    return group;
  }

  private state(instrument: Instrument): InstrumentState | undefined {
    return this.books.instruments.get(instrumentKey(instrument.market, instrument.hour));
  }

  instrument(id: string): Instrument | undefined {
    const found = this.directory.instrument(id);
    return found === undefined ? undefined : { id, ...found };
  }

  instrumentOf(market: number, hour: number): Instrument {
    return { id: this.directory.instrumentName(market, hour), market, hour };
  }

  describe(instrument: Instrument): InstrumentView {
    const { market, hour } = instrument;
    const state = this.state(instrument);
    return {
      instrument,
      phase: phaseOf(hour, this.now),
      ...this.tradingModes.of(market, hour),
      listPrice: this.listPrice(market),
      ...(state?.best() ?? NO_BEST),
      last: state?.last() ?? null,
    };
  }

  list(filter: InstrumentFilter, limit: number): InstrumentView[] {
    const first = Math.max(filter.fromHour ?? 0, hourAt(this.now));
    const last = Math.min(filter.toHour ?? Infinity, lastListedHour(this.now));
    const after = filter.after ?? -1;
    const found: InstrumentView[] = [];
    for (const market of this.directory.markets()) {
      if (filter.class !== undefined && filter.class !== classOf(market)) continue;
      if (filter.region !== undefined && filter.region !== regionOf(market)) continue;
      if (instrumentKey(market, last) <= after) continue;
      const from = marketOfKey(after) === market ? Math.max(first, hourOfKey(after) + 1) : first;
      for (let hour = from; hour <= last; hour++) {
        if (found.length === limit) return found;
        found.push(this.describe(this.instrumentOf(market, hour)));
      }
    }
    return found;
  }

  private providersOf(model: number, market: number): ReadonlySet<number> {
    const serving = this.directory.capacities().filter((entry) => entry.market === market && entry.models.includes(model));
    return new Set(serving.map((entry) => entry.company));
  }

  depth(instrument: Instrument, depth: number, model = NONE): Depth {
    const state = this.state(instrument);
    if (state === undefined) return { bids: [], asks: [] };
    const asks = model === NONE ? levelsOf(state.asks, depth) : levelsServing(state.asks, depth, this.providersOf(model, instrument.market));
    return { bids: levelsOf(state.bids, depth), asks };
  }

  queues(instrument: Instrument, depth: number, model = NONE): Queues {
    const state = this.state(instrument);
    if (state === undefined) return { bids: [], asks: [] };
    const serving = model === NONE ? undefined : this.providersOf(model, instrument.market);
    return { bids: queueOf(state.bids, depth), asks: queueOf(state.asks, depth, serving) };
  }

  async loadResales(instrument: Instrument): Promise<void> {
    const unknown = this.queues(instrument, Infinity).asks.filter(({ resaleOf, deliverer }) => resaleOf !== 0 && deliverer === undefined);
    if (unknown.length === 0 || this.sequencer === undefined) return;
    const found = await this.sequencer.query('deliverers', { allocations: unknown.map(({ resaleOf }) => resaleOf) });
    unknown.forEach((order, index) => (order.deliverer = found[index]));
  }

  trades(instrument: Instrument, limit: number): Trade[] {
    return this.state(instrument)?.trades?.recent.slice(-limit).reverse() ?? [];
  }

  async tradesBefore(instrument: Instrument, before: number | undefined, limit: number): Promise<Trade[]> {
    const known = this.trades(instrument, Infinity).filter((trade) => before === undefined || trade.fill < before).slice(0, limit);
    if (known.length === limit || this.history === undefined) return known;
    const oldest = known.at(-1)?.fill ?? before;
    return [...known, ...(await this.history.ofInstrument(instrument.market, instrument.hour, oldest, limit - known.length))];
  }

  async loadPast(instrument: Instrument): Promise<void> {
    const { market, hour } = instrument;
    if (this.history === undefined || this.state(instrument)?.complete === true) return;
    const before = this.state(instrument)?.trades?.firstFill;
    const past = await this.history.ofInstrument(market, hour, before, PAST_TRADES_MAX);
    if (past.length === 0 && this.state(instrument) === undefined) return;
    const state = this.books.open(instrumentKey(market, hour));
    if (!state.complete) state.addPast(past.reverse());
    state.complete = true;
  }

  candles(instrument: Instrument, interval: Interval): readonly Candle[] {
    return this.state(instrument)?.trades?.candles.of(interval) ?? [];
  }

  ticker(instrument: Instrument): Ticker {
    const mark = this.mark(instrument.market, instrument.hour);
    const state = this.state(instrument);
    if (state !== undefined) return state.ticker(this.now, mark);
    return { ...NO_BEST, last: null, mark, open: null, high: null, low: null, volume: 0, notional: 0n, trades: 0 };
  }

  private listPrice(market: MarketId): number {
    return this.directory.class(classOf(market))?.listPrice ?? 0;
  }

  mark(market: MarketId, hour: number): Mark {
    const trades = this.books.instruments.get(instrumentKey(market, hour))?.trades;
    const traded = trades === undefined || trades === null ? null : markOf(trades.window.figures(this.now));
    return traded === null ? this.untradedMark(market) : { price: traded, source: 'trades' };
  }

  untradedMark(market: MarketId): Mark {
    const index = this.index(classOf(market)).price;
    return index === null ? { price: mulDiv(this.listPrice(market), 1, 2), source: 'list_price' } : { price: index, source: 'index' };
  }

  curve(market: MarketId): CurvePoint[] {
    const points: CurvePoint[] = [];
    const running = hourAt(this.now);
    for (const [key, state] of this.books.instruments) {
      const hour = hourOfKey(key);
      // Of an hour that is over there may be trades, as somebody asked for its candles.
      if (marketOfKey(key) !== market || hour < running || state.isEmpty()) continue;
      points.push({ instrument: this.instrumentOf(market, hour), ...state.best(), last: state.last(), mark: this.mark(market, hour) });
    }
    return points.sort((a, b) => a.instrument.hour - b.instrument.hour);
  }

  index(classId: ClassId): ClassIndex {
    const figures = this.books.classWindows.get(classId)?.figures(this.now);
    if (figures === undefined) return { class: classId, price: null, trades: 0, volume: 0, notional: 0n, buyerGroups: 0, providerGroups: 0, affiliated: 0 };
    const { trades, volume, notional, affiliated, buyers, providers } = figures;
    return { class: classId, price: indexOf(figures), trades, volume, notional, buyerGroups: buyers.size, providerGroups: providers.size, affiliated };
  }

  modes(): TradingModeView[] {
    return this.tradingModes.all();
  }

  order(order: number): LiveOrder | undefined {
    return this.books.orders.get(order);
  }

  openOrders(company: number): LiveOrder[] {
    return [...this.books.orders.ofCompany(company)];
  }

  follow(listener: (change: MarketChange) => void): () => void {
    this.listeners.add(listener);
    this.changes.active = true;
    return () => {
      this.listeners.delete(listener);
      this.changes.active = this.listeners.size > 0;
    };
  }

  trackLevels(instrument: Instrument): LevelTracker {
    const key = instrumentKey(instrument.market, instrument.hour);
    const state = this.books.open(key);
    state.tracked = true;
    state.bids.changes = new Set();
    state.asks.changes = new Set();
    return {
      take: () => {
        const changed = { bids: changedLevels(state.bids), asks: changedLevels(state.asks) };
        return changed.bids.length + changed.asks.length === 0 ? null : changed;
      },
      release: () => {
        state.tracked = false;
        state.bids.changes = null;
        state.asks.changes = null;
        if (state.isEmpty()) this.books.instruments.delete(key);
      },
    };
  }

  watchCompany(company: number): () => void {
    return this.changes.watch(company);
  }

  close(): void {
    this.unsubscribe();
    this.listeners.clear();
  }
}
