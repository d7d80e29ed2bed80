/**
 * Numbers and texts as bytes, and back. A whole number takes one byte below 64, two below 8192 and
 * so on: most of what the journal keeps is small. Any other number takes nine.
 *
 * First byte: 0x80 more bytes follow, 0x40 negative, six bits of the magnitude; then seven bits per
 * byte. Magnitude zero with the sign set announces eight bytes of a float.
 */
const MORE = 0x80;
const NEGATIVE = 0x40;
const FLOAT = NEGATIVE;
/** A number takes at most nine bytes. */
const NUMBER_BYTES_MAX = 9;
const INT_RANGE = 0x8000_0000;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
const floatBytes = new Uint8Array(8);
const floatView = new DataView(floatBytes.buffer);

export class ByteWriter {
  bytes: Uint8Array<ArrayBuffer>;
  length = 0;

  constructor(capacity = 1 << 12) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Makes room for `count` bytes. */
  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  number(value: number): void {
    this.reserve(NUMBER_BYTES_MAX);
    const sign = value < 0 ? NEGATIVE : 0;
    const magnitude = Math.abs(value);
    if (magnitude < 64 && Math.floor(magnitude) === magnitude) this.bytes[this.length++] = sign | magnitude;
    else if (Number.isSafeInteger(magnitude)) this.long(sign, magnitude);
    else this.float(value);
  }

  private long(sign: number, magnitude: number): void {
    const { bytes } = this;
    let at = this.length;
    bytes[at++] = MORE | sign | (magnitude % 64);
    let rest = Math.floor(magnitude / 64);
    while (rest >= INT_RANGE) {
      bytes[at++] = MORE | (rest % 128);
      rest = Math.floor(rest / 128);
    }
    let small = rest | 0;
    while (small > 127) {
      bytes[at++] = MORE | (small & 127);
      small >>>= 7;
    }
    bytes[at++] = small;
    this.length = at;
  }

  private float(value: number): void {
    floatView.setFloat64(0, value, true);
    this.bytes[this.length++] = FLOAT;
    this.bytes.set(floatBytes, this.length);
    this.length += 8;
  }

  text(value: string): void {
    if (value === '') {
      this.byte(0);
      return;
    }
    const encoded = encoder.encode(value);
    this.number(encoded.length);
    this.raw(encoded);
  }

  raw(value: Uint8Array): void {
    this.reserve(value.length);
    this.bytes.set(value, this.length);
    this.length += value.length;
  }

  /** A copy of what was written; the writer starts again. */
  take(): Uint8Array<ArrayBuffer> {
    const copy = this.bytes.slice(0, this.length);
    this.length = 0;
    return copy;
  }
}

/** Reads what a ByteWriter wrote. Every method throws RangeError beyond the end. */
export class ByteReader {
  private readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get atEnd(): boolean {
    return this.at === this.bytes.length;
  }

  byte(): number {
    if (this.at >= this.bytes.length) throw new RangeError('the bytes end too early');
    return this.bytes[this.at++];
  }

  number(): number {
    const first = this.byte();
    if (first === FLOAT) return this.float();
    let magnitude = first & 63;
    let scale = 64;
    for (let byte = first; (byte & MORE) !== 0; scale *= 128) {
      byte = this.byte();
      magnitude += (byte & 127) * scale;
    }
    return (first & NEGATIVE) === 0 ? magnitude : -magnitude;
  }

  private float(): number {
    floatBytes.set(this.raw(8));
    return floatView.getFloat64(0, true);
  }

  /** A number that says how many things follow. */
  count(): number {
    const count = this.number();
    if (!Number.isSafeInteger(count) || count < 0 || count > this.bytes.length - this.at) throw new RangeError('a count is beyond the bytes');
    return count;
  }

  text(): string {
    const length = this.count();
    return length === 0 ? '' : decoder.decode(this.raw(length));
  }

  raw(length: number): Uint8Array {
    if (length > this.bytes.length - this.at) throw new RangeError('the bytes end too early');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}
