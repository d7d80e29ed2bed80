/** What a block would do to the books of its hours: one quantity in each, the largest that every hour has and whose average keeps the limit. */
import { leastAccepted } from '../../engine/book/block_plan.ts';
import type { PlaceBlock } from '../../engine/commands.ts';
import { BUY, FOK, GTC, SELL } from '../../engine/vocabulary.ts';
import type { Maker, Walk } from './preview.ts';

export type Terms = Pick<PlaceBlock, 'side' | 'price' | 'quantity' | 'timeInForce' | 'minimumAcceptanceRatio'>;
type Taken = Pick<Walk, 'filled' | 'notional' | 'worst'>;

/** A block passes over its own group, and over orders that still have a minimum to meet. */
const open = (makers: readonly Maker[]): Maker[] => makers.filter(({ own, minimum }) => !own && minimum === 0);

/** The best `steps` of one hour. */
function take(makers: readonly Maker[], steps: number, reaches: (price: number) => boolean = () => true): Taken {
  const taken = { filled: 0, notional: 0n, worst: 0 };
  for (const { price, quantity } of makers) {
    if (taken.filled === steps || !reaches(price)) break;
    const part = Math.min(quantity, steps - taken.filled);
    taken.filled += part;
    taken.notional += BigInt(price) * BigInt(part);
    taken.worst = price;
  }
  return taken;
}

function sumOf(parts: readonly Taken[], side: number): Taken {
  const worst = (one: number, other: number): number => (one === 0 ? other : other === 0 ? one : side === BUY ? Math.max(one, other) : Math.min(one, other));
  return parts.reduce((sum, part) => ({ filled: sum.filled + part.filled, notional: sum.notional + part.notional, worst: worst(sum.worst, part.worst) }), { filled: 0, notional: 0n, worst: 0 });
}

/** @param hours what stands opposite in each hour, by price, then time */
export function walkBlock(block: Terms, hours: readonly (readonly Maker[])[]): Walk {
  const { side, price, quantity, timeInForce } = block;
  const books = hours.map(open);
  const whole = quantity * hours.length;
  if (side === SELL && timeInForce === GTC) {
    const sold = sumOf(books.map((makers) => take(makers, quantity, (bid) => bid >= price)), side);
    return { ...sold, resting: whole - sold.filled, refusal: undefined };
  }
  const at = (steps: number): Taken => sumOf(books.map((makers) => take(makers, steps)), side);
  const keepsLimit = (steps: number): boolean => {
    const limit = BigInt(price) * BigInt(steps) * BigInt(hours.length);
    const { filled, notional } = at(steps);
    return filled === steps * hours.length && (side === BUY ? notional <= limit : notional >= limit);
  };
  // The more is taken, the worse its average: the largest quantity is found by halving.
  let most = 0;
  for (let beyond = quantity + 1; beyond - most > 1; ) {
    const middle = Math.floor((most + beyond) / 2);
    if (keepsLimit(middle)) most = middle;
    else beyond = middle;
  }
  const least = timeInForce === FOK ? quantity : leastAccepted(quantity, block.minimumAcceptanceRatio);
  const taken = most < least ? { filled: 0, notional: 0n, worst: 0 } : at(most);
  return { ...taken, resting: timeInForce === GTC ? whole - taken.filled : 0, refusal: undefined };
}
