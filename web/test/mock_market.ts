/** A market made of arithmetic for tests of the screens: books that move by a seed, accounts that never change by themselves. */
import { crc32 } from 'node:zlib';
import { hourAt, instrumentId, makeInstrument, parseInstrument } from '../src/state/instrument.ts';
import { fromMicro, fromSteps, fromTicks } from '../src/state/decimal.ts';

type Level = [price: string, quantity: string];

const CLASSES = [
  { id: 'H100-SXM-80', chip: 'H100', memory_gb: 80, form_factor: 'SXM', list: 34_900 },
  { id: 'H200-SXM-141', chip: 'H200', memory_gb: 141, form_factor: 'SXM', list: 43_100 },
  { id: 'A100-SXM-80', chip: 'A100', memory_gb: 80, form_factor: 'SXM', list: 20_600 },
  { id: 'L40S-PCIE-48', chip: 'L40S', memory_gb: 48, form_factor: 'PCIE', list: 18_600 },
  { id: 'RTX4090-PCIE-24', chip: 'RTX 4090', memory_gb: 24, form_factor: 'PCIE', list: 6_900 },
];
export const REGIONS = ['us-east', 'us-west', 'eu-west'];
export const MODELS = ['llama-3.1-8b-instruct', 'llama-3.3-70b-instruct', 'qwen2.5-7b-instruct', 'mistral-7b-instruct'];

/** Mulberry32: the same seed gives the same market. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export const classes = () =>
  CLASSES.map(({ list, ...entry }) => ({
    ...entry,
    list_price: fromTicks(list),
    list_price_inputs: ['aster', 'borealis', 'cumulus'].map((provider, index) => ({ provider, usd: fromTicks(list - index * 900) })),
    next_list_price: null,
  }));

/** Ticks: what an hour is worth, dearer in the afternoon. */
function middleOf(className: string, hour: number): number {
  const list = CLASSES.find((entry) => entry.id === className)?.list ?? 30_000;
  const wave = Math.sin(((hour % 24) - 8) / 24 * 2 * Math.PI);
  return Math.round(list * (0.62 + 0.08 * wave + 0.01 * Math.sin(hour)));
}

export class MockBook {
  private readonly bids = new Map<number, number>();
  private readonly asks = new Map<number, number>();
  private readonly random: () => number;
  private readonly middle: number;

  constructor(instrument: string) {
    const parsed = parseInstrument(instrument);
    this.random = randomOf(crc32(instrument));
    this.middle = middleOf(parsed?.class ?? '', parsed?.hour ?? 0);
    for (let step = 1; step <= 40; step++) {
      this.asks.set(this.middle + step * 15 + Math.floor(this.random() * 10), this.size());
      this.bids.set(this.middle - step * 15 - Math.floor(this.random() * 10), this.size());
    }
  }

  /** Changes a few levels near the middle. */
  move(): { bids: Level[]; asks: Level[] } {
    const changed: { bids: Level[]; asks: Level[] } = { bids: [], asks: [] };
    for (const [side, book] of [['bids', this.bids], ['asks', this.asks]] as const) {
      const prices = [...book.keys()].sort((a, b) => Math.abs(a - this.middle) - Math.abs(b - this.middle));
      const price = prices[Math.floor(this.random() * 14)] ?? this.middle;
      const steps = this.size();
      book.set(price, steps);
      changed[side].push([fromTicks(price), fromSteps(steps)]);
    }
    return changed;
  }

  best(side: 'bids' | 'asks'): number {
    return side === 'bids' ? Math.max(...this.bids.keys()) : Math.min(...this.asks.keys());
  }

  whole(): { bids: Level[]; asks: Level[]; checksum: number } {
    const levels = (book: Map<number, number>, direction: number): Level[] =>
      [...book].sort(([a], [b]) => (a - b) * direction).map(([price, steps]) => [fromTicks(price), fromSteps(steps)]);
    const bids = levels(this.bids, -1);
    const asks = levels(this.asks, 1);
    return { bids, asks, checksum: checksumOf(bids, asks) };
  }

  private size(): number {
    return 25 * Math.ceil(this.random() * 160);
  }
}

const checksumOf = (bids: Level[], asks: Level[]): number =>
  crc32([...bids.slice(0, 10), ...asks.slice(0, 10)].map(([price, quantity]) => `${price}:${quantity}`).join('|'));

export function curve(className: string, region: string, now: number) {
  const first = hourAt(now);
  return Array.from({ length: 96 }, (_, index) => first + index).map((hour) => {
    const middle = middleOf(className, hour);
    const gap = hour % 7;
    return {
      instrument: instrumentId(className, region, hour), class: className, region, start_at: new Date(hour * 3_600_000).toISOString(),
      best_bid: gap === 5 ? null : fromTicks(middle - 90), bid_quantity: gap === 5 ? null : '12', best_ask: fromTicks(middle + 100), ask_quantity: '16',
      mid_price: fromTicks(middle), last_price: hour % 3 === 0 ? fromTicks(middle + 40) : null, mark_price: fromTicks(middle), mark_source: 'trades',
    };
  });
}

/** Of one market, `CLASS.region`, or of all. */
export function curves(market: string | null, now: number) {
  const [className = '', region = ''] = (market ?? '').split('.');
  if (market !== null) return curve(className, region, now);
  return CLASSES.flatMap((entry) => REGIONS.flatMap((name) => curve(entry.id, name, now)));
}

export function candles(instrument: string, now: number) {
  const middle = new MockBook(instrument).best('asks');
  return Array.from({ length: 40 }, (_, index) => ({
    start_at: new Date(Math.floor(now / 300_000) * 300_000 - (39 - index) * 300_000).toISOString(), open: fromTicks(middle + (index % 5) * 10), high: fromTicks(middle + 80),
    low: fromTicks(middle - 60), close: fromTicks(middle + ((index * 7) % 9) * 6), volume: '12.5', notional: '27.5', trades: 3,
  }));
}

export function trades(instrument: string, now: number, count: number) {
  const book = new MockBook(instrument);
  const random = randomOf(crc32(instrument) + 1);
  return Array.from({ length: count }, (_, index) => ({
    id: String(1_000_000 - index),
    price: fromTicks((random() > 0.5 ? book.best('asks') : book.best('bids')) + Math.floor(random() * 20) - 10),
    quantity: fromSteps(25 * Math.ceil(random() * 60)),
    side: random() > 0.45 ? 'buy' : 'sell',
    at: new Date(now - index * 23_000).toISOString(),
  }));
}

export function ticker(instrument: string) {
  const book = new MockBook(instrument);
  const last = book.best('asks');
  return {
    best_bid: fromTicks(book.best('bids')), bid_quantity: '8', best_ask: fromTicks(last), ask_quantity: '8', last_price: fromTicks(last), last_quantity: '4',
    last_at: new Date().toISOString(), mark_price: fromTicks(last), mark_source: 'trades', open_24h: fromTicks(last - 240), high_24h: fromTicks(last + 200),
    low_24h: fromTicks(last - 400), volume_24h: '18432.5', notional_24h: fromMicro(40_000_000_000n), trades_24h: 812,
  };
}

export const models = () =>
  MODELS.map((id, index) => ({
    id, aliases: [id.split('-')[0] ?? id], kind: 'chat', licence: 'open', context_tokens: 131_072, output_tokens_default: 1024, modality: ['text'], features: [],
    total_params_millions: 8000, active_params_millions: 8000, least_memory_gb: 20, served: index < 3, rating_version: 1, ratings: [], announced_ratings: [],
    pricing: {
      live: index < 2 ? { class: 'H100-SXM-80', market: 'H100-SXM-80.us-east', price: '2.2100', prompt: '0.041250', completion: '0.312500' } : null,
      list: { class: 'H100-SXM-80', prompt: '0.061000', completion: '0.480000' },
    },
  }));

export const nextHour = (now: number): string => makeInstrument('H100-SXM-80', 'us-east', hourAt(now) + 3).id;
