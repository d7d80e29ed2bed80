import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Answer, UpstreamError } from './endpoint_answer.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
/** All answers share one timer: what it still owes one test is not left to the next. */
afterEach(() => {
  vi.runAllTimers();
  vi.useRealTimers();
});

/** Reads an answer to its end. @returns it, and what each read has found */
function readEagerly(): { answer: Answer; read: string[]; done: Promise<unknown> } {
  const answer = new Answer(200, 'text/event-stream', () => undefined, () => undefined);
  const read: string[] = [];
  const next = (): Promise<void> => answer.read().then((piece) => {
    if (piece === undefined) return undefined;
    read.push(piece.toString());
    return next();
  });
  return { answer, read, done: next() };
}

async function take(answer: Answer, pieces: readonly string[], millisApart: number): Promise<void> {
  for (const piece of pieces) {
    await vi.advanceTimersByTimeAsync(millisApart);
    answer.take(Buffer.from(piece));
    await Promise.resolve().then(() => undefined);
  }
}

test('pieces that come as fast as a model writes are read one by one, at once', async () => {
  const { answer, read } = readEagerly();
  const words = [...'abcdefgh'];
  await take(answer, words, 2);
  expect(read).toEqual(words);
});

test('of pieces that come faster than clients are woken the first are read at once, the others together within a moment, and the last with the end', async () => {
  const { answer, read, done } = readEagerly();
  await take(answer, [...'abcdefgh'], 0);
  expect(read).toEqual([...'abcd']);
  await vi.advanceTimersByTimeAsync(3);
  expect(read).toEqual([...'abcd']);
  await vi.advanceTimersByTimeAsync(1);
  expect(read).toEqual([...'abcd', 'efgh']);
  await take(answer, [...'ij'], 0);
  answer.completed();
  await done;
  expect(read.at(-1)).toBe('ij');
});

test('a stream that was too fast is read piece by piece again once it is not', async () => {
  const { answer, read } = readEagerly();
  await take(answer, [...'abcdefgh'], 0);
  await vi.advanceTimersByTimeAsync(4);
  expect(read.at(-1)).toBe('efgh');
  const begun = read.length;
  await take(answer, [...'ijklmnop'], 2);
  await vi.advanceTimersByTimeAsync(4);
  expect(read.slice(begun).join('')).toBe('ijklmnop');
  expect(read.slice(-4)).toEqual([...'mnop']);
});

test('a packet of several pieces is read at once after a pause', async () => {
  const { answer, read } = readEagerly();
  for (const packet of ['abcdefgh', 'ijklmnop']) {
    await vi.advanceTimersByTimeAsync(20);
    for (const piece of packet) answer.take(Buffer.from(piece));
    await Promise.resolve().then(() => undefined);
  }
  expect(read).toEqual(['abcdefgh', 'ijklmnop']);
});

test('what waits to be read when a client goes away was not delivered; what an endpoint said before it failed was', async () => {
  for (const fault of ['aborted', 'broken'] as const) {
    const { answer, read, done } = readEagerly();
    await take(answer, [...'abcdef'], 0);
    answer.failed(new UpstreamError(fault, 'over'));
    await expect(done).rejects.toThrow('over');
    expect(read.join('')).toBe(fault === 'aborted' ? 'abcd' : 'abcdef');
  }
});
