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
/** What the first four bytes of a whole number hold. */
const LOW_RANGE = 2 ** 27;
/** Below this a loop is faster than an encoder. */
const SHORT_TEXT = 128;
const FEW_BYTES = 128;

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

  /** As `number`, of the first `count`: what a batch consists of, nearly all of it whole and small. */
  numbers(values: Float64Array, count: number): void {
    this.reserve(count * NUMBER_BYTES_MAX);
    const { bytes } = this;
    let at = this.length;
    for (let index = 0; index < count; index++) {
      const value = values[index];
      const whole = value | 0;
      if (whole !== value) {
        if (Number.isSafeInteger(value)) {
          // Beyond 32 bits: four bytes of the low part, all of which have more after them, then the high part, both as machine integers.
          const large = value < 0 ? -value : value;
          let high = Math.floor(large / LOW_RANGE) | 0;
          const low = (large - high * LOW_RANGE) | 0;
          bytes[at++] = MORE | (value < 0 ? NEGATIVE : 0) | (low & 63);
          bytes[at++] = MORE | ((low >> 6) & 127);
          bytes[at++] = MORE | ((low >> 13) & 127);
          bytes[at++] = MORE | (low >> 20);
          while (high > 127) {
            bytes[at++] = MORE | (high & 127);
            high >>= 7;
          }
          bytes[at++] = high;
          continue;
        }
        this.length = at;
        this.number(value);
        at = this.length;
        continue;
      }
      const sign = whole < 0 ? NEGATIVE : 0;
      let magnitude = whole < 0 ? -whole : whole;
      if (magnitude >= 0 && magnitude < 64) {
        bytes[at++] = sign | magnitude;
        continue;
      }
      bytes[at++] = MORE | sign | (magnitude & 63);
      magnitude >>>= 6;
      while (magnitude > 127) {
        bytes[at++] = MORE | (magnitude & 127);
        magnitude >>>= 7;
      }
      bytes[at++] = magnitude;
    }
    this.length = at;
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
    if (value.length <= SHORT_TEXT && this.ascii(value)) return;
    const encoded = encoder.encode(value);
    this.number(encoded.length);
    this.raw(encoded);
  }

  /** Keys and hashes, without an encoder. @returns false, and nothing is written, when it is not ASCII */
  private ascii(value: string): boolean {
    const begin = this.length;
    this.number(value.length);
    this.reserve(value.length);
    const { bytes } = this;
    let at = this.length;
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      if (code > 127) {
        this.length = begin;
        return false;
      }
      bytes[at++] = code;
    }
    this.length = at;
    return true;
  }

  raw(value: Uint8Array): void {
    this.reserve(value.length);
    this.bytes.set(value, this.length);
    this.length += value.length;
  }

  /** As `raw`, of a part. */
  copy(source: Uint8Array, from: number, to: number): void {
    const count = to - from;
    this.reserve(count);
    const { bytes, length } = this;
    // A call costs more than a few dozen bytes.
    if (count > FEW_BYTES) bytes.set(source.subarray(from, to), length);
    else for (let index = 0; index < count; index++) bytes[length + index] = source[from + index];
    this.length = length + count;
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
    // One byte or two, the most frequent, without a call. Beyond the end a byte is undefined, and none of these.
    const first = this.bytes[this.at];
    if (first < NEGATIVE) {
      this.at++;
      return first;
    }
    const second = this.bytes[this.at + 1];
    if (first >= MORE && second < MORE) {
      this.at += 2;
      const small = (first & 63) | (second << 6);
      return (first & NEGATIVE) === 0 ? small : -small;
    }
    return this.long();
  }

  private long(): number {
    const first = this.byte();
    if (first === FLOAT) return this.float();
    const { bytes } = this;
    let { at } = this;
    let byte = first;
    let magnitude = first & 63;
    // Beyond the end a byte is undefined, and counts as one that ends the number: `at` will tell.
    if (byte >= MORE) magnitude |= ((byte = bytes[at++]) & 127) << 6;
    if (byte >= MORE) magnitude |= ((byte = bytes[at++]) & 127) << 13;
    if (byte >= MORE) magnitude |= ((byte = bytes[at++]) & 127) << 20;
    if (byte >= MORE) {
      let high = 0;
      for (let shift = 0; byte >= MORE && shift < 28; shift += 7) high |= ((byte = bytes[at++]) & 127) << shift;
      if (byte >= MORE) throw new RangeError('a number is too long');
      magnitude += high * LOW_RANGE;
    }
    if (at > bytes.length) throw new RangeError('the bytes end too early');
    this.at = at;
    return (first & NEGATIVE) === 0 ? magnitude : -magnitude;
  }

  /** As `number`, into all of `values`. */
  numbers(values: Float64Array): void {
    const { bytes } = this;
    let { at } = this;
    for (let index = 0; index < values.length; index++) {
      const first = bytes[at];
      if (first < NEGATIVE) {
        values[index] = first;
        at++;
        continue;
      }
      // Two or three bytes, the most frequent of the longer ones; beyond the end a byte is undefined and none of these.
      const second = bytes[at + 1];
      if (first >= MORE && second < MORE) {
        const magnitude = (first & 63) | (second << 6);
        values[index] = (first & NEGATIVE) === 0 ? magnitude : -magnitude;
        at += 2;
        continue;
      }
      this.at = at;
      values[index] = this.number();
      at = this.at;
    }
    this.at = at;
  }

  /** Whether the next `count` numbers are these; reads on behind them when they are. */
  areNumbers(values: Float64Array, count: number): boolean {
    const { bytes } = this;
    let { at } = this;
    for (let index = 0; index < count; index++) {
      const value = values[index];
      const first = bytes[at];
      if (first < NEGATIVE) {
        if (first !== value) return false;
        at++;
        continue;
      }
      if (first === FLOAT) {
        this.at = at;
        if (!Object.is(this.number() + 0, value + 0)) return false;
        at = this.at;
        continue;
      }
      // A whole number, without a call. Beyond the end a byte is undefined, and counts as one that ends it: `at` will tell.
      let byte = first;
      let magnitude = first & 63;
      if (byte >= MORE) magnitude |= ((byte = bytes[++at]) & 127) << 6;
      if (byte >= MORE) magnitude |= ((byte = bytes[++at]) & 127) << 13;
      if (byte >= MORE) magnitude |= ((byte = bytes[++at]) & 127) << 20;
      if (byte >= MORE) {
        let high = 0;
        for (let shift = 0; byte >= MORE && shift < 28; shift += 7) high |= ((byte = bytes[++at]) & 127) << shift;
        if (byte >= MORE) return false;
        magnitude += high * LOW_RANGE;
      }
      if (((first & NEGATIVE) === 0 ? magnitude : -magnitude) !== value) return false;
      at++;
    }
    this.at = at;
    return true;
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
    // Most are empty: no call.
    if (this.bytes[this.at] === 0) {
      this.at++;
      return '';
    }
    const length = this.count();
    return length === 0 ? '' : decoder.decode(this.raw(length));
  }

  raw(length: number): Uint8Array {
    if (length > this.bytes.length - this.at) throw new RangeError('the bytes end too early');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}
