/**
 * Command envelopes as bytes: what the journal keeps and what travels to the engine's thread.
 * The commands of the order path have fixed layouts; the others are JSON. A layout never changes
 * once written: a new one takes a new code.
 */
import { ByteReader, ByteWriter } from '../numbers/bytes.ts';
import type { AmendOrder, BatchOrders, CancelOrder, Capture, Command, Envelope, OrderCommand, PlaceOrder } from '../commands.ts';
import type { Side } from '../vocabulary.ts';

const FORMAT = 1;
const CODE = { json: 0, place: 1, cancel: 2, amend: 3, tick: 4, batch: 5, capture: 6, placeResale: 7, placeFrom: 8 } as const;
const POST_ONLY = 1;
const CANCEL_ON_DISCONNECT = 2;
/** Format and count. */
const HEADER_BYTES_MAX = 10;

/**
 * Envelopes, in order: format, count, then each with its key and body hash. Encoded where they come in,
 * they reach the journal as the same bytes.
 */
export class EnvelopeWriter {
  private readonly writer = new ByteWriter(1 << 12);
  count = 0;

  add(envelope: Envelope): void {
    const { writer } = this;
    const begin = writer.length;
    try {
      writeCommand(writer, envelope.command);
      writer.text(envelope.idempotencyKey);
      writer.text(envelope.bodyHash);
    } catch (error) {
      // What cannot be written leaves no part of itself to the others.
      writer.length = begin;
      throw error;
    }
    this.count++;
  }
  /** One that is encoded already: from `from` to `to` of what an EnvelopeWriter wrote. */
  copy(bytes: Uint8Array, from: number, to: number): void {
    this.writer.copy(bytes, from, to);
    this.count++;
  }
  clear(): void {
    this.writer.length = 0;
    this.count = 0;
  }
  /** All of them; it starts again. */
  take(): Uint8Array<ArrayBuffer> {
    const whole = new ByteWriter(HEADER_BYTES_MAX + this.writer.length);
    whole.byte(FORMAT);
    whole.number(this.count);
    whole.copy(this.writer.bytes, 0, this.writer.length);
    this.clear();
    // Its room was made for this alone: no copy.
    return whole.bytes.subarray(0, whole.length);
  }
}

export class EnvelopeReader {
  private readonly reader: ByteReader;
  readonly count: number;

  /** @throws RangeError, here and later, when the bytes are not what an EnvelopeWriter writes */
  constructor(bytes: Uint8Array) {
    this.reader = new ByteReader(bytes);
    const format = this.reader.byte();
    if (format !== FORMAT) throw new RangeError(`format ${format} of commands is not known`);
    this.count = this.reader.count();
  }

  /** Where the next one begins, and the last one ended. */
  get at(): number {
    return this.reader.at;
  }
  next(): Envelope {
    return { command: readCommand(this.reader), idempotencyKey: this.reader.text(), bodyHash: this.reader.text() };
  }
  end(): void {
    if (!this.reader.atEnd) throw new RangeError('bytes follow the last command');
  }
}

export function encodeEnvelopes(envelopes: readonly Envelope[]): Uint8Array<ArrayBuffer> {
  const writer = new EnvelopeWriter();
  for (const envelope of envelopes) writer.add(envelope);
  return writer.take();
}

/** @throws RangeError when the bytes are not what `encodeEnvelopes` writes */
export function decodeEnvelopes(bytes: Uint8Array): Envelope[] {
  const reader = new EnvelopeReader(bytes);
  const envelopes: Envelope[] = [];
  for (let left = reader.count; left > 0; left--) envelopes.push(reader.next());
  reader.end();
  return envelopes;
}

function writeCommand(writer: ByteWriter, command: Command): void {
  switch (command.type) {
    case 'place':
    case 'cancel':
    case 'amend':
      return writeOrderCommand(writer, command);
    case 'batch':
      return writeBatch(writer, command);
    case 'capture':
      return writeCapture(writer, command);
    case 'tick':
      writer.byte(CODE.tick);
      return writer.number(command.now);
    default:
      writer.byte(CODE.json);
      return writer.text(JSON.stringify(command));
  }
}

function readCommand(reader: ByteReader): Command {
  const code = reader.byte();
  switch (code) {
    case CODE.place:
    case CODE.cancel:
    case CODE.amend:
    case CODE.placeResale:
    case CODE.placeFrom:
      return readOrderCommand(reader, code);
    case CODE.batch:
      return readBatch(reader);
    case CODE.capture:
      return readCapture(reader);
    case CODE.tick:
      return { type: 'tick', now: reader.number() };
    case CODE.json:
      return JSON.parse(reader.text()) as Command;
    default:
      throw new RangeError(`code ${code} of a command is not known`);
  }
}

function writeOrderCommand(writer: ByteWriter, command: OrderCommand): void {
  if (command.type === 'place') {
    // A resale is an ask, a picked provider a bid's: no order has both.
    const { held, provider } = command;
    writer.byte(held !== undefined ? CODE.placeResale : provider !== undefined ? CODE.placeFrom : CODE.place);
    writePlace(writer, command);
    if (held !== undefined) writer.number(held);
    else if (provider !== undefined) writer.number(provider);
    return;
  }
  writer.byte(CODE[command.type]);
  writer.number(command.company);
  writer.number(command.order);
  if (command.type === 'cancel') return;
  writer.number(command.price);
  writer.number(command.quantity);
}

function readOrderCommand(reader: ByteReader, code: number): OrderCommand {
  if (code === CODE.place) return readPlace(reader);
  if (code === CODE.placeResale) return { ...readPlace(reader), held: reader.number() };
  if (code === CODE.placeFrom) return { ...readPlace(reader), provider: reader.number() };
  if (code === CODE.cancel) return { type: 'cancel', company: reader.number(), order: reader.number() } satisfies CancelOrder;
  if (code !== CODE.amend) throw new RangeError(`code ${code} is not that of an order command`);
  return { type: 'amend', company: reader.number(), order: reader.number(), price: reader.number(), quantity: reader.number() } satisfies AmendOrder;
}

function writePlace(writer: ByteWriter, command: PlaceOrder): void {
  writer.number(command.company);
  writer.number(command.market);
  writer.number(command.hour);
  writer.number(command.side);
  writer.number(command.orderType);
  writer.number(command.price);
  writer.number(command.quantity);
  writer.number(command.timeInForce);
  writer.byte((command.postOnly ? POST_ONLY : 0) | (command.cancelOnDisconnect ? CANCEL_ON_DISCONNECT : 0));
  writer.number(command.displayQuantity);
  writer.number(command.minimumQuantity);
  writer.number(command.stopPrice);
  writer.number(command.expiresAt);
  writer.number(command.model);
  writer.number(command.resaleOf);
  writer.number(command.selfTradePrevention);
  writer.text(command.clientOrderId);
}

function readPlace(reader: ByteReader): PlaceOrder {
  const company = reader.number();
  const market = reader.number();
  const hour = reader.number();
  const side = reader.number() as Side;
  const orderType = reader.number();
  const price = reader.number();
  const quantity = reader.number();
  const timeInForce = reader.number();
  const flags = reader.byte();
  return {
    type: 'place', company, market, hour, side, orderType, price, quantity, timeInForce,
    postOnly: (flags & POST_ONLY) !== 0,
    displayQuantity: reader.number(),
    minimumQuantity: reader.number(),
    stopPrice: reader.number(),
    expiresAt: reader.number(),
    model: reader.number(),
    resaleOf: reader.number(),
    selfTradePrevention: reader.number(),
    cancelOnDisconnect: (flags & CANCEL_ON_DISCONNECT) !== 0,
    clientOrderId: reader.text(),
  };
}

function writeBatch(writer: ByteWriter, command: BatchOrders): void {
  writer.byte(CODE.batch);
  writer.number(command.company);
  writer.number(command.operations.length);
  for (const operation of command.operations) writeOrderCommand(writer, operation);
}

function readBatch(reader: ByteReader): BatchOrders {
  const company = reader.number();
  const operations: OrderCommand[] = new Array(reader.count());
  for (let index = 0; index < operations.length; index++) operations[index] = readOrderCommand(reader, reader.byte());
  return { type: 'batch', company, operations };
}

function writeCapture(writer: ByteWriter, command: Capture): void {
  writer.byte(CODE.capture);
  writer.number(command.company);
  writer.number(command.allocation);
  writer.number(command.gpu);
  writer.text(command.request);
  writer.number(command.model);
  writer.number(command.promptTokens);
  writer.number(command.completionTokens);
  writer.text(JSON.stringify(command.detail));
}

function readCapture(reader: ByteReader): Capture {
  return {
    type: 'capture',
    company: reader.number(),
    allocation: reader.number(),
    gpu: reader.number(),
    request: reader.text(),
    model: reader.number(),
    promptTokens: reader.number(),
    completionTokens: reader.number(),
    detail: JSON.parse(reader.text()) as Capture['detail'],
  };
}
