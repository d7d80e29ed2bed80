/** A batch of events as the journal keeps it. The same batch always gives the same bytes, so that replay can compare them. */
import { ByteReader, ByteWriter } from '../numbers/bytes.ts';
import type { EventBatch } from '../events.ts';

const FORMAT = 1;
/** Kept from batch to batch: what it has grown to is needed again. */
const writer = new ByteWriter(1 << 16);

export function encodeEvents(batch: EventBatch): Uint8Array<ArrayBuffer> {
  write(batch);
  return writer.take();
}

/** As `encodeEvents`, without a copy: good until anything else is encoded. */
export function encodedInPlace(batch: EventBatch): Uint8Array {
  write(batch);
  const { bytes, length } = writer;
  writer.length = 0;
  return bytes.subarray(0, length);
}

function write({ words, texts }: EventBatch): void {
  writer.byte(FORMAT);
  writer.number(words.length);
  writer.numbers(words, words.length);
  // The first text is always empty and not written.
  writer.number(texts.length - 1);
  for (let index = 1; index < texts.length; index++) writer.text(texts[index]);
}

/** @throws RangeError when the bytes are not what `encodeEvents` writes */
export function decodeEventBytes(bytes: Uint8Array): EventBatch {
  const reader = new ByteReader(bytes);
  const format = reader.byte();
  if (format !== FORMAT) throw new RangeError(`format ${format} of events is not known`);
  const words = new Float64Array(reader.count());
  reader.numbers(words);
  const texts = [''];
  for (let left = reader.count(); left > 0; left--) texts.push(reader.text());
  if (!reader.atEnd) throw new RangeError('bytes follow the last event');
  return { words, texts };
}

/** Whether the bytes are what `encodeEvents` writes of what was collected, without writing it. */
export function areEvents(bytes: Uint8Array, { words, length, texts }: EventBatch & { length: number }): boolean {
  try {
    const reader = new ByteReader(bytes);
    if (reader.byte() !== FORMAT || reader.count() !== length || !reader.areNumbers(words, length)) return false;
    if (reader.count() !== texts.length - 1) return false;
    for (let index = 1; index < texts.length; index++) if (reader.text() !== texts[index]) return false;
    return reader.atEnd;
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return false;
    throw error;
  }
}
