/**
 * `npm run replay -- --book`: operations on one book as JSON lines in, what happens as JSON lines out.
 * The exchange's own matcher without credit, capacity or bands; ticks and steps of any size.
 */
import type { Readable, Writable } from 'node:stream';
import type { RejectCode } from '../../engine/catalogue.ts';
import { MARKET, ORDER_TYPES, SELF_TRADE_PREVENTIONS, STOP, TIMES_IN_FORCE } from '../../engine/vocabulary.ts';
import { LoneBook } from '../../engine/book/lone_book.ts';
import type { BookOrder, DepthLevel } from '../../engine/book/lone_book.ts';
import { Unit } from './book_unit.ts';
import { LineWriter, eachLine } from './line_stream.ts';

export interface BookReplayOptions {
  /** Decimal strings. */
  tick: string;
  step: string;
  /** Levels of the book to print at the end; 0: none. */
  depth: number;
}

type Operation = Record<string, unknown>;

/** Codes in the order in which they win over each other. */
const PRECEDENCE: readonly RejectCode[] = ['invalid_tick', 'invalid_step', 'amount_out_of_range', 'invalid_parameter'];
const RAW_ID = /"id"\s*:\s*(-?[0-9][0-9.eE+-]*)/;

class BookReplay {
  private readonly price: Unit;
  private readonly quantity: Unit;
  private readonly write: (line: string) => void;
  /** Tells a person what is wrong with a line. */
  private readonly complain: (line: number, what: string) => void;
  private readonly book: LoneBook;
  /** The book's numbers of the orders in it, by the client's id as JSON; numbers are used again. */
  private readonly numbers = new Map<string, number>();
  private readonly ids: string[] = [];
  private readonly unused: number[] = [];
  private readonly owners = new Map<unknown, number>();
  private owned = 0;
  private line = 0;
  private text = '';
  /** Lines that are no operation at all: the input is damaged. */
  unreadable = 0;

  constructor(options: BookReplayOptions, write: (line: string) => void, complain: (line: number, what: string) => void) {
    this.price = new Unit(options.tick, 'invalid_tick');
    this.quantity = new Unit(options.step, 'invalid_step');
    this.write = write;
    this.complain = complain;
    this.book = new LoneBook({
      accepted: (id) => this.tell('accepted', `"id":${this.ids[id]}`),
      traded: (maker, taker, price, quantity) =>
        this.tell('trade', `"maker":${this.ids[maker]},"taker":${this.ids[taker]},"price":"${this.price.format(price)}","quantity":"${this.quantity.format(quantity)}"`),
      cancelled: (id, remaining, reason) => {
        this.tell('canceled', `"id":${this.ids[id]},"remaining":"${this.quantity.format(remaining)}","reason":"${reason}"`);
        this.forget(id);
      },
      triggered: (id) => this.tell('triggered', `"id":${this.ids[id]}`),
      amended: (id, price, quantity, kept) =>
        this.tell('amended', `"id":${this.ids[id]},"price":${price === 0 ? 'null' : `"${this.price.format(price)}"`},"quantity":"${this.quantity.format(quantity)}","kept_priority":${kept}`),
      filled: (id) => this.forget(id),
    });
  }

  private tell(event: string, fields: string): void {
    this.write(`{"line":${this.line},"event":"${event}",${fields}}`);
  }

  /** @param text undefined when the line's bytes are not UTF-8 */
  run(line: number, text: string | undefined): void {
    this.line = line;
    this.text = text ?? '';
    const operation = text === undefined ? 'it is not UTF-8' : parsed(text);
    if (typeof operation === 'string') {
      this.unreadable++;
      this.complain(line, operation);
      return this.tell('rejected', '"id":null,"code":"invalid_parameter"');
    }
    const code = this.execute(operation);
    if (code !== undefined) this.tell('rejected', `"id":${this.keyOf(operation['id'])},"code":"${code}"`);
  }

  private execute(operation: Operation): RejectCode | undefined {
    switch (operation['op']) {
      case 'add':
        return this.add(operation);
      case 'cancel': {
        const number = this.numbers.get(this.keyOf(operation['id']));
        return number === undefined ? 'unknown_order' : this.book.cancel(number);
      }
      case 'amend':
        return this.amend(operation);
      case 'time':
        return this.advance(operation['now']);
      case 'auction_start':
        this.book.startAuction();
        return undefined;
      case 'auction_uncross':
        return this.uncross(operation['reference']);
      default:
        return this.malformed(`op is one of add, cancel, amend, time, auction_start, auction_uncross, got ${JSON.stringify(operation['op'])}`);
    }
  }

  private malformed(what: string): RejectCode {
    this.complain(this.line, what);
    return 'invalid_parameter';
  }

  /** A client's id as it was written: whole numbers too large for JavaScript are taken from the text. */
  private keyOf(id: unknown): string {
    if (typeof id === 'number') return Number.isSafeInteger(id) ? String(id) : (RAW_ID.exec(this.text)?.[1] ?? String(id));
    return id === undefined ? 'null' : JSON.stringify(id);
  }

  private remember(key: string): number {
    const number = this.unused.pop() ?? this.ids.length;
    this.ids[number] = key;
    this.numbers.set(key, number);
    return number;
  }

  private forget(number: number): void {
    this.numbers.delete(this.ids[number]);
    this.unused.push(number);
  }

  /** An order without owner is its own. */
  private ownerOf(owner: unknown): number {
    if (owner === undefined || owner === null) return this.owned++;
    let known = this.owners.get(owner);
    if (known === undefined) this.owners.set(owner, (known = this.owned++));
    return known;
  }

  private optional(unit: Unit, value: unknown): number | RejectCode {
    return value === undefined || value === null ? 0 : unit.count(value);
  }

  private add(operation: Operation): RejectCode | undefined {
    const { type, time_in_force: inForce, self_trade_prevention: prevention, side, id } = operation;
    const orderType = choice(ORDER_TYPES, type, 0);
    const timeInForce = choice(TIMES_IN_FORCE, inForce, 0);
    const selfTradePrevention = choice(SELF_TRADE_PREVENTIONS, prevention, 0);
    const expiresAt = time(operation['expires_at'] ?? 0);
    const unpriced = orderType === MARKET || orderType === STOP;
    const price = unpriced ? this.optional(this.price, operation['price']) : this.price.count(operation['price']);
    const quantity = this.quantity.count(operation['quantity']);
    const stopPrice = this.optional(this.price, operation['stop_price']);
    const displayQuantity = this.optional(this.quantity, operation['display_quantity']);
    const minimumQuantity = this.optional(this.quantity, operation['minimum_quantity']);
    if (typeof price === 'string' || typeof quantity === 'string' || typeof stopPrice === 'string' || typeof displayQuantity === 'string' || typeof minimumQuantity === 'string') {
      return this.firstOf(price, stopPrice, quantity, displayQuantity, minimumQuantity);
    }
    if (side !== 'buy' && side !== 'sell') return this.malformed(`side is "buy" or "sell", got ${JSON.stringify(side)}`);
    if (orderType < 0) return this.malformed(`type is one of ${ORDER_TYPES.join(', ')}`);
    if (timeInForce < 0) return this.malformed(`time_in_force is one of ${TIMES_IN_FORCE.join(', ')}`);
    if (selfTradePrevention < 0) return this.malformed(`self_trade_prevention is one of ${SELF_TRADE_PREVENTIONS.join(', ')}`);
    if (!(expiresAt >= 0)) return this.malformed('expires_at is a number or a time');
    const key = this.keyOf(id);
    if (key === 'null') return this.malformed('an order needs an id');
    // One that is in the book is asked of it too: what an amount is refused for comes first.
    const known = this.numbers.get(key);
    const number = known ?? this.remember(key);
    const code = this.book.place({
      id: number, owner: this.ownerOf(operation['owner']), sell: side === 'sell', orderType, price, quantity, timeInForce, postOnly: operation['post_only'] === true,
      displayQuantity, minimumQuantity, stopPrice, selfTradePrevention, expiresAt,
    } satisfies BookOrder);
    if (code !== undefined && known === undefined) this.forget(number);
    return code;
  }

  private firstOf(...counts: (number | RejectCode)[]): RejectCode {
    const code = PRECEDENCE.find((name) => counts.includes(name)) ?? 'invalid_parameter';
    return code === 'invalid_parameter' ? this.malformed('prices and quantities are decimals') : code;
  }

  private amend(operation: Operation): RejectCode | undefined {
    const price = this.optional(this.price, operation['price']);
    const quantity = this.optional(this.quantity, operation['quantity']);
    if (typeof price === 'string' || typeof quantity === 'string') return this.firstOf(price, quantity);
    if ((operation['price'] != null && price === 0) || (operation['quantity'] != null && quantity === 0)) return 'amount_out_of_range';
    const number = this.numbers.get(this.keyOf(operation['id']));
    return number === undefined ? 'unknown_order' : this.book.amend(number, price, quantity);
  }

  private advance(now: unknown): RejectCode | undefined {
    const at = time(now);
    if (!(at >= 0)) return this.malformed('now is a number or a time');
    this.book.advance(at);
    return undefined;
  }

  private uncross(reference: unknown): RejectCode | undefined {
    const price = reference === undefined || reference === null ? 0 : this.price.position(reference);
    if (typeof price === 'string') return this.firstOf(price);
    this.book.uncross(price);
    return undefined;
  }

  printDepth(levels: number): void {
    const side = (sell: boolean): unknown[] => this.book.depth(sell, levels).map((level: DepthLevel) => [this.price.format(level.price), this.quantity.format(level.quantity), level.orders]);
    this.write(JSON.stringify({ event: 'book', bids: side(false), asks: side(true) }));
  }
}

const choice = (names: readonly string[], name: unknown, otherwise: number): number => (name === undefined || name === null ? otherwise : names.indexOf(name as string));

/** A time given as a number or as RFC 3339; NaN when it is neither. Numbers may count anything, as long as all do. */
function time(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return NaN;
  return /^\d+(\.\d+)?$/.test(value) ? Number(value) : Date.parse(value);
}

/** The operation that a line is, or what is wrong with it. */
function parsed(text: string): Operation | string {
  try {
    const operation: unknown = JSON.parse(text);
    return typeof operation === 'object' && operation !== null && !Array.isArray(operation) ? (operation as Operation) : 'an operation is a JSON object';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * Reads operations until the input ends. Resolves when all output is written.
 * @returns how many lines were no operation
 */
export async function replayBook(options: BookReplayOptions, input: Readable, output: Writable, complain: (line: number, what: string) => void = () => undefined): Promise<number> {
  const writer = new LineWriter(output);
  const replay = new BookReplay(options, (line) => writer.write(line), complain);
  const run = (text: string | undefined, line: number): void => {
    if (text?.trim() !== '') replay.run(line, text);
  };
  try {
    await eachLine(input, run, () => writer.pace());
    if (options.depth > 0) replay.printDepth(options.depth);
  } finally {
    await writer.flush();
  }
  return replay.unreadable;
}
