import { expect, test, vi } from 'vitest';
import { EventBuffer } from '../../../engine/events.ts';
import type { EventBatch } from '../../../engine/events.ts';
import type { Tally } from '../../http/middleware/rate_limit.ts';
import type { Call } from '../relay/call.ts';
import { Spending } from './spending.ts';

/** Two processes; what one counts the other is told when `pass` is called. */
function twoProcesses(): { first: Spending; second: Spending; pass: () => void } {
  const waiting: (() => void)[] = [];
  const listeners: ((name: string, amount: number) => void)[] = [];
  const process = (own: number): Spending => {
    const tally: Tally = {
      counted: (name, amount) => void waiting.push(() => listeners[1 - own](name, amount)),
      onOthers: (listener) => void (listeners[own] = listener),
    };
    const services = { sequencer: { onCommitted: () => () => undefined }, committed: { now: 0, sequence: 0 } };
    return new Spending(services as never, () => Promise.resolve({ used: 0, bought: 0 }), () => Promise.resolve(undefined), tally);
  };
  const pass = (): void => {
    for (const tell of waiting.splice(0)) tell();
  };
  return { first: process(0), second: process(1), pass };
}
const call = { company: 0, key: 'k', line: 'k', monthlyLimit: 100, project: null, spot: {} } as unknown as Call;

test("a key's limit counts what requests reserve in other processes", async () => {
  const { first, second, pass } = twoProcesses();
  const release = await first.reserve(call, 60);
  pass();
  await expect(second.reserve(call, 60)).rejects.toMatchObject({ code: 'budget_exceeded' });
  await second.reserve(call, 40);
  release();
  pass();
  await second.reserve(call, 60);
});

test('counts what a key has spent elsewhere of which nobody here had heard', async () => {
  let commit: (batch: { events: EventBatch; lastSequence: number }) => void = () => undefined;
  const services = { sequencer: { onCommitted: (listener: typeof commit) => ((commit = listener), () => undefined) }, committed: { now: 0, sequence: 0 } };
  const owners = vi.fn(() => Promise.resolve({ line: 'k', project: undefined }));
  const spending = new Spending(services as never, () => Promise.resolve({ used: 0, bought: 0 }), owners);
  expect(await spending.limitsOf(call)).toEqual([{ name: 'k', left: 100, upTo: 0 }]);
  const buffer = new EventBuffer();
  buffer.emit('command', { sequence: 1, type: 'capture', company: 0 });
  buffer.emit('usageCaptured', { allocation: 1, company: 0, provider: 1, model: 0, gpu: 1, credits: 30, payable: 0, promptTokens: 1, completionTokens: 1, request: 'r', detail: { key: 'successor', endpoint: 'e', spotFees: 2, estimated: false }, now: 0 });
  commit({ events: buffer.take(), lastSequence: 1 });
  expect(await spending.limitsOf(call)).toEqual([{ name: 'k', left: 68, upTo: 1 }]);
  expect(owners).toHaveBeenCalledExactlyOnceWith('successor');
});

test('what was never taken back is forgotten', async () => {
  vi.useFakeTimers();
  const { first, second, pass } = twoProcesses();
  await first.reserve(call, 100);
  pass();
  await expect(second.reserve(call, 1)).rejects.toMatchObject({ code: 'budget_exceeded' });
  vi.advanceTimersByTime(121_000);
  await second.reserve(call, 100);
  vi.useRealTimers();
});
