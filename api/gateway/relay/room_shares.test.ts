import { expect, test } from 'vitest';
import { shareOf } from './room_shares.ts';

const need = (wanted: number, taken = 0) => ({ taken, wanted });

test.each([
  ['alone it has all', need(5), [], 32],
  ['nobody wants anything', need(0), [need(0)], 16],
  ['the other leaves all', need(40), [need(0)], 32],
  ['both want all', need(40), [need(40)], 16],
  ['the other wants little', need(40), [need(4)], 28],
  ['what is left over is shared', need(20), [need(4)], 24],
  ['of three, one wants little', need(40), [need(2), need(99)], 15],
  ['it wants little itself', need(2), [need(40), need(40)], 2],
  ['the other has taken more than its part', need(40, 3), [need(40, 29)], 3],
  ['nothing is left', need(1), [need(40, 32)], 0],
])('%s', (_, own, others, share) => expect(shareOf(32, own, others)).toBe(share));

test('all parts together are no more than the room, when all know the same', () => {
  for (let seed = 1; seed < 400; seed++) {
    const needs = Array.from({ length: 1 + (seed % 5) }, (_, index) => need((seed * (index + 7) * 31) % 50));
    const parts = needs.map((own, index) => shareOf(32, own, needs.filter((_other, at) => at !== index)));
    expect(parts.reduce((sum, part) => sum + part, 0)).toBeLessThanOrEqual(32 + 1e-9);
    const wanted = needs.reduce((sum, { wanted: each }) => sum + each, 0);
    for (const [index, part] of parts.entries()) if (wanted <= 32) expect(part).toBeGreaterThanOrEqual(needs[index].wanted);
  }
});
