import { expect, test } from 'vitest';
import { SameButText } from './same_but_text.ts';

const chunk = (content: string, more = ''): string => `{"id":"c","choices":[{"index":0,"delta":{"content":${JSON.stringify(content)}}}]${more}}`;

test('reads the text of what is like the learned, and nothing else', () => {
  const same = new SameButText();
  expect(same.textIn(chunk('one'))).toBeUndefined();
  same.learn(chunk('one'), { choice: 0, text: 'one' });
  expect(same.textIn(chunk(' two'))).toBe(' two');
  expect(same.textIn(chunk(''))).toBe('');
  expect(same.textIn(chunk('日本語 grüße'))).toBe('日本語 grüße');
  for (const other of [chunk('a"b'), chunk('a\\b'), chunk('a\nb'), chunk('x', ',"usage":{}'), chunk('x","refusal":"y'), '{}', '', chunk('one').slice(0, -1)]) expect(same.textIn(other)).toBeUndefined();
});

test('an injected field is not text', () => {
  const same = new SameButText();
  same.learn(chunk('one'), { choice: 0, text: 'one' });
  expect(same.textIn('{"id":"c","choices":[{"index":0,"delta":{"content":"x","tool_calls":[],"y":"z"}}]}')).toBeUndefined();
});

test('does not learn from text that stands twice or is spelled otherwise', () => {
  const same = new SameButText();
  same.learn(chunk('c'), { choice: 0, text: 'c' });
  same.learn(chunk('a\nb'), { choice: 0, text: 'a\nb' });
  expect(same.textIn(chunk('x'))).toBeUndefined();
});
