import { describe, expect, it } from 'vitest';
import { LotAmounts, NIL, isWhole, wholeOf } from './lot_amounts.ts';

/** What a list consists of. */
function partsOf(amounts: LotAmounts, list: number, whole: number): [number, number][] {
  const parts: [number, number][] = [];
  for (let node = list; node !== NIL; node = amounts.next(node)) parts.push([amounts.lot(node), amounts.part(node, whole)]);
  return parts;
}

describe('a list that is all of one lot', () => {
  const WHOLE = 70;

  it('takes no node, whichever lot it is of', () => {
    const amounts = new LotAmounts(4);
    for (const lot of [0, 1, 2 ** 24 - 1]) {
      const list = wholeOf(lot);
      expect(isWhole(list)).toBe(true);
      expect(partsOf(amounts, list, WHOLE)).toEqual([[lot, WHOLE]]);
      expect(amounts.sum(list, WHOLE)).toBe(WHOLE);
      expect([amounts.contains(list, lot), amounts.contains(list, lot + 1)]).toEqual([true, false]);
    }
    amounts.dropAll(wholeOf(3));
    expect([amounts.used, amounts.free]).toEqual([0, NIL]);
    expect([isWhole(NIL), isWhole(0)]).toEqual([false, false]);
  });

  it('is divided as nodes, once', () => {
    const amounts = new LotAmounts(4);
    const list = amounts.divisible(wholeOf(5), WHOLE);
    expect(amounts.divisible(list, WHOLE)).toBe(list);
    const [kept, rest] = amounts.split(list, 30);
    expect([partsOf(amounts, kept, 0), partsOf(amounts, rest, 0)]).toEqual([[[5, 30]], [[5, 40]]]);
    amounts.dropAll(kept);
    amounts.dropAll(rest);
    expect(amounts.used).toBe(2);
    expect(amounts.divisible(NIL, 0)).toBe(NIL);
  });
});
