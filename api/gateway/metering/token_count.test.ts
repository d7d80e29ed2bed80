import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TokenCounter, countTokens } from './token_count.ts';

describe('the own count of tokens', () => {
  test.each([
    ['', 0],
    ['word', 1],
    ['one two three', 3],
    ['transportation', 3],
    ['12345', 2],
    ['a, b.', 4],
    ['line\n\n\nline', 3],
    ['日本語', 3],
    ['привет', 3],
  ])('of %j is %i', (text, tokens) => {
    expect(countTokens(text)).toBe(tokens);
  });

  test('does not depend on how the text is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (pieces) => {
        const counter = new TokenCounter();
        for (const piece of pieces) counter.add(piece);
        expect(counter.total).toBe(countTokens(pieces.join('')));
      }),
    );
  });

  test('is never more than the characters, and grows with the text', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (head, tail) => {
        expect(countTokens(head)).toBeLessThanOrEqual(head.length);
        expect(countTokens(head + tail)).toBeGreaterThanOrEqual(countTokens(head));
      }),
    );
  });
});
