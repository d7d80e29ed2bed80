/** Operators set how far from the reference orders may stand, while the market trades. */
import { describe, expect, it } from 'vitest';
import { Engine } from '../engine.ts';
import { World, all, one, price } from '../test/world.ts';

class Banded extends World {
  readonly operator = this.company('operator');
  readonly seller = this.provider();
  readonly member = this.buyer();

  set(above: number, below: number, company = this.operator): string | undefined {
    return this.run({ type: 'setBands', company, above, below }).rejected;
  }
  /** List price is 3, the last trade was at 2. */
  traded(): this {
    this.ask(this.seller, 2, 1);
    this.bid(this.member, 2, 1);
    return this;
  }
}

describe('price bands', () => {
  it.each([
    ['the usual ones', undefined, 20.0001, 0.0019],
    ['narrow ones', [2_000_000, 500_000], 4.0001, 0.9999],
    ['the reference alone', [1_000_000, 1_000_000], 3.0001, 1.9999],
    ['wide ones', [400_000_000, 1], 800.0001, undefined],
  ] as const)('%s refuse what is beyond, and nothing else', (_name, bands, bid, ask) => {
    const world = new Banded().traded();
    if (bands !== undefined) expect(world.set(bands[0], bands[1])).toBeUndefined();
    const bidAt = (at: number) => world.bid(world.member, at, 0.01).rejected;
    const askAt = (at: number) => world.ask(world.seller, at, 0.01).rejected;
    expect([bidAt(bid), bidAt(bid - 0.0001)]).toEqual(['price_band', undefined]);
    if (ask !== undefined) expect([askAt(ask), askAt(ask + 0.0001)]).toEqual(['price_band', undefined]);
  });

  it('go by list price before the first trade', () => {
    const world = new Banded();
    world.set(1_500_000, 500_000);
    expect(world.bid(world.member, 4.5, 0.01).rejected).toBeUndefined();
    expect(world.bid(world.member, 4.5001, 0.01).rejected).toBe('price_band');
    expect(world.ask(world.seller, 1.4999, 0.01).rejected).toBe('price_band');
  });

  it('leave resting orders where they are, and bind an amendment', () => {
    const world = new Banded().traded();
    const { order } = one(world.ask(world.seller, 2.5, 1).events, 'orderAccepted');
    const bid = one(world.bid(world.member, 1, 1).events, 'orderAccepted').order;
    expect(all(world.run({ type: 'setBands', company: world.operator, above: 1_000_000, below: 900_000 }).events, 'orderDone')).toEqual([]);
    const amend = (at: number) => world.run({ type: 'amend', company: world.seller, order, price: price(at), quantity: 0 }).rejected;
    expect([amend(1.7999), amend(1.8)]).toEqual(['price_band', undefined]);
    expect(world.engine.query('order', { order: bid })).not.toBeNull();
  });

  it.each([
    ['a bid below the reference', 999_999, 1_000], ['no bound for asks', 10_000_000, 0], ['an ask below nothing', 10_000_000, -1], ['asks above the reference', 10_000_000, 1_000_001],
    ['a part of a millionth', 10_000_000.5, 1_000], ['too large a number', 2 ** 53, 1_000], ['no number', Number.NaN, 1_000], ['no number below', 10_000_000, Number.NaN],
  ])('are not set to %s', (_name, above, below) => {
    const world = new Banded();
    expect(world.set(above, below)).toBe('invalid_parameter');
    expect(world.engine.query('bands', {})).toEqual({ above: 10_000_000, below: 1_000 });
  });

  it('are set by operators alone', () => {
    const world = new Banded();
    for (const company of [world.seller, world.member, 999]) expect(world.set(2_000_000, 1_000, company)).toBe('not_authorized');
  });

  it('survive a snapshot, which does not name them before they were set', () => {
    const world = new Banded().traded();
    const headOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
    const before = world.engine.snapshot();
    expect(headOf(before)).not.toContain('"bands"');
    expect(headOf(Engine.restore(before).snapshot())).not.toContain('"bands"');
    world.set(2_000_000, 500_000);
    const hash = world.engine.stateHash();
    world.engine = Engine.restore(world.engine.snapshot());
    expect(world.engine.stateHash()).toBe(hash);
    expect(world.engine.query('market', {}).bands).toEqual({ above: 2_000_000, below: 500_000 });
    expect(world.bid(world.member, 4.0001, 0.01).rejected).toBe('price_band');
    expect(world.engine.checkInvariants().filter(({ ok }) => !ok)).toEqual([]);
  });
});
