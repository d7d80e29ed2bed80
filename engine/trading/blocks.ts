/**
 * Blocks: one order over consecutive hours, against the same hour books as single orders.
 *
 * A resting sell block is one independent ask per hour under one id. Everything else is all hours or
 * none, at one quantity in each: sell blocks that cannot wait, and buy blocks. A buy block that waits
 * holds its worst case, stands in no book and is tried after a command has added an ask in one of its
 * hours, the best price first, then the oldest; so a single order always goes first.
 */
import type { Block } from './block.ts';
import { BlockChecks } from './block_checks.ts';
import { BlockMatching } from './block_matching.ts';
import type { RejectCode } from '../catalogue.ts';
import { BUY, CANCEL_NEWEST, FOK, GTC, LIMIT, NONE, SELL, TIMES_IN_FORCE } from '../vocabulary.ts';
import type { PlaceBlock, PlaceOrder } from '../commands.ts';
import type { OrderId } from '../vocabulary.ts';
import type { CancelReason } from '../events.ts';
import { requiredHold } from './holds.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { REASON_FILLED, STATUS_FILLED, reasonCode } from '../book/order_events.ts';
import { FLAG, flagsOf } from '../book/orders.ts';
import { PARAMETERS } from '../parameters.ts';
import type { State } from '../state.ts';
import type { Market } from './markets.ts';
import { TIMER } from '../time/timers.ts';
import type { TradingHost } from './trading_host.ts';
import { WaitingBlocks } from './waiting_blocks.ts';
import { MILLIS_PER_HOUR } from '../numbers/units.ts';

export class Blocks {
  readonly waiting: WaitingBlocks;
  private readonly state: State;
  private readonly trading: TradingHost;
  private readonly checks: BlockChecks;
  private readonly matching: BlockMatching;

  constructor(state: State, trading: TradingHost) {
    this.state = state;
    this.trading = trading;
    this.checks = new BlockChecks(state, trading.checks);
    this.matching = new BlockMatching(state, trading);
    this.waiting = new WaitingBlocks(state);
  }

  /** @param isForeseen `foresee` has found nothing against it */
  place(command: PlaceBlock, isForeseen = false): RejectCode | undefined {
    const { state } = this;
    const template = templateOf(command);
    const refusal = isForeseen ? undefined : this.checks.refusal(command, template);
    if (refusal !== undefined) return refusal;
    const block = this.create(command, template);
    if (command.clientOrderId !== '') state.clientOrderIds.set(`${command.company}:${command.clientOrderId}`, state.now);
    if (block.side === SELL && block.timeInForce === GTC) this.offer(block, template);
    else this.enter(block);
    return undefined;
  }

  /** Why a block would be refused now. Changes nothing. */
  foresee(command: PlaceBlock): RejectCode | undefined {
    return this.checks.refusal(command, templateOf(command));
  }

  /** The block's own row gives it an id that no order has; a buy block's also keeps its hold. */
  private create(command: PlaceBlock, template: PlaceOrder): Block {
    const { state, trading } = this;
    const { orders } = state;
    const hours = command.toHour - command.fromHour;
    const row = orders.create();
    orders.setPrice(row, command.price);
    orders.setQuantity(row, command.quantity * hours);
    orders.setRemaining(row, command.quantity * hours);
    orders.setVisible(row, 0);
    orders.setCompany(row, command.company);
    orders.setBook(row, NIL);
    orders.setCell(row, NIL);
    orders.setModel(row, template.model);
    orders.setAcceptedAt(row, state.now);
    orders.setSequence(row, state.sequence);
    orders.setFlags(row, flagsOf(command.side === SELL, LIMIT, command.timeInForce, CANCEL_NEWEST) | FLAG.block);
    // Each property by its name: an object made by spreading another is a slow one for as long as it lives.
    const block: Block = {
      block: orders.idOf(row), company: command.company, market: command.market, fromHour: command.fromHour, toHour: command.toHour, side: command.side,
      price: command.price, quantity: command.quantity, timeInForce: command.timeInForce, minimumAcceptanceRatio: command.minimumAcceptanceRatio,
      model: template.model, clientOrderId: command.clientOrderId, acceptedAt: state.now, sequence: state.sequence, wanted: command.quantity, notional: 0, filled: 0,
      asks: [], asksLeft: 0, lacking: 0,
    };
    if (command.side === BUY) {
      const hold = requiredHold(command.price * command.quantity * hours, 0, 0, 0);
      if (trading.limits.concentration.isLimited(command.company, hold)) trading.limits.concentration.limit(row);
      const needed = this.matching.neededOf(block, row, hold);
      trading.drawFor(command.company, needed, command.toHour - 1);
      trading.reserve(row, command.company, needed, hold);
      trading.link(row);
    }
    state.blocks.set(block.block, block);
    const { block: id, company, market, fromHour, toHour, side, price, quantity, timeInForce, minimumAcceptanceRatio, model, clientOrderId } = block;
    state.buffer.emit('blockAccepted', {
      block: id, company, market, fromHour, toHour, side: side === BUY ? 'buy' : 'sell', price, quantity, timeInForce: TIMES_IN_FORCE[timeInForce],
      minimumAcceptanceRatio, model, hold: orders.hold(row), clientOrderId,
    });
    return block;
  }

  /** A sell block that may wait: an ask in each hour. */
  private offer(block: Block, template: PlaceOrder): void {
    const { state, trading } = this;
    block.asksLeft = block.toHour - block.fromHour;
    for (let hour = block.fromHour; hour < block.toHour; hour++) {
      const book = state.openBook(state.markets.get(block.market) as Market, hour);
      trading.admit({ ...template, hour, clientOrderId: '' }, book, block.price, block.block);
    }
  }

  /** An ask of a sell block has been accepted. */
  askAccepted(row: number, id: OrderId): void {
    const { orders, buffer, blocks } = this.state;
    const order = orders.idOf(row);
    blocks.get(id)?.asks.push(order);
    buffer.emit('blockAsk', { block: id, order });
  }

  /** An ask of a sell block leaves the market; with the last one goes the block. */
  askLeft(row: number, status: number, reason: number): void {
    const { state } = this;
    const { orders } = state;
    const block = state.blocks.get(orders.extra(row)?.block ?? 0);
    if (block === undefined) return;
    block.asks.splice(block.asks.indexOf(orders.idOf(row)), 1);
    block.asksLeft--;
    const filled = orders.quantity(row) - orders.remaining(row);
    block.filled += filled;
    block.notional += orders.notional(row);
    const remaining = block.quantity * (block.toHour - block.fromHour) - block.filled;
    state.buffer.emit('blockAskLeft', { block: block.block, order: orders.idOf(row), filled, notional: orders.notional(row), remaining });
    if (block.asksLeft > 0) return;
    const own = orders.rowOf(block.block);
    orders.setRemaining(own, remaining);
    const whole = remaining === 0;
    this.trading.events.done(own, whole ? STATUS_FILLED : status, whole ? REASON_FILLED : reason);
    this.forget(block);
    orders.destroy(own);
  }

  /** A block that executes at once or not at all, or a buy block that may wait. */
  private enter(block: Block): void {
    const row = this.state.orders.rowOf(block.block);
    this.matching.execute(block, row);
    if (this.isOver(block, row)) return;
    if (block.timeInForce !== GTC) {
      this.end(block, row, block.timeInForce === FOK ? 'fok' : 'ioc');
      return;
    }
    this.waiting.add(block);
    this.trading.blocksWait = true;
    this.state.timers.add(block.fromHour * MILLIS_PER_HOUR - PARAMETERS.gateClosure, TIMER.blockGate, block.block);
  }

  /** Ends a block of which nothing is left. */
  private isOver(block: Block, row: number): boolean {
    if (block.wanted > 0) return false;
    const { orders } = this.state;
    this.forget(block);
    if (block.side === BUY) {
      this.trading.filled(row);
    } else {
      this.trading.events.done(row, STATUS_FILLED, REASON_FILLED);
      orders.destroy(row);
    }
    return true;
  }

  /** Takes the block out of the market, wherever it waits. */
  cancel(row: number, reason: CancelReason): void {
    const block = this.state.blocks.get(this.state.orders.idOf(row));
    if (block === undefined) return;
    if (block.asksLeft === 0) this.end(block, row, reason);
    else for (const ask of [...block.asks]) this.trading.cancelRow(this.state.orders.rowOf(ask), reason);
  }

  private end(block: Block, row: number, reason: CancelReason): void {
    this.forget(block);
    if (block.side === BUY) {
      this.trading.drop(row, reason);
      return;
    }
    this.trading.events.done(row, this.trading.events.statusAfter(reason), reasonCode(reason));
    this.state.orders.destroy(row);
  }

  private forget(block: Block): void {
    this.state.blocks.delete(block.block);
    this.waiting.remove(block);
    this.trading.blocksWait = !this.waiting.isEmpty;
  }

  /** Tries the blocks that wait for what a command has added; what their trades let in is tried again. */
  run(): void {
    while (this.waiting.isTouched) {
      for (const block of this.waiting.concerned()) this.retry(block);
    }
  }

  private retry(block: Block): void {
    const row = this.state.orders.rowOf(block.block);
    // A block before it may have brought about that it was cancelled.
    if (row === NIL || !this.state.blocks.has(block.block)) return;
    this.matching.execute(block, row);
    this.isOver(block, row);
  }
}

/** The block as a single order, for the checks and for the asks of a resting sell block. */
const templateOf = (command: PlaceBlock): PlaceOrder => ({
  type: 'place', company: command.company, market: command.market, hour: command.fromHour, side: command.side, orderType: LIMIT, price: command.price,
  quantity: command.side === BUY ? command.quantity * (command.toHour - command.fromHour) : command.quantity, timeInForce: command.timeInForce, postOnly: false, displayQuantity: 0,
  minimumQuantity: 0, stopPrice: 0, expiresAt: 0, model: command.side === BUY ? command.model : NONE, resaleOf: 0, selfTradePrevention: CANCEL_NEWEST,
  cancelOnDisconnect: false, clientOrderId: command.clientOrderId,
});
