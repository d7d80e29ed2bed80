/** The public market: what can be traded, and the live book, trades and prices of the chosen hour. */
import type { ApiClient, Page } from './api_client.ts';
import { Book, EMPTY_DEPTH, type Depth, type WireBook } from './book.ts';
import { Cell } from './cell.ts';
import type { MarketClock } from './clock.ts';
import { toTicks } from './decimal.ts';
import type { Feed, FeedMessage } from './feed.ts';
import type { Frame } from './frame.ts';
import { hourAt, makeInstrument, type Instrument } from './instrument.ts';
import { Resource } from './resource.ts';
import type { Storage } from './storage.ts';
import type { TradingMode, WireCandle, WireClass, WireCurveChange, WireCurvePoint, WireModel, WireRegion, WireStatus, WireTicker, WireTrade } from './wire.ts';

const NOTHING = (): void => undefined;
const TRADES_MAX = 60;
const LAST_MARKET = 'market';

export interface Directory {
  classes: WireClass[];
  regions: WireRegion[];
}
export interface BookView {
  depth: Depth;
  /** False until the first snapshot of the chosen hour. */
  loaded: boolean;
  /** False while the feed is away or catching up: what is shown may be old. */
  live: boolean;
  /** The exchange does not know this instrument. */
  unknown: boolean;
}
const NO_BOOK: BookView = { depth: EMPTY_DEPTH, loaded: false, live: false, unknown: false };

export interface MarketDependencies {
  api: ApiClient;
  feed: Feed;
  frame: Frame;
  clock: MarketClock;
  storage: Storage;
}

export class Market {
  readonly directory: Resource<Directory>;
  readonly models: Resource<WireModel[]>;
  readonly status: Resource<WireStatus>;
  /** Hours of the chosen class and region that have a quote or a trade; undefined before the first snapshot. */
  readonly curve = new Cell<readonly WireCurvePoint[] | undefined>(undefined);
  readonly selected = new Cell<Instrument | undefined>(undefined);
  readonly book = new Cell<BookView>(NO_BOOK);
  /** Newest first; undefined before the first snapshot. */
  readonly trades = new Cell<readonly WireTrade[] | undefined>(undefined);
  readonly ticker = new Cell<WireTicker | undefined>(undefined);
  /** Hours of every class and region that have a quote or a trade; followed while `followEverything` is in use. */
  readonly everything = new Cell<readonly WireCurvePoint[] | undefined>(undefined);

  private readonly feed: Feed;
  private readonly frame: Frame;
  private readonly clock: MarketClock;
  private readonly storage: Storage;
  private readonly levels = new Book();
  private recent: WireTrade[] = [];
  private loaded = false;
  private live = false;
  private unsubscribe: (() => void)[] = [];
  private unsubscribeCurve: () => void = NOTHING;
  /** `CLASS.region`; '' when no curve is followed. */
  private curveOf = '';
  private readonly points = new Map<string, WireCurvePoint>();
  private everythingAsked = 0;
  private unsubscribeEverything: () => void = NOTHING;
  private readonly allPoints = new Map<string, WireCurvePoint>();

  constructor({ api, feed, frame, clock, storage }: MarketDependencies) {
    this.storage = storage;
    this.feed = feed;
    this.frame = frame;
    this.clock = clock;
    this.directory = new Resource(() => fetchDirectory(api));
    this.models = new Resource(async () => (await api.get<Page<WireModel>>('/models')).data);
    this.status = new Resource(async () => {
      const status = await api.get<WireStatus>('/status');
      clock.observe(status.now);
      return status;
    });
  }

  /** Follows another hour. The old one's data leave the screen at once. */
  select(instrument: Instrument): void {
    if (this.selected.value?.id === instrument.id) return;
    this.leaveHour();
    this.selected.value = instrument;
    this.followCurve(`${instrument.class}.${instrument.region}`);
    this.storage.write(LAST_MARKET, `${instrument.class}.${instrument.region}`);
    this.unsubscribe = [
      this.feed.subscribe('book', instrument.id, { onMessage: (message) => this.onBook(message), onLive: (live) => this.onLive(live), onRefused: () => this.onRefused() }),
      this.feed.subscribe('trades', instrument.id, { onMessage: (message) => this.onTrades(message) }),
      this.feed.subscribe('ticker', instrument.id, { onMessage: (message) => this.onTicker(message) }),
    ];
  }

  /**
   * The hour to start with: the market looked at last, as far as it still exists, and its next full
   * hour. A first visitor sees the class that most providers publish offers of.
   */
  startingPoint(directory: Directory | undefined): Instrument | undefined {
    if (directory === undefined) return undefined;
    const [className, region] = this.storage.read(LAST_MARKET).split('.');
    const chosenClass = directory.classes.find((entry) => entry.id === className) ?? mostOffered(directory.classes);
    const chosenRegion = directory.regions.find((entry) => entry.id === region) ?? directory.regions[0];
    if (chosenClass === undefined || chosenRegion === undefined) return undefined;
    return makeInstrument(chosenClass.id, chosenRegion.id, hourAt(this.clock.read()) + 1);
  }

  /** `CLASS.region` of the market looked at last; '' before any was. */
  lastMarket(): string {
    return this.storage.read(LAST_MARKET);
  }

  leave(): void {
    this.leaveHour();
    this.leaveCurve();
    this.selected.value = undefined;
  }

  /** For as long as the page lives: what does not trade normally. */
  followStatus(): () => void {
    return this.feed.subscribe('status', undefined, { onMessage: (message) => this.onStatus(message) });
  }

  /** The whole forward curve, for maps and lists of markets. Returns the unsubscription; several may ask for it. */
  followEverything(): () => void {
    this.everythingAsked += 1;
    if (this.everythingAsked === 1) this.unsubscribeEverything = this.feed.subscribe('curve', undefined, { onMessage: (message) => this.onEverything(message) });
    return () => {
      this.everythingAsked -= 1;
      if (this.everythingAsked === 0) this.unsubscribeEverything();
    };
  }

  private onEverything(message: FeedMessage): void {
    const data = message.data as WireCurveChange;
    if (message.type === 'snapshot') this.allPoints.clear();
    for (const point of data.points) this.allPoints.set(point.instrument, point);
    for (const instrument of data.removed) this.allPoints.delete(instrument);
    this.frame.mark(this.drawEverything);
  }

  private readonly drawEverything = (): void => {
    this.everything.value = [...this.allPoints.values()];
  };

  /** Candles of an hour, the newest last; the first message is a snapshot. Returns the unsubscription. */
  followCandles(instrument: string, interval: string, onCandles: (candles: readonly WireCandle[], snapshot: boolean) => void): () => void {
    return this.feed.subscribe('candles', instrument, { onMessage: ({ data, type }) => onCandles((data as { candles: WireCandle[] }).candles, type === 'snapshot') }, { interval });
  }

  private leaveHour(): void {
    for (const unsubscribe of this.unsubscribe) unsubscribe();
    this.unsubscribe = [];
    this.levels.clear();
    this.recent = [];
    this.loaded = false;
    this.live = false;
    this.book.value = NO_BOOK;
    this.trades.value = undefined;
    this.ticker.value = undefined;
  }

  private followCurve(name: string): void {
    if (this.curveOf === name) return;
    this.leaveCurve();
    this.curveOf = name;
    this.unsubscribeCurve = this.feed.subscribe('curve', name, { onMessage: (message) => this.onCurve(message) });
  }

  private leaveCurve(): void {
    this.unsubscribeCurve();
    this.unsubscribeCurve = NOTHING;
    this.curveOf = '';
    this.points.clear();
    this.curve.value = undefined;
  }

  /** The list price of a class in ticks. */
  listPrice(className: string): number | undefined {
    const directory = this.directory.cell.value;
    const found = directory.status === 'success' ? directory.data.classes.find((entry) => entry.id === className) : undefined;
    return found === undefined ? undefined : toTicks(found.list_price);
  }

  private onLive(live: boolean): void {
    if (this.book.value.unknown) return;
    this.live = live;
    this.frame.mark(this.drawBook);
  }

  private onRefused(): void {
    this.book.value = { ...NO_BOOK, unknown: true };
    this.trades.value = [];
  }

  private onBook(message: FeedMessage): void {
    this.clock.observe(message.ts);
    const data = message.data as WireBook;
    if (message.type === 'snapshot') this.levels.replace(data);
    else this.levels.apply(data);
    this.loaded = true;
    this.frame.mark(this.drawBook);
  }

  private readonly drawBook = (): void => {
    const depth = this.levels.depth();
    const { value: chosen } = this.selected;
    if (chosen !== undefined && this.loaded && !this.levels.agrees(depth)) {
      this.feed.restart('book', chosen.id);
      return;
    }
    this.book.value = { depth, loaded: this.loaded, live: this.live, unknown: false };
  };

  private onTrades(message: FeedMessage): void {
    const incoming = message.data as WireTrade[];
    this.recent = message.type === 'snapshot' ? incoming.slice(0, TRADES_MAX) : [...incoming.toReversed(), ...this.recent].slice(0, TRADES_MAX);
    this.frame.mark(this.drawTrades);
  }

  private readonly drawTrades = (): void => {
    this.trades.value = this.recent;
  };

  private onCurve(message: FeedMessage): void {
    const data = message.data as WireCurveChange;
    if (message.type === 'snapshot') this.points.clear();
    for (const point of data.points) this.points.set(point.instrument, point);
    for (const instrument of data.removed) this.points.delete(instrument);
    this.frame.mark(this.drawCurve);
  }

  private readonly drawCurve = (): void => {
    if (this.curveOf !== '') this.curve.value = [...this.points.values()];
  };

  private onStatus(message: FeedMessage): void {
    this.clock.observe(message.ts);
    this.status.update((status) => ({ ...status, ...(message.data as Partial<WireStatus>) }));
  }

  private onTicker(message: FeedMessage): void {
    this.clock.observe(message.ts);
    this.ticker.value = { ...this.ticker.value, ...(message.data as WireTicker) };
  }
}

const mostOffered = (classes: readonly WireClass[]): WireClass | undefined =>
  classes.reduce<WireClass | undefined>((most, entry) => (most === undefined || entry.list_price_inputs.length > most.list_price_inputs.length ? entry : most), undefined);

/** The mode that holds for an instrument, the strictest of those whose scope covers it. */
export function modeOf(status: Pick<WireStatus, 'modes'> | undefined, instrument: Instrument): TradingMode {
  const scopes = ['*', instrument.class, `${instrument.class}.${instrument.region}`, instrument.id];
  const modes = (status?.modes ?? []).filter((entry) => scopes.includes(entry.scope)).map((entry) => entry.mode);
  if (modes.includes('halted')) return 'halted';
  if (modes.includes('cancel_only')) return 'cancel_only';
  return modes.includes('auction') ? 'auction' : 'open';
}

async function fetchDirectory(api: ApiClient): Promise<Directory> {
  const [classes, regions] = await Promise.all([api.get<Page<WireClass>>('/classes'), api.get<Page<WireRegion>>('/regions')]);
  return { classes: classes.data, regions: regions.data };
}
