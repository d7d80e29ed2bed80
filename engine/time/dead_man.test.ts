/** The dead-man timer is the market's: it goes off at its engine time, whatever became of the process that armed it. */
import { describe, expect, it } from 'vitest';
import { NONE, STOP_LIMIT } from '../vocabulary.ts';
import { Engine } from '../engine.ts';
import { HOUR, World, all, gpuHours, one, price } from '../test/world.ts';
import type { Result } from '../test/world.ts';
import { openOrders } from '../test/open.ts';

class Trader extends World {
  readonly seller = this.provider();
  readonly member = this.buyer(500_000);

  arm(seconds: number): Result {
    return this.run({ type: 'cancelAfter', company: this.member, after: seconds * 1_000 });
  }
  pass(seconds: number): Result {
    return this.run({ type: 'tick', now: this.engine.now + seconds * 1_000 });
  }
  restart(): void {
    this.engine = Engine.restore(this.engine.snapshot());
  }
  /** An order, a stop and a block of the member; the seller's order is nobody else's to cancel. */
  enter(): void {
    this.ask(this.seller, 3, 10);
    this.bid(this.member, 2, 10);
    this.bid(this.member, 2.9, 10, { orderType: STOP_LIMIT, stopPrice: price(2.8) });
    this.run({
      type: 'placeBlock', company: this.member, market: 0, fromHour: HOUR, toHour: HOUR + 3, side: 0, price: price(1), quantity: gpuHours(1), timeInForce: 0, minimumAcceptanceRatio: 0,
      model: NONE, clientOrderId: '',
    });
  }
}

describe('the dead-man timer', () => {
  it('goes off after a restart, and takes orders, stops and blocks with it', () => {
    const world = new Trader();
    world.enter();
    world.arm(60);
    world.restart();
    expect(all(world.pass(59).events, 'orderDone')).toEqual([]);
    world.restart();
    const gone = all(world.pass(1).events, 'orderDone');
    expect(gone.map(({ status, reason }) => [status, reason])).toEqual(Array.from({ length: 3 }, () => ['canceled', 'dead_man']));
    expect(world.engine.query('balances', { company: world.member }).held).toBe(0);
    expect(openOrders(world.engine, world.seller)).toHaveLength(1);
    expect(all(world.pass(3_600).events, 'orderDone')).toEqual([]);
    expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  });

  it('begins anew with each call, and is disarmed by zero', () => {
    const world = new Trader();
    world.enter();
    world.arm(60);
    world.pass(50);
    world.arm(60);
    world.restart();
    expect(all(world.pass(59).events, 'orderDone')).toEqual([]);
    world.arm(0);
    world.restart();
    expect(all(world.pass(600).events, 'orderDone')).toEqual([]);
    world.arm(1);
    expect(all(world.pass(1).events, 'orderDone')).toHaveLength(3);
    expect(one(world.bid(world.member, 2, 1).events, 'orderRested').remaining).toBe(gpuHours(1));
  });
});
