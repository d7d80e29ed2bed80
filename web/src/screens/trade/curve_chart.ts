/** Geometry of the forward curve: prices in ticks by delivery hour, placed on pixels. */
import { parseInstrument, toTicks, type WireCurvePoint } from '../../state/index.ts';

export interface CurvePoint {
  hour: number;
  ask: number | undefined;
  bid: number | undefined;
  last: number | undefined;
  /** Middle of the hour. */
  x: number;
  lastY: number | undefined;
}
export interface CurveChart {
  points: CurvePoint[];
  askPath: string;
  bidPath: string;
  band: string;
  priceTicks: { price: number; y: number }[];
  dayTicks: { hour: number; x: number }[];
  chosen: { x: number; width: number } | undefined;
  right: number;
  bottom: number;
  hourAt(x: number): number | undefined;
}
export interface CurveFrame {
  from: number;
  chosen: number | undefined;
  width: number;
  height: number;
}

const MARGIN = { top: 36, right: 62, bottom: 28 };
const HOURS_MIN = 12;
/** Prices closer together than this share of themselves are drawn in the middle of such a range. */
const RANGE_PERCENT_MIN = 4;
const HOURS_MAX = 24 * 7;
const PRICE_LINES = 5;
const NICE = [1, 2, 5];

/** The smallest 1, 2 or 5 times a power of ten, in ticks, that gives at most `lines` steps over `range`. */
export function niceStep(range: number, lines: number): number {
  for (let power = 1; ; power *= 10) {
    for (const nice of NICE) if (nice * power * lines >= range) return nice * power;
  }
}

const ticksOf = (price: string | null): number | undefined => (price === null ? undefined : toTicks(price));

interface Scale {
  x(hour: number): number;
  y(ticks: number): number;
}

type Quote = Omit<CurvePoint, 'x' | 'lastY'>;

function quotesOf(points: readonly WireCurvePoint[], from: number): Quote[] {
  const quotes: Quote[] = [];
  for (const point of points) {
    const hour = parseInstrument(point.instrument)?.hour;
    if (hour === undefined || hour < from || hour >= from + HOURS_MAX) continue;
    quotes.push({ hour, ask: ticksOf(point.best_ask), bid: ticksOf(point.best_bid), last: ticksOf(point.last_price) });
  }
  return quotes.filter((quote) => quote.ask !== undefined || quote.bid !== undefined || quote.last !== undefined).sort((a, b) => a.hour - b.hour);
}

/** A step line over hours that follow each other; a gap where an hour has no quote. */
function stepPath(quotes: readonly Quote[], valueOf: (quote: Quote) => number | undefined, scale: Scale): string {
  let path = '';
  let previous: number | undefined;
  for (const quote of quotes) {
    const value = valueOf(quote);
    if (value === undefined) continue;
    const y = scale.y(value).toFixed(1);
    const start = scale.x(quote.hour).toFixed(1);
    path += previous === quote.hour - 1 ? `V${y}` : `M${start} ${y}`;
    path += `H${scale.x(quote.hour + 1).toFixed(1)}`;
    previous = quote.hour;
  }
  return path;
}

function bandPath(quotes: readonly Quote[], scale: Scale): string {
  return quotes
    .filter((quote) => quote.ask !== undefined && quote.bid !== undefined)
    .map(({ hour, ask = 0, bid = 0 }) => `M${scale.x(hour).toFixed(1)} ${scale.y(ask).toFixed(1)}H${scale.x(hour + 1).toFixed(1)}V${scale.y(bid).toFixed(1)}H${scale.x(hour).toFixed(1)}Z`)
    .join('');
}

/** Ticks: round borders around all prices. */
function priceRange(prices: readonly number[]): { floor: number; ceiling: number; step: number } {
  if (prices.length === 0) return { floor: 0, ceiling: 1, step: 1 };
  const lowest = Math.min(...prices);
  const highest = Math.max(...prices);
  const missing = Math.max(0, Math.ceil((highest * RANGE_PERCENT_MIN) / 100) - (highest - lowest));
  const step = niceStep(highest - lowest + missing, PRICE_LINES);
  const floor = Math.max(0, Math.floor((lowest - missing / 2) / step) * step);
  return { floor, ceiling: Math.max(Math.ceil((highest + missing / 2) / step) * step, floor + step), step };
}

export function curveChart(wire: readonly WireCurvePoint[], frame: CurveFrame): CurveChart {
  const quotes = quotesOf(wire, frame.from);
  const right = Math.max(frame.width - MARGIN.right, 1);
  const bottom = Math.max(frame.height - MARGIN.bottom, MARGIN.top + 1);
  const hours = Math.max((quotes.at(-1)?.hour ?? frame.from) + 1, (frame.chosen ?? frame.from) + 1, frame.from + HOURS_MIN) - frame.from;
  const shownHours = Math.min(hours, HOURS_MAX);
  const prices = quotes.flatMap(({ ask, bid, last }) => [ask, bid, last]).filter((price) => price !== undefined);
  const { floor, ceiling, step } = priceRange(prices);
  const scale: Scale = {
    x: (hour) => ((hour - frame.from) * right) / shownHours,
    y: (ticks) => bottom - ((ticks - floor) * (bottom - MARGIN.top)) / (ceiling - floor),
  };
  const chosenVisible = frame.chosen !== undefined && frame.chosen < frame.from + shownHours;
  const labelEvery = Math.max(1, Math.ceil(shownHours / 24 / Math.max(1, Math.floor(right / 96)))) * 24;
  return {
    points: quotes.map((quote) => ({ ...quote, x: scale.x(quote.hour + 0.5), lastY: quote.last === undefined ? undefined : scale.y(quote.last) })),
    askPath: stepPath(quotes, (quote) => quote.ask, scale),
    bidPath: stepPath(quotes, (quote) => quote.bid, scale),
    band: bandPath(quotes, scale),
    priceTicks: prices.length === 0 ? [] : Array.from({ length: Math.round((ceiling - floor) / step) + 1 }, (_, index) => ({ price: floor + index * step, y: scale.y(floor + index * step) })),
    dayTicks: Array.from({ length: shownHours }, (_, index) => frame.from + index).filter((hour) => hour % labelEvery === 0 && scale.x(hour) < right - 60).map((hour) => ({ hour, x: scale.x(hour) })),
    chosen: chosenVisible ? { x: scale.x(frame.chosen ?? 0), width: right / shownHours } : undefined,
    right,
    bottom,
    hourAt: (x) => (x < 0 || x > right ? undefined : frame.from + Math.min(shownHours - 1, Math.floor((x * shownHours) / right))),
  };
}
