import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { merge } from './account.ts';
import { Cell } from './cell.ts';
import { EventStreamReader, curlOf } from './chat.ts';
import { MarketClock } from './clock.ts';
import { Frame } from './frame.ts';
import { dataOf, isStale } from './loadable.ts';
import { modeOf } from './market.ts';
import { makeInstrument } from './instrument.ts';
import { Resource } from './resource.ts';
import { Toasts } from './toasts.ts';

describe('a cell', () => {
  test('tells its listeners what is new, and only that', () => {
    const cell = new Cell(1);
    const seen: number[] = [];
    const stop = cell.subscribe((value) => seen.push(value));
    cell.value = 1;
    cell.value = 2;
    stop();
    cell.value = 3;
    expect(seen).toEqual([2]);
  });
});

describe('the frame', () => {
  test('runs each marked task once, and what is marked meanwhile in the next', () => {
    const frames: (() => void)[] = [];
    const frame = new Frame((run) => frames.push(run));
    let count = 0;
    const task = (): void => {
      count += 1;
      if (count === 1) frame.mark(task);
    };
    for (let times = 0; times < 5; times++) frame.mark(task);
    expect(frames).toHaveLength(1);
    frames[0]();
    expect([count, frames.length]).toEqual([1, 2]);
    frames[1]();
    expect([count, frames.length]).toEqual([2, 2]);
  });
});

describe('a resource', () => {
  test('keeps its data through a failed refresh', async () => {
    let answer: () => Promise<number> = () => Promise.resolve(1);
    const resource = new Resource(() => answer());
    expect(resource.cell.value.status).toBe('idle');
    await resource.refresh();
    answer = () => Promise.reject(new TypeError('away'));
    await resource.refresh();
    expect(resource.cell.value.status).toBe('error');
    expect(dataOf(resource.cell.value)).toBe(1);
    expect(isStale(resource.cell.value)).toBe(true);
  });

  test('asks by itself for what could not be had, after longer and longer, and then no more', async () => {
    vi.useFakeTimers();
    let answer = (): Promise<number> => Promise.reject(new TypeError('away'));
    const fetcher = vi.fn(() => answer());
    const resource = new Resource(fetcher);
    await resource.refresh();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(fetcher).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(fetcher).toHaveBeenCalledTimes(2);
    answer = () => Promise.resolve(1);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(dataOf(resource.cell.value)).toBe(1);
    await vi.advanceTimersByTimeAsync(300_000);
    expect(fetcher).toHaveBeenCalledTimes(3);
    vi.useRealTimers();
  });

  test('takes the answer of its latest request alone', async () => {
    const answers: ((value: string) => void)[] = [];
    const resource = new Resource(() => new Promise<string>((resolve) => answers.push(resolve)));
    const first = resource.refresh();
    const second = resource.refresh();
    answers[1]('new');
    answers[0]('old');
    await Promise.all([first, second]);
    expect(dataOf(resource.cell.value)).toBe('new');
  });
});

describe('rows by id', () => {
  test('are replaced in their place, new ones come first', () => {
    const rows = [{ id: 'b', n: 1 }, { id: 'a', n: 1 }];
    expect(merge(rows, [{ id: 'a', n: 2 }, { id: 'c', n: 1 }])).toEqual([{ id: 'c', n: 1 }, { id: 'b', n: 1 }, { id: 'a', n: 2 }]);
  });
});

describe('trading modes', () => {
  const instrument = makeInstrument('H100-SXM-80', 'us-east', 500_000);
  const of = (...modes: [string, 'halted' | 'cancel_only'][]) => modeOf({ modes: modes.map(([scope, mode]) => ({ scope, mode, reason: '' })) }, instrument);

  test('hold for everything inside their scope, the strictest first', () => {
    expect(of()).toBe('open');
    expect(of(['*', 'cancel_only'])).toBe('cancel_only');
    expect(of(['*', 'cancel_only'], ['H100-SXM-80.us-east', 'halted'])).toBe('halted');
    expect(of([instrument.id, 'halted'])).toBe('halted');
    expect(of(['H100-SXM-80.us-west', 'halted'], ['A100-SXM-80', 'halted'])).toBe('open');
  });
});

test('the clock follows the market, not this computer', () => {
  let local = 1_000_000;
  const clock = new MarketClock(() => local);
  clock.observe('2026-12-01T14:00:00Z');
  local += 2_500;
  expect(clock.read()).toBe(Date.UTC(2026, 11, 1, 14, 0, 2, 500));
  clock.tick();
  expect(clock.now.value).toBe(Date.UTC(2026, 11, 1, 14, 0, 2));
});

describe('toasts', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());
  const toast = (key: string, tone: 'good' | 'pending') => ({ key, tone, title: key, detail: '' });

  test('one per order, which changes as the order does', () => {
    const toasts = new Toasts();
    toasts.show(toast('a', 'pending'));
    toasts.show(toast('b', 'good'));
    toasts.show(toast('a', 'good'));
    expect(toasts.list.value.map(({ key, tone }) => [key, tone])).toEqual([['a', 'good'], ['b', 'good']]);
    vi.advanceTimersByTime(7_000);
    expect(toasts.list.value).toEqual([]);
  });

  test('wait while something is pending', () => {
    const toasts = new Toasts();
    toasts.show(toast('a', 'pending'));
    vi.advanceTimersByTime(60_000);
    expect(toasts.list.value).toHaveLength(1);
  });
});

describe('chat', () => {
  test('reads events whatever the borders of packets', () => {
    const reader = new EventStreamReader();
    const whole = 'data: {"a":1}\r\n\r\n: comment\n\ndata: {"b":2}\n\ndata: [DONE]\n\n';
    const payloads = [...whole].flatMap((character) => reader.push(character));
    expect(payloads).toEqual(['{"a":1}', '{"b":2}', '[DONE]']);
  });

  test('quotes a prompt for the shell', () => {
    expect(curlOf('http://localhost:8080', { model: 'm', prompt: "it's", maximum: 8 })).toContain(`it'\\''s`);
  });
});
