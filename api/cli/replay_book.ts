/**
 * `npm run replay -- --book`: operations on one book as JSON lines in, what happens as JSON lines out.
 * The exchange's own matcher without credit, capacity or bands; ticks and steps of any size.
 */
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { RejectCode } from '../../engine/catalogue.ts';
import { MARKET, ORDER_TYPES, SELF_TRADE_PREVENTIONS, STOP, TIMES_IN_FORCE } from '../../engine/commands.ts';
import { LoneBook } from '../../engine/lone_book.ts';
import type { BookOrder, DepthLevel } from '../../engine/lone_book.ts';
import { formatUnits } from '../../engine/units.ts';

export interface BookReplayOptions {
  /** Decimal strings. */
  tick: string;
  step: string;
  /** Levels of the book to print at the end; 0: none. */
  depth: number;
}

type Id = string | number;
type Operation = Record<string, unknown>;

const DECIMAL = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?$/;
/** Written in chunks: one write per line would be most of the time. */
const CHUNK_CHARACTERS = 1 << 16;

/** A unit of price or quantity: counts of it are whole numbers. */
class Unit {
  private readonly digits: bigint;
  private readonly places: number;
  private readonly offGrid: RejectCode;

  constructor(size: string, offGrid: RejectCode) {
    const match = DECIMAL.exec(size);
    if (match === null || match[1] !== '' || !/[1-9]/.test(size)) throw new Error(`a tick or step must be a positive decimal, got ${JSON.stringify(size)}`);
    this.places = match[3]?.length ?? 0;
    this.digits = BigInt(match[2] + (match[3] ?? ''));
    this.offGrid = offGrid;
  }

  /** How many units a decimal is, or why it is none. */
  count(value: unknown): number | RejectCode {
    const match = DECIMAL.exec(typeof value === 'number' ? String(value) : typeof value === 'string' ? value : '');
    if (match === null) return 'invalid_parameter';
    const fraction = match[3] ?? '';
    const places = Math.max(this.places, fraction.length);
    const digits = BigInt(match[2] + fraction.padEnd(places, '0'));
    const unit = this.digits * 10n ** BigInt(places - this.places);
    if (digits % unit !== 0n) return this.offGrid;
    const count = digits / unit;
    return match[1] === '-' || count > BigInt(Number.MAX_SAFE_INTEGER) ? 'amount_out_of_range' : Number(count);
  }

  format(count: number | bigint): string {
    return formatUnits(BigInt(count) * this.digits, this.places);
  }
}

/** Codes in the order in which they win over each other. */
const PRECEDENCE: readonly RejectCode[] = ['invalid_tick', 'invalid_step', 'amount_out_of_range', 'invalid_parameter'];

class BookReplay {
  private readonly price: Unit;
  private readonly quantity: Unit;
  private readonly write: (event: object) => void;
  private readonly book: LoneBook;
  private readonly numbers = new Map<Id, number>();
  private readonly ids: Id[] = [];
  private readonly owners = new Map<unknown, number>();
  private line = 0;

  constructor(options: BookReplayOptions, write: (event: object) => void) {
    this.price = new Unit(options.tick, 'invalid_tick');
    this.quantity = new Unit(options.step, 'invalid_step');
    this.write = write;
    this.book = new LoneBook({
      accepted: (id) => this.tell('accepted', { id: this.ids[id] }),
      traded: (maker, taker, price, quantity) => this.tell('trade', { maker: this.ids[maker], taker: this.ids[taker], price: this.price.format(price), quantity: this.quantity.format(quantity) }),
      cancelled: (id, remaining, reason) => this.tell('canceled', { id: this.ids[id], remaining: this.quantity.format(remaining), reason }),
      triggered: (id) => this.tell('triggered', { id: this.ids[id] }),
      amended: (id, price, quantity, kept) => this.tell('amended', { id: this.ids[id], price: this.price.format(price), quantity: this.quantity.format(quantity), kept_priority: kept }),
    });
  }

  private tell(event: string, fields: object): void {
    this.write({ line: this.line, event, ...fields });
  }

  run(line: number, text: string): void {
    this.line = line;
    const operation = parse(text);
    const code = operation === undefined ? 'invalid_parameter' : this.execute(operation);
    if (code !== undefined) this.tell('rejected', { id: operation?.['id'] ?? null, code });
  }

  private execute(operation: Operation): RejectCode | undefined {
    switch (operation['op']) {
      case 'add':
        return this.add(operation);
      case 'cancel':
        return this.book.cancel(this.numberOf(operation['id']));
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
        return 'invalid_parameter';
    }
  }

  /** The book's number of a client's id, a new one when it is new. */
  private numberOf(id: unknown): number {
    const key = typeof id === 'number' ? id : String(id);
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    const number = this.ids.push(key) - 1;
    this.numbers.set(key, number);
    return number;
  }

  /** An order without owner is its own. */
  private ownerOf(owner: unknown): number {
    const key = owner ?? Symbol('nobody');
    const known = this.owners.get(key) ?? this.owners.size;
    this.owners.set(key, known);
    return known;
  }

  private add(operation: Operation): RejectCode | undefined {
    const orderType = choice(ORDER_TYPES, operation['type'] ?? 'limit');
    const timeInForce = choice(TIMES_IN_FORCE, operation['time_in_force'] ?? 'gtc');
    const selfTradePrevention = choice(SELF_TRADE_PREVENTIONS, operation['self_trade_prevention'] ?? 'cancel_newest');
    const expiresAt = time(operation['expires_at'] ?? 0);
    const side = operation['side'];
    const unpriced = orderType === MARKET || orderType === STOP;
    const counts = {
      price: operation['price'] == null && unpriced ? 0 : this.price.count(operation['price']),
      stopPrice: operation['stop_price'] == null ? 0 : this.price.count(operation['stop_price']),
      quantity: this.quantity.count(operation['quantity']),
      displayQuantity: operation['display_quantity'] == null ? 0 : this.quantity.count(operation['display_quantity']),
      minimumQuantity: operation['minimum_quantity'] == null ? 0 : this.quantity.count(operation['minimum_quantity']),
    };
    const wrong = PRECEDENCE.find((code) => Object.values(counts).includes(code));
    if (wrong !== undefined) return wrong;
    if (orderType < 0 || timeInForce < 0 || selfTradePrevention < 0 || !(expiresAt >= 0) || (side !== 'buy' && side !== 'sell')) return 'invalid_parameter';
    return this.book.place({
      ...(counts as Record<keyof typeof counts, number>),
      id: this.numberOf(operation['id']), owner: this.ownerOf(operation['owner']), sell: side === 'sell', orderType, timeInForce, selfTradePrevention, expiresAt,
      postOnly: operation['post_only'] === true,
    } satisfies BookOrder);
  }

  private amend(operation: Operation): RejectCode | undefined {
    const price = operation['price'] == null ? 0 : this.price.count(operation['price']);
    const quantity = operation['quantity'] == null ? 0 : this.quantity.count(operation['quantity']);
    if (typeof price === 'string') return price;
    if (typeof quantity === 'string') return quantity;
    if ((operation['price'] != null && price === 0) || (operation['quantity'] != null && quantity === 0)) return 'amount_out_of_range';
    return this.book.amend(this.numberOf(operation['id']), price, quantity);
  }

  private advance(now: unknown): RejectCode | undefined {
    const at = time(now);
    if (!(at >= 0)) return 'invalid_parameter';
    this.book.advance(at);
    return undefined;
  }

  private uncross(reference: unknown): RejectCode | undefined {
    const price = reference == null ? 0 : this.price.count(reference);
    if (typeof price === 'string') return price;
    this.book.uncross(price);
    return undefined;
  }

  printDepth(levels: number): void {
    const side = (sell: boolean): unknown[] => this.book.depth(sell, levels).map((level: DepthLevel) => [this.price.format(level.price), this.quantity.format(level.quantity), level.orders]);
    this.write({ event: 'book', bids: side(false), asks: side(true) });
  }
}

function parse(text: string): Operation | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Operation) : undefined;
  } catch {
    return undefined;
  }
}

const choice = (names: readonly string[], name: unknown): number => names.indexOf(name as string);

/** Milliseconds of a time given as a number of them or as RFC 3339; NaN when it is neither. */
const time = (value: unknown): number => (typeof value === 'number' ? value : typeof value === 'string' ? (/^\d+$/.test(value) ? Number(value) : Date.parse(value)) : NaN);

/** Reads operations until the input ends. Resolves when all output is written. */
export async function replayBook(options: BookReplayOptions, input: Readable, output: Writable): Promise<void> {
  let chunk = '';
  const replay = new BookReplay(options, (event) => {
    chunk += `${JSON.stringify(event)}\n`;
  });
  const flush = async (): Promise<void> => {
    const text = chunk;
    chunk = '';
    if (text !== '' && !output.write(text)) await new Promise((resolve) => output.once('drain', resolve));
  };
  let line = 0;
  for await (const text of createInterface({ input, crlfDelay: Infinity })) {
    line++;
    if (text.trim() !== '') replay.run(line, text);
    if (chunk.length > CHUNK_CHARACTERS) await flush();
  }
  if (options.depth > 0) replay.printDepth(options.depth);
  await flush();
}
