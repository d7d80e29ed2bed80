import { pino } from 'pino';
import { expect, test } from 'vitest';
import { Parts } from './parts.ts';

const log = pino({ level: 'silent' });
const never = (): Promise<void> => new Promise(() => undefined);

test('closes in reverse, also after a part that fails to', async () => {
  const parts = new Parts();
  const closed: string[] = [];
  parts.add('first', () => void closed.push('first'));
  parts.add('second', () => Promise.reject(new Error('it is broken')));
  parts.add('third', () => void closed.push('third'));
  await parts.close(log);
  expect(closed).toEqual(['third', 'first']);
  expect(parts.leftBehind).toEqual([]);
});

test('waits no longer once it is told to hurry, and knows what it has left behind', async () => {
  const parts = new Parts();
  const ended: string[] = [];
  const closed: string[] = [];
  parts.add('child', never, () => ended.push('child') > 0);
  parts.add('thread', never);
  parts.add('quick', () => void closed.push('quick'));
  parts.add('first to wait', never, () => false);
  const closing = parts.close(log);
  expect(parts.underWay).toEqual(['first to wait']);
  parts.hurry();
  await closing;
  expect(closed).toEqual(['quick']);
  expect(ended).toEqual(['child']);
  expect(parts.leftBehind).toEqual(['child']);
});
