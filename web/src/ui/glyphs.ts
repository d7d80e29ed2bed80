/**
 * Figures of one colour, drawn once and copied from then on: to write them as text, the browser would shape each anew,
 * which for a book that changes in every frame costs more than all else. Each digit takes the same room.
 */
const CHARACTERS = [...'0123456789.,−–'];
const DIGITS = 10;

interface Glyph {
  x: number;
  width: number;
}

export class Glyphs {
  private readonly image: ImageBitmap;
  private readonly glyphs = new Map<string, Glyph>();
  private readonly height: number;

  /** @param height of a line, in pixels of the device as all measures here */
  constructor(font: string, colour: string, height: number) {
    this.height = height;
    const canvas = new OffscreenCanvas(1, 1);
    const context = canvas.getContext('2d');
    if (context === null) throw new Error('the browser draws no pictures');
    context.font = font;
    const widths = CHARACTERS.map((character) => Math.round(context.measureText(character).width));
    const digit = Math.max(...widths.slice(0, DIGITS));
    let x = 0;
    for (const [index, character] of CHARACTERS.entries()) {
      const width = index < DIGITS ? digit : widths[index];
      this.glyphs.set(character, { x, width });
      x += width;
    }
    canvas.width = x;
    canvas.height = height;
    context.font = font;
    context.fillStyle = colour;
    context.textBaseline = 'middle';
    context.textAlign = 'center';
    for (const [character, glyph] of this.glyphs) context.fillText(character, glyph.x + glyph.width / 2, height / 2);
    this.image = canvas.transferToImageBitmap();
  }

  /** @param x the left edge of the text */
  write(canvas: CanvasRenderingContext2D, text: string, x: number, top: number): void {
    let at = x;
    for (const character of text) {
      const glyph = this.glyphs.get(character);
      if (glyph === undefined) continue;
      canvas.drawImage(this.image, glyph.x, 0, glyph.width, this.height, at, top, glyph.width, this.height);
      at += glyph.width;
    }
  }

  /** @param right the right edge of the text */
  writeBefore(canvas: CanvasRenderingContext2D, text: string, right: number, top: number): void {
    let width = 0;
    for (const character of text) width += this.glyphs.get(character)?.width ?? 0;
    this.write(canvas, text, right - width, top);
  }
}
