import type { BookListener } from '../book/lone_book.ts';

/** Writes down what a book tells. */
export function recorder(): { told: string[]; listener: BookListener } {
  const told: string[] = [];
  return {
    told,
    listener: {
      accepted: (id) => told.push(`accepted ${id}`),
      traded: (maker, taker, price, quantity) => told.push(`trade ${maker} ${taker} ${price} ${quantity}`),
      cancelled: (id, remaining, reason) => told.push(`cancelled ${id} ${remaining} ${reason}`),
      triggered: (id) => told.push(`triggered ${id}`),
      amended: (id, price, quantity, kept) => told.push(`amended ${id} ${price} ${quantity} ${kept}`),
      filled: (id) => told.push(`filled ${id}`),
    },
  };
}
