/**
 * The ladder as it is drawn: a book that changes in every frame changes pixels alone, so nothing of the page is laid out,
 * and only the lines that say something else are drawn again.
 */
import { format, LADDER_DEPTH_MAX, type LadderRow } from '../../state/index.ts';
import { Glyphs } from '../../ui/glyphs.ts';
import { LADDER_ROW_PIXELS } from './ladder_side.ts';

export const SPREAD_PIXELS = 30;
const EDGE_PIXELS = 12;
const GAP_PIXELS = 8;
const DOT_PIXELS = 5;
const FONT_PIXELS = 12;
/** The columns' shares: price, quantity, total. */
const SHARES = [1, 1.1, 1.1] as const;

/** Where the columns of numbers end. */
export function columnsOf(width: number): { quantity: number; total: number } {
  const share = (width - 2 * EDGE_PIXELS - 2 * GAP_PIXELS) / (SHARES[0] + SHARES[1] + SHARES[2]);
  return { quantity: EDGE_PIXELS + share * (SHARES[0] + SHARES[1]) + GAP_PIXELS, total: width - EDGE_PIXELS };
}

export interface LadderLines {
  /** Top to bottom. */
  asks: readonly (LadderRow | undefined)[];
  bids: readonly (LadderRow | undefined)[];
  width: number;
}

interface Ink {
  price: Glyphs;
  bar: string;
  dot: string;
}

export class LadderPicture {
  private canvas: CanvasRenderingContext2D | undefined;
  private colours = '';
  private size = '';
  private drawn: string[] = [];
  private inks: Record<'ask' | 'bid', Ink> | undefined;
  private quantity: Glyphs | undefined;
  private total: Glyphs | undefined;

  /** @param family of the font; `colour` gives a colour of the theme */
  draw(canvas: CanvasRenderingContext2D, lines: LadderLines, colour: (name: string) => string, family: string): void {
    const ratio = canvas.getTransform().a;
    this.prepare(canvas, ratio, colour, family);
    canvas.setTransform(1, 0, 0, 1, 0, 0);
    const below = lines.asks.length * LADDER_ROW_PIXELS + SPREAD_PIXELS;
    for (const [line, row] of lines.asks.entries()) this.line(canvas, 'ask', { row, index: line, top: line * LADDER_ROW_PIXELS, width: lines.width, ratio });
    for (const [line, row] of lines.bids.entries()) this.line(canvas, 'bid', { row, index: lines.asks.length + line, top: below + line * LADDER_ROW_PIXELS, width: lines.width, ratio });
  }

  /** Whatever changes all lines: another canvas, its size, the theme. */
  private prepare(canvas: CanvasRenderingContext2D, ratio: number, colour: (name: string) => string, family: string): void {
    const size = `${canvas.canvas.width} ${canvas.canvas.height} ${ratio}`;
    const colours = [family, ratio, ...['--sell', '--sell-soft', '--buy', '--buy-soft', '--text', '--text-muted'].map(colour)].join();
    if (canvas === this.canvas && size === this.size && colours === this.colours) return;
    canvas.clearRect(0, 0, canvas.canvas.width, canvas.canvas.height);
    this.drawn = [];
    this.canvas = canvas;
    this.size = size;
    if (colours === this.colours) return;
    this.colours = colours;
    const glyphs = (weight: number, name: string): Glyphs => new Glyphs(`${weight} ${FONT_PIXELS * ratio}px ${family}`, colour(name), Math.round(LADDER_ROW_PIXELS * ratio));
    this.quantity = glyphs(400, '--text');
    this.total = glyphs(400, '--text-muted');
    this.inks = {
      ask: { price: glyphs(550, '--sell'), bar: colour('--sell-soft'), dot: colour('--sell') },
      bid: { price: glyphs(550, '--buy'), bar: colour('--buy-soft'), dot: colour('--buy') },
    };
  }

  private line(canvas: CanvasRenderingContext2D, side: 'ask' | 'bid', at: { row: LadderRow | undefined; index: number; top: number; width: number; ratio: number }): void {
    const { row, index, width, ratio } = at;
    const length = row === undefined ? 0 : Math.round((row.depth * width * ratio) / LADDER_DEPTH_MAX);
    const says = row === undefined ? '' : `${row.price} ${row.quantity} ${row.total} ${length} ${row.own > 0 ? 'own' : ''}`;
    if (this.drawn[index] === says) return;
    this.drawn[index] = says;
    const [top, height, wide] = [Math.round(at.top * ratio), Math.round(LADDER_ROW_PIXELS * ratio), Math.round(width * ratio)];
    canvas.clearRect(0, top, wide, height);
    const ink = this.inks?.[side];
    if (row === undefined || ink === undefined) return;
    canvas.fillStyle = ink.bar;
    canvas.fillRect(wide - length, top + ratio, length, height - 2 * ratio);
    if (row.own > 0) {
      canvas.fillStyle = ink.dot;
      canvas.beginPath();
      canvas.arc((EDGE_PIXELS / 2) * ratio, top + height / 2, (DOT_PIXELS / 2) * ratio, 0, 2 * Math.PI);
      canvas.fill();
    }
    const columns = columnsOf(width);
    ink.price.write(canvas, format.price(row.price), Math.round(EDGE_PIXELS * ratio), top);
    this.quantity?.writeBefore(canvas, format.quantity(row.quantity), Math.round(columns.quantity * ratio), top);
    this.total?.writeBefore(canvas, format.quantity(row.total), Math.round(columns.total * ratio), top);
  }
}
