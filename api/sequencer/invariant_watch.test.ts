import { describe, expect, test } from 'vitest';
import type { Envelope } from '../../engine/commands.ts';
import { Engine } from '../../engine/engine.ts';
import type { InvariantCheck } from '../../engine/queries.ts';
import { InvariantWatch, Unsound, requireSound } from './invariant_watch.ts';

function watched(checks: (InvariantCheck & { next?: number })[], { queueLength = 0, walked = 0 } = {}) {
  const engine = new Engine();
  engine.apply({ command: { type: 'registerCompany', name: 'operator', role: 'operator', group: '' }, idempotencyKey: '', bodyHash: '' });
  const submitted: Envelope[] = [];
  const lines: string[] = [];
  const looks: string[] = [];
  const status = { sequence: 1, committedSequence: 1, epoch: 1, now: 0, queueLength };
  const watch = new InvariantWatch({
    engine: {
      invariants: checks.length,
      checkInvariantFrom: (place, from) => {
        looks.push(`${place} from ${from}`);
        return { next: 0, ...checks[place], ...(from > 0 ? { next: 0 } : {}) };
      },
      walkedAtOnce: (place) => (place === 0 ? walked : 0),
      query: engine.query.bind(engine),
    },
    sequencer: { submit: (_id, envelope) => submitted.push(envelope) > 0, status: () => status },
    say: (line) => lines.push(line),
    soon: (look) => look(),
  });
  return { watch, engine, submitted, lines, looks, status };
}
const broken: InvariantCheck = { number: 1, name: 'every ledger sums to zero', ok: false, detail: 'usd sums to 1' };

describe('the watch on invariants', () => {
  test('halts all trading once when one does not hold, and goes on telling', () => {
    const { watch, engine, submitted, lines } = watched([broken]);
    watch.look();
    watch.look();
    expect(submitted).toHaveLength(1);
    engine.apply(submitted[0]);
    expect(engine.buffer.take().texts).toContain('invariant 1 (every ledger sums to zero) does not hold: usd sums to 1');
    expect(lines.filter((line) => line.startsWith('invariant 1'))).toHaveLength(2);
  });

  test('looks at one after the other, and at each again', () => {
    const { watch, lines } = watched([{ ...broken, ok: true }, { ...broken, number: 2 }, { ...broken, number: 3, ok: true }]);
    for (let count = 0; count < 6; count++) watch.look();
    expect(lines.filter((line) => line.startsWith('invariant 2'))).toHaveLength(2);
  });

  test('does nothing while they hold', () => {
    const { watch, submitted, lines } = watched([{ ...broken, ok: true }]);
    watch.look();
    expect([submitted, lines]).toEqual([[], []]);
  });

  test('looks at one about very many rows part by part', () => {
    const { watch, looks } = watched([{ ...broken, ok: true, next: 5_000 }, { ...broken, number: 2, ok: true }]);
    watch.look();
    watch.look();
    expect(looks).toEqual(['0 from 0', '0 from 5000', '1 from 0']);
  });

  test('leaves what goes through all of a large market to snapshots while commands come, and looks at it when none do', () => {
    const { watch, looks, status } = watched([{ ...broken, ok: true }, { ...broken, number: 2, ok: true }], { walked: 1_000_000 });
    for (let count = 0; count < 4; count++) {
      status.sequence += 10_000;
      watch.look();
    }
    expect(looks).toEqual(['1 from 0', '1 from 0']);
    watch.look();
    expect(looks.at(-1)).toBe('0 from 0');
  });

  test('halts once for what others have found, and for what it finds', () => {
    const { watch, submitted, lines } = watched([broken]);
    watch.found('invariant 8 (no phantom supply) does not hold: cell 3');
    watch.look();
    expect(submitted).toHaveLength(1);
    expect(submitted[0].command).toMatchObject({ type: 'setTradingMode', mode: 'halted', reason: 'invariant 8 (no phantom supply) does not hold: cell 3' });
    expect(lines.filter((line) => line.startsWith('invariant'))).toHaveLength(2);
  });

  test('waits for a quiet moment, but not for ever', () => {
    const { watch, looks } = watched([{ ...broken, ok: true }], { queueLength: 5 });
    for (let count = 0; count < 10; count++) watch.look();
    expect(looks).toHaveLength(0);
    watch.look();
    expect(looks).toHaveLength(1);
  });
});

test('an engine whose invariants all hold is sound, and one that breaks one is not', () => {
  const checks: InvariantCheck[] = [{ ...broken, ok: true }, broken];
  expect(() => requireSound({ checkInvariants: () => checks.slice(0, 1) })).not.toThrow();
  expect(() => requireSound({ checkInvariants: () => checks })).toThrow(new Unsound('invariant 1 (every ledger sums to zero) does not hold: usd sums to 1'));
});
