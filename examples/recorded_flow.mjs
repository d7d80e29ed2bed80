/**
 * Recorded order flow of an exchange as operations of a lone book, and whether the replay executes what was executed:
 *
 *   node examples/recorded_flow.mjs lobster MESSAGES.csv > ops.jsonl
 *   node examples/recorded_flow.mjs itch FILE AAPL > ops.jsonl
 *   npm run -s replay -- --book --step 1 < ops.jsonl > events.jsonl
 *   node examples/recorded_flow.mjs compare ops.jsonl events.jsonl
 *
 * LOBSTER: the columns of its message files. ITCH: Nasdaq TotalView-ITCH 5.0, each message behind its length in two bytes, as
 * Nasdaq's daily files have them (unpacked). Such flow tells of an execution by the order that rested: here it is an
 * immediate-or-cancel order at that order's price, and `expects` says whom it must meet. Executions of hidden orders, and orders
 * from before the file begins, have nobody to meet and are left out.
 */
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

const PRICE_PLACES = 4;
const decimal = (units) => {
  const digits = String(units).padStart(PRICE_PLACES + 1, '0');
  return `${digits.slice(0, -PRICE_PLACES)}.${digits.slice(-PRICE_PLACES)}`;
};

/** Keeps what rests, for flow that tells by how much an order shrinks or who executed. */
class Flow {
  resting = new Map();
  takers = 0;
  leftOut = 0;

  *add(id, side, quantity, price) {
    this.resting.set(id, { side, quantity, price });
    yield { op: 'add', id, side, type: 'limit', price: decimal(price), quantity: String(quantity), time_in_force: 'gtc' };
  }

  *reduce(id, by) {
    const order = this.resting.get(id);
    if (order === undefined) this.leftOut++;
    else if (by >= order.quantity) yield* this.cancel(id);
    else yield { op: 'amend', id, quantity: String((order.quantity -= by)) };
  }

  *cancel(id) {
    if (this.resting.delete(id)) yield { op: 'cancel', id };
    else this.leftOut++;
  }

  *execute(id, quantity) {
    const order = this.resting.get(id);
    if (order === undefined) {
      this.leftOut++;
      return;
    }
    order.quantity -= quantity;
    if (order.quantity <= 0) this.resting.delete(id);
    const side = order.side === 'buy' ? 'sell' : 'buy';
    yield { op: 'add', id: `x${++this.takers}`, side, type: 'limit', price: decimal(order.price), quantity: String(quantity), time_in_force: 'ioc', expects: id };
  }
}

/** Columns: time, type, order, size, price in 1/10000, direction of the order that rests. */
async function* lobster(flow, file) {
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const [, type, id, size, price, direction] = line.split(',');
    const act = {
      1: () => flow.add(id, direction.trim() === '1' ? 'buy' : 'sell', Number(size), Number(price)), 2: () => flow.reduce(id, Number(size)), 3: () => flow.cancel(id),
      4: () => flow.execute(id, Number(size)),
    }[type];
    if (act === undefined) flow.leftOut += line.trim() === '' ? 0 : 1;
    else yield* act();
  }
}

/** Messages of all stocks, each the bytes after its length. */
async function* itchMessages(file) {
  let rest = Buffer.alloc(0);
  for await (const chunk of createReadStream(file)) {
    rest = Buffer.concat([rest, chunk]);
    let at = 0;
    for (; at + 2 <= rest.length && at + 2 + rest.readUInt16BE(at) <= rest.length; at += 2 + rest.readUInt16BE(at)) yield rest.subarray(at + 2, at + 2 + rest.readUInt16BE(at));
    rest = rest.subarray(at);
  }
}

/** Places of the fields by the specification: type 0, stock's number 1, order 11, then what the type has. */
async function* itch(flow, file, stock) {
  let number;
  for await (const message of itchMessages(file)) {
    const type = String.fromCharCode(message[0]);
    if (type === 'R' && message.toString('latin1', 11, 19).trim() === stock) number = message.readUInt16BE(1);
    if (message.readUInt16BE(1) !== number) continue;
    const id = () => String(message.readBigUInt64BE(11));
    const side = () => (message[19] === 0x42 ? 'buy' : 'sell');
    if (type === 'A' || type === 'F') yield* flow.add(id(), side(), message.readUInt32BE(20), message.readUInt32BE(32));
    else if (type === 'E' || type === 'C') yield* flow.execute(id(), message.readUInt32BE(19));
    else if (type === 'X') yield* flow.reduce(id(), message.readUInt32BE(19));
    else if (type === 'D') yield* flow.cancel(id());
    else if (type === 'U') {
      const replaced = flow.resting.get(id());
      if (replaced === undefined) {
        flow.leftOut++;
        continue;
      }
      yield* flow.cancel(id());
      yield* flow.add(String(message.readBigUInt64BE(19)), replaced.side, message.readUInt32BE(27), message.readUInt32BE(31));
    } else if (type === 'P') flow.leftOut++;
  }
}

async function convert(read, ...from) {
  const flow = new Flow();
  for await (const operation of read(flow, ...from)) {
    if (!process.stdout.write(`${JSON.stringify(operation)}\n`)) await once(process.stdout, 'drain');
  }
  if (flow.leftOut > 0) console.error(`${flow.leftOut} messages left out: of hidden orders, of earlier ones, or of no order`);
}

const jsonLines = async function* (file) {
  for await (const line of createInterface({ input: createReadStream(file) })) if (line !== '') yield JSON.parse(line);
};

async function compare(operations, events) {
  const expected = new Map();
  let number = 0;
  for await (const { expects, quantity } of jsonLines(operations)) {
    number++;
    if (expects !== undefined) expected.set(number, `${expects} ${quantity}`);
  }
  const executed = new Map();
  for await (const { event, line, maker, quantity } of jsonLines(events)) {
    if (event === 'trade') executed.set(line, [...(executed.get(line) ?? []), `${maker} ${quantity}`]);
  }
  const differing = [...new Set([...expected.keys(), ...executed.keys()])].filter((line) => executed.get(line)?.join(', ') !== expected.get(line));
  for (const line of differing.slice(0, 10)) console.log(`line ${line}: recorded ${expected.get(line) ?? 'no execution'}, replayed ${executed.get(line)?.join(', ') ?? 'none'}`);
  console.log(`${expected.size} executions recorded, ${differing.length} differ`);
  process.exitCode = differing.length === 0 ? 0 : 1;
}

const [what, ...files] = process.argv.slice(2);
const modes = { lobster: () => convert(lobster, ...files), itch: () => convert(itch, ...files), compare: () => compare(...files) };
if (modes[what] === undefined || files.length !== (what === 'lobster' ? 1 : 2)) {
  console.error('usage: recorded_flow.mjs lobster MESSAGES.csv | itch FILE STOCK | compare OPS EVENTS');
  process.exitCode = 1;
} else await modes[what]();
