import { describe, expect, it } from 'vitest';
import type { Command, PlaceBlock, PlaceOrder } from '../commands.ts';
import { decodeEvents } from '../events.ts';
import type { EngineEvent } from '../events.ts';
import type { Foretelling } from '../queries.ts';
import { BUY, SELL } from '../vocabulary.ts';
import { Simulation } from './simulation.ts';
import { openBlocks } from '../test/open.ts';

const spendableOf = (simulation: Simulation, company: number): number =>
  simulation.engine.query('lots', { company }).reduce((sum, lot) => sum + Math.max(0, lot.available - lot.frozen), 0);

/** What came of the order, from its events and what stands in the market. */
function cameOf({ engine }: Simulation, { side, company }: PlaceOrder | PlaceBlock, events: readonly EngineEvent[]): Omit<Foretelling, 'spendable'> {
  const own = new Set(events.flatMap((event) => (event.kind === 'orderAccepted' ? [event.order] : event.kind === 'blockAccepted' ? [event.block] : [])));
  const fills = events.flatMap((event) => (event.kind === 'fill' && (own.has(event.maker) || own.has(event.taker)) ? [event] : []));
  const prices = fills.map(({ price }) => price);
  const orders = [...own].map((order) => engine.query('order', { order })).filter((view) => view !== null);
  const blocks = openBlocks(engine, company).filter(({ block }) => own.has(block));
  const drawn = events.findLast((event) => event.kind === 'facilityDrawn');
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  return {
    refusal: events.flatMap((event) => (event.kind === 'rejected' ? [event.code] : [])).at(0) ?? null,
    filled: sum(fills.map(({ quantity }) => quantity)),
    notional: sum(fills.map(({ price, quantity }) => price * quantity)),
    worst: prices.length === 0 ? 0 : side === SELL ? Math.min(...prices) : Math.max(...prices),
    fee: side === SELL ? 0 : sum(fills.map(({ fee }) => fee)),
    resting: sum(orders.map(({ remaining }) => remaining)) + sum(blocks.filter((block) => block.side === BUY).map((block) => block.quantity * (block.toHour - block.fromHour) - block.filled)),
    hold: sum(orders.map(({ hold }) => hold)) + sum(blocks.map(({ hold }) => hold)),
    draw: drawn === undefined ? null : { facility: drawn.facility, amount: drawn.amount },
  };
}

/** A life of the market in which every order is foretold before it is placed. */
class ForetoldLife extends Simulation {
  readonly differing: { command: Command; foretold: object; came: object }[] = [];
  told = 0;
  filled = 0;
  private readonly hashed: boolean;

  constructor(seed: number, hashed: boolean) {
    super(seed);
    this.hashed = hashed;
  }

  override run(command: Command): void {
    if (command.type !== 'place' && command.type !== 'placeBlock') return super.run(command);
    const before = this.hashed ? this.engine.stateHash() : '';
    const foretold = this.engine.query('foretell', { order: command });
    if (this.hashed) expect(this.engine.stateHash()).toBe(before);
    const spendable = spendableOf(this, command.company);
    this.take();
    super.run(command);
    const came = { ...cameOf(this, command, decodeEvents(this.take().batches[0])), spendable: { before: spendable, after: spendableOf(this, command.company) } };
    this.told++;
    if (came.filled > 0) this.filled++;
    if (JSON.stringify(Object.entries(came).sort()) !== JSON.stringify(Object.entries(foretold).sort())) this.differing.push({ command, foretold, came });
  }
}

describe('what is foretold of an order', () => {
  it.each([1, 2])('is what comes of it, in life %i', (seed) => {
    const life = new ForetoldLife(seed, seed === 1);
    const commands = seed === 1 ? 600 : 1_500;
    while (life.engine.sequence < commands && life.differing.length === 0) life.step();
    expect(life.differing).toEqual([]);
    expect(life.filled).toBeGreaterThan(20);
  });
});
