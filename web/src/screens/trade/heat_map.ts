/** Geometry and colours of the heat map: a row for each class and region, a column for each delivery hour. */
import { parseInstrument, toTicks, type HourRange, type WireCurvePoint } from '../../state/index.ts';

export interface HeatRow {
  class: string;
  region: string;
  /** Best ask in ticks by delivery hour. */
  asks: ReadonlyMap<number, number>;
  /** Ticks: no ask may exceed it. */
  listPrice: number;
}
export interface HeatFrame {
  from: number;
  hours: number;
  width: number;
  rows: number;
}

export const ROW_PIXELS = 18;
export const AXIS_PIXELS = 22;
const LABEL_PIXELS = 168;
/** Spans that the map offers, in days. */
export const HEAT_DAYS = [2, 7, 30] as const;
export const HEAT_HOURS_MAX = 30 * 24;
const SHADES = 10;
/** Of the list price, in percent: what lies below is the palest, the list price itself the darkest. */
const PALEST_PERCENT = 40;

/** Rows in the order of the directory, those that nobody quotes left out, the chosen one always there. */
export function heatRows(points: readonly WireCurvePoint[], order: readonly { class: string; region: string; listPrice: number }[], from: number, chosen: string): HeatRow[] {
  const byMarket = new Map<string, Map<number, number>>();
  for (const point of points) {
    const hour = parseInstrument(point.instrument)?.hour;
    if (hour === undefined || point.best_ask === null || hour < from || hour >= from + HEAT_HOURS_MAX) continue;
    const name = `${point.class}.${point.region}`;
    const asks = byMarket.get(name) ?? new Map<number, number>();
    asks.set(hour, toTicks(point.best_ask));
    byMarket.set(name, asks);
  }
  return order.flatMap((market) => {
    const name = `${market.class}.${market.region}`;
    const asks = byMarket.get(name) ?? new Map<number, number>();
    if (asks.size === 0 && name !== chosen) return [];
    return [{ ...market, asks }];
  });
}

/** 0 to 9: how near an ask is to the list price of its class, so that classes can be compared. */
function shadeOf(listPrice: number, ask: number): number {
  const percent = (ask * 100) / Math.max(listPrice, 1);
  return Math.min(SHADES - 1, Math.max(0, Math.floor(((percent - PALEST_PERCENT) * SHADES) / (100 - PALEST_PERCENT))));
}

export interface HeatCell {
  row: number;
  hour: number;
}

/** The cell under a point of the plot, its labels and axis left out. */
export function cellAt(frame: HeatFrame, x: number, y: number): HeatCell | undefined {
  const row = Math.floor((y - AXIS_PIXELS) / ROW_PIXELS);
  const column = Math.floor(((x - LABEL_PIXELS) * frame.hours) / (frame.width - LABEL_PIXELS));
  if (row < 0 || row >= frame.rows || column < 0 || column >= frame.hours) return undefined;
  return { row, hour: frame.from + column };
}

/** The hours between two cells, whichever was first. */
export const rangeOf = (one: number, other: number): HourRange => ({ from: Math.min(one, other), to: Math.max(one, other) + 1 });

export interface HeatColours {
  shades: readonly string[];
  empty: string;
  text: string;
  faint: string;
  line: string;
  ink: string;
  mark: string;
}

export interface HeatPicture extends HeatFrame {
  cells: readonly HeatRow[];
  chosen: HeatCell | undefined;
  /** Of the row of `chosen`, or of the drag under way. */
  block: { row: number; hours: HourRange } | undefined;
  cursor: HeatCell | undefined;
  dayLabel: (hour: number) => string;
}

export function drawHeatMap(canvas: CanvasRenderingContext2D, picture: HeatPicture, colours: HeatColours): void {
  const { from, hours, width, cells } = picture;
  const height = AXIS_PIXELS + cells.length * ROW_PIXELS;
  const column = (width - LABEL_PIXELS) / hours;
  const left = (hour: number): number => LABEL_PIXELS + (hour - from) * column;
  const top = (row: number): number => AXIS_PIXELS + row * ROW_PIXELS;
  canvas.clearRect(0, 0, width, height);
  canvas.textBaseline = 'middle';
  cells.forEach((row, index) => {
    const isChosen = picture.chosen?.row === index;
    canvas.fillStyle = isChosen ? colours.text : colours.faint;
    canvas.fillText(`${row.class} · ${row.region}`, 10, top(index) + ROW_PIXELS / 2, LABEL_PIXELS - 16);
    canvas.fillStyle = colours.empty;
    canvas.fillRect(LABEL_PIXELS, top(index) + 1, width - LABEL_PIXELS, ROW_PIXELS - 2);
    for (const [hour, ask] of row.asks) {
      if (hour >= from + hours) continue;
      canvas.fillStyle = colours.shades[shadeOf(row.listPrice, ask)] ?? colours.empty;
      canvas.fillRect(left(hour), top(index) + 1, Math.max(column - 0.5, 1), ROW_PIXELS - 2);
    }
  });
  for (let hour = from; hour < from + hours; hour++) {
    if (hour % 24 !== 0) continue;
    const labelled = column * 24 >= 44 || (hour / 24) % 4 === 0;
    canvas.fillStyle = colours.line;
    canvas.fillRect(left(hour), 0, 1, height);
    canvas.fillStyle = colours.faint;
    if (labelled && left(hour) < width - 40) canvas.fillText(picture.dayLabel(hour), left(hour) + 4, AXIS_PIXELS / 2);
  }
  const outline = (row: number, range: HourRange, colour: string, weight: number): void => {
    canvas.strokeStyle = colour;
    canvas.lineWidth = weight;
    canvas.strokeRect(left(range.from) + 0.5, top(row) + 0.5, (range.to - range.from) * column, ROW_PIXELS - 1);
  };
  if (picture.chosen) outline(picture.chosen.row, rangeOf(picture.chosen.hour, picture.chosen.hour), colours.ink, 2);
  if (picture.block) outline(picture.block.row, picture.block.hours, colours.mark, 2);
  if (picture.cursor) outline(picture.cursor.row, rangeOf(picture.cursor.hour, picture.cursor.hour), colours.mark, 1);
}
