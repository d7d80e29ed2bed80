/** Every order that was accepted, as it stands and as it ended. */
import { CANCEL_NEWEST, LIMIT, ORDER_TYPES, SELF_TRADE_PREVENTIONS, SIDES, TIMES_IN_FORCE } from '../../engine/vocabulary.ts';
import type { EngineEvent, EventOf } from '../../engine/events.ts';
import type { CommandEvents } from './commands_of.ts';
import { CopyBuffer } from './copy_buffer.ts';
import { SCHEMA } from './projection.ts';
import type { Projection, ProjectionWriter, Transaction } from './projection.ts';
import { RowBuffer } from './row_buffer.ts';
import type { Row } from './row_buffer.ts';

const TABLE = `${SCHEMA}.orders`;

/** What an order is from its entry on. Names are indexes into vocabulary.ts's lists, as the engine has them. */
const ENTRY = {
  order_id: 'bigint', sequence: 'bigint', place: 'smallint', company: 'int', market: 'int', hour: 'int', side: 'smallint', order_type: 'smallint',
  time_in_force: 'smallint', self_trade_prevention: 'smallint', post_only: 'boolean', cancel_on_disconnect: 'boolean', display_quantity: 'bigint',
  minimum_quantity: 'bigint', stop_price: 'bigint', expires_at: 'bigint', model: 'int', resale_of: 'bigint', client_order_id: 'text', accepted_at: 'bigint',
  // A block is of its first hour, up to before to_hour; of a single order that is 0. block_id: the sell block that an ask is of.
  block_id: 'bigint', to_hour: 'int', acceptance_ratio: 'int',
} as const;
/** What becomes of it. Steps, ticks, micro-CR; `reason` is empty until it has left the market. */
const STATE = {
  price: 'bigint', remaining: 'bigint', visible: 'bigint', filled: 'bigint', notional: 'bigint', fees: 'bigint', hold: 'bigint', status: 'text',
  reason: 'text', updated_at: 'bigint',
} as const;
const COLUMNS = { ...ENTRY, ...STATE } as const;
/** hidden: what fills have taken of the visible quantity since before the change. */
const CHANGE = { order_id: 'bigint', ...STATE, hidden: 'bigint' } as const;

const DEFINITION = `
  create table ${TABLE} (
    order_id bigint primary key, sequence bigint not null, place smallint not null, company int not null, market int not null, hour int not null,
    side smallint not null, order_type smallint not null, time_in_force smallint not null, self_trade_prevention smallint not null,
    post_only boolean not null, cancel_on_disconnect boolean not null, display_quantity bigint not null, minimum_quantity bigint not null,
    stop_price bigint not null, expires_at bigint not null, model int not null, resale_of bigint not null, client_order_id text not null,
    accepted_at bigint not null, block_id bigint not null, to_hour int not null, acceptance_ratio int not null, price bigint not null, remaining bigint not null, visible bigint not null, filled bigint not null,
    notional bigint not null, fees bigint not null, hold bigint not null, status text not null, reason text not null, updated_at bigint not null
  ) with (fillfactor = 80);
  create index orders_of_block on ${TABLE} (block_id) where block_id <> 0;
  create unique index orders_of_company on ${TABLE} (company, sequence, place);
  create index orders_by_client_id on ${TABLE} (company, client_order_id) where client_order_id <> '';
  -- Those still in the market: few, however many there have been.
  create index orders_open on ${TABLE} (company, sequence, place) where reason = '';
`;

const UPDATE = (given: string): string => `
  update ${TABLE} as o set
    price = coalesce(given.price, o.price), remaining = coalesce(given.remaining, o.remaining - given.filled), visible = coalesce(given.visible, o.visible - given.hidden),
    filled = o.filled + given.filled, notional = o.notional + given.notional, fees = o.fees + given.fees, hold = coalesce(given.hold, o.hold),
    status = coalesce(given.status, o.status), reason = coalesce(given.reason, o.reason), updated_at = given.updated_at
  from ${given} where o.order_id = given.order_id`;

/** Of an order that was there before: null where nothing changed; filled, notional and fees are what is added. filledAt: of the last fill, 0 without one. */
type Change = Row<typeof CHANGE> & { filled: number; notional: number; fees: number; hidden: number; filledAt: number };

type Entered = Row<typeof COLUMNS> & Change;

class OrdersWriter implements ProjectionWriter {
  private entered = new Map<number, Entered>();
  private changed = new Map<number, Change>();
  /** The sell blocks that asks in the market are of; read from the table before the first write. */
  private blocks: Map<number, number> | undefined;
  private readonly newAsks: { order: number; block: number }[] = [];
  private readonly leftAsks: number[] = [];
  private readonly inserts = new CopyBuffer(TABLE, COLUMNS);
  private readonly updates = new RowBuffer('orders_update', CHANGE, UPDATE);

  apply(command: CommandEvents): void {
    // A command may bring several orders in: a batch, or a block of asks. Their place among them makes a key.
    let place = 0;
    for (const event of command.events) {
      if (event.kind === 'orderAccepted') this.enter(event, command, place++);
      else if (event.kind === 'blockAccepted') this.enterBlock(event, command, place++);
      else if (event.kind === 'fill') this.fill(event, command.at);
      else this.change(event, command.at);
    }
  }

  private enter(event: EventOf<'orderAccepted'>, { sequence, at }: CommandEvents, place: number): void {
    const waits = event.orderType === 'stop' || event.orderType === 'stop_limit';
    this.entered.set(event.order, {
      order_id: event.order, sequence, place, company: event.company, market: event.market, hour: event.hour, side: SIDES.indexOf(event.side),
      order_type: ORDER_TYPES.indexOf(event.orderType), time_in_force: TIMES_IN_FORCE.indexOf(event.timeInForce),
      self_trade_prevention: SELF_TRADE_PREVENTIONS.indexOf(event.selfTradePrevention), post_only: event.postOnly,
      cancel_on_disconnect: event.cancelOnDisconnect, display_quantity: event.displayQuantity, minimum_quantity: event.minimumQuantity,
      stop_price: event.stopPrice, expires_at: event.expiresAt, model: event.model, resale_of: event.resaleOf, client_order_id: event.clientOrderId,
      accepted_at: at, block_id: 0, to_hour: 0, acceptance_ratio: 0, price: event.price, remaining: event.quantity, visible: 0, filled: 0, notional: 0, fees: 0, hold: event.hold,
      status: waits ? 'untriggered' : 'open', reason: '', updated_at: at, hidden: 0, filledAt: 0,
    });
  }

  /** A block's quantities are over all its hours. */
  private enterBlock(event: EventOf<'blockAccepted'>, { sequence, at }: CommandEvents, place: number): void {
    this.entered.set(event.block, {
      order_id: event.block, sequence, place, company: event.company, market: event.market, hour: event.fromHour, side: SIDES.indexOf(event.side), order_type: LIMIT,
      time_in_force: TIMES_IN_FORCE.indexOf(event.timeInForce), self_trade_prevention: CANCEL_NEWEST, post_only: false, cancel_on_disconnect: false,
      display_quantity: 0, minimum_quantity: 0, stop_price: 0, expires_at: 0, model: event.model, resale_of: 0, client_order_id: event.clientOrderId, accepted_at: at,
      block_id: 0, to_hour: event.toHour, acceptance_ratio: event.minimumAcceptanceRatio, price: event.price,
      remaining: event.quantity * (event.toHour - event.fromHour), visible: 0, filled: 0, notional: 0, fees: 0, hold: event.hold, status: 'open', reason: '',
      updated_at: at, hidden: 0, filledAt: 0,
    });
  }

  private changeOf(order: number, at: number): Change {
    const known = this.entered.get(order) ?? this.changed.get(order);
    if (known !== undefined) {
      known.updated_at = Math.max(known.updated_at ?? 0, at);
      return known;
    }
    const change: Change = {
      order_id: order, price: null, remaining: null, visible: null, filled: 0, notional: 0, fees: 0, hold: null, status: null, reason: null, updated_at: at, hidden: 0, filledAt: 0,
    };
    this.changed.set(order, change);
    return change;
  }

  private fill(event: EventOf<'fill'>, at: number): void {
    const maker = this.changeOf(event.maker, at);
    const taker = this.changeOf(event.taker, at);
    for (const order of [maker, taker]) {
      order.filled += event.quantity;
      order.filledAt = at;
      order.notional += event.price * event.quantity;
      order.status = 'partially_filled';
    }
    maker.remaining = event.makerRemaining;
    taker.remaining = event.takerRemaining;
    if (maker.visible === null) maker.hidden += event.quantity;
    else maker.visible -= event.quantity;
    const bid = event.takerSide === 'buy' ? taker : maker;
    bid.fees += event.fee;
    bid.hold = event.buyerHold;
  }

  private change(event: EngineEvent, at: number): void {
    switch (event.kind) {
      case 'orderRested':
        Object.assign(this.changeOf(event.order, at), { visible: event.visible, remaining: event.remaining });
        break;
      case 'orderReduced':
        Object.assign(this.changeOf(event.order, at), { visible: event.visible, remaining: event.remaining, hold: event.hold });
        break;
      case 'orderTriggered':
        this.changeOf(event.order, at).status = 'open';
        break;
      case 'orderAmended':
        Object.assign(this.changeOf(event.order, at), { price: event.price, remaining: event.remaining, hold: event.hold });
        break;
      case 'allocationResold':
        // A reseller's fee is taken from what the fill released.
        this.changeOf(event.order, at).fees += event.fee;
        break;
      case 'blockAsk': {
        const ask = this.entered.get(event.order);
        if (ask !== undefined) ask.block_id = event.block;
        this.newAsks.push({ order: event.order, block: event.block });
        break;
      }
      case 'blockExecuted':
        this.changeOf(event.block, at).hold = event.hold;
        break;
      case 'blockAskLeft':
        this.leftAsks.push(event.order);
        break;
      case 'orderDone':
        Object.assign(this.changeOf(event.order, at), { remaining: event.remaining, visible: 0, hold: 0, status: event.status, reason: event.reason });
        break;
    }
  }

  /** What an ask of a sell block has executed counts for the block too. */
  private async countForBlocks(transaction: Transaction): Promise<void> {
    this.blocks ??= await blocksOfAsks(transaction);
    for (const { order, block } of this.newAsks.splice(0)) this.blocks.set(order, block);
    if (this.blocks.size === 0) return;
    for (const asks of [this.entered, this.changed]) {
      // Blocks join what has changed meanwhile; none of them is an ask.
      for (const { order_id: ask, filled, notional, filledAt } of asks.values()) {
        const block = filled === 0 ? undefined : this.blocks.get(ask ?? 0);
        if (block !== undefined) this.countForBlock(this.changeOf(block, filledAt), filled, notional);
      }
    }
    for (const ask of this.leftAsks.splice(0)) this.blocks.delete(ask);
  }

  private countForBlock(block: Change, filled: number, notional: number): void {
    block.filled += filled;
    block.notional += notional;
    // What has ended says itself how, and what remains.
    if (block.reason !== null && block.reason !== '') return;
    block.status = 'partially_filled';
    if (block.remaining !== null) block.remaining -= filled;
  }

  async write(transaction: Transaction): Promise<void> {
    await this.countForBlocks(transaction);
    for (const order of this.entered.values()) this.inserts.add(order);
    for (const change of this.changed.values()) this.updates.add(change);
    this.entered = new Map();
    this.changed = new Map();
    await this.inserts.write(transaction);
    await this.updates.write(transaction);
  }
}

/** The asks of sell blocks that are in the market, and their blocks. */
async function blocksOfAsks(transaction: Transaction): Promise<Map<number, number>> {
  const { rows } = await transaction.query<{ order_id: string; block_id: string }>(`select order_id, block_id from ${TABLE} where block_id <> 0 and reason = ''`);
  return new Map(rows.map((row) => [Number(row.order_id), Number(row.block_id)]));
}

export const orders: Projection = { name: 'orders', version: 5, tables: ['orders'], definition: DEFINITION, open: () => new OrdersWriter() };
