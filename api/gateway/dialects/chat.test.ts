import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chat, chatBody } from './chat.ts';

const MODEL = 'meta-llama/Llama-3.1-8B-Instruct';
const one = fc.record({ role: fc.constantFrom('system', 'user', 'assistant', 'tool', 'developer', 'nobody'), content: fc.oneof(fc.string(), fc.constantFrom(null, 1, [], [{ type: 'text', text: 'x' }])), name: fc.constant('x') }, { requiredKeys: ['role', 'content'] });
const number = fc.oneof(fc.integer({ min: -2, max: 3 }), fc.constantFrom(0.5, 1.5, 1e7, 1e7 + 1, 1e300, null, '1'));
const body = fc.record({
  model: fc.constantFrom(MODEL, '', 'x'.repeat(200), 'x'.repeat(201), 1, null), messages: fc.oneof(fc.array(one, { maxLength: 2 }), fc.constantFrom(null, 'x', {})), max_tokens: number, max_completion_tokens: number,
  temperature: number, top_p: number, stream: fc.constantFrom(true, false, null, 1), user: fc.constantFrom('x', null, 1), seed: number, stream_options: fc.constant({ include_usage: true }), other: fc.anything(),
}, { requiredKeys: ['model', 'messages'] });

test('what is found to be ordinary is what the schema takes as it is', () => {
  const plain = { model: MODEL, messages: [{ role: 'system', content: 'x' }, { role: 'user', content: '' }], max_tokens: 64, stream: true, temperature: 0, top_p: 1, user: 'x' };
  expect(chat.isOrdinary?.(plain)).toBe(true);
  expect(chat.isOrdinary?.({ ...plain, seed: 1 })).toBe(false);
  fc.assert(fc.property(body, (given) => {
    if (chat.isOrdinary?.(given) === true) expect(chatBody.parse(given)).toEqual(given);
  }), { numRuns: 2_000 });
  for (const value of [undefined, null, 1, 'x', [], [plain], {}]) expect(chat.isOrdinary?.(value)).toBe(false);
});
