import { expect, test, vi } from 'vitest';
import { chat } from '../dialects/chat.ts';
import type { Call } from './call.ts';
import type { Outgoing } from './outgoing.ts';
import { StreamRelay } from './relay_stream.ts';
import type { StreamParts } from './relay_stream.ts';
import { Answer } from './endpoint_answer.ts';

const WORDS = 50;
const event = (choices: object[], more: object = {}): string =>
  `data: ${JSON.stringify({ id: 'one', object: 'chat.completion.chunk', created: 1, model: 'm', choices, ...more })}\n\n`;
const word = (index: number): string => event([{ index: 0, delta: { content: ` word${index}`, ...(index === 0 ? { role: 'assistant' } : {}) }, finish_reason: null }]);
const end = event([{ index: 0, delta: {}, finish_reason: 'stop' }]) + event([], { usage: { prompt_tokens: 3, completion_tokens: WORDS } });

/** What a client is sent of an answer that comes in these pieces, and how often JSON was read for it. */
async function relayed(pieces: readonly string[]): Promise<{ sent: string; read: number }> {
  const sent: string[] = [];
  const out = { response: {}, streamHead: () => undefined, piece: (text: string) => sent.push(text), lastPiece: (text: string) => sent.push(text) } as unknown as Outgoing;
  const answer = new Answer(200, 'text/event-stream', () => undefined, () => undefined);
  const call = { dialect: chat, demand: { promptTokens: 3, completionTokens: WORDS }, shown: { id: '', fallbackId: 'own', created: 1, model: 'm', sequence: 0 }, body: {} } as unknown as Call;
  const parts = { out, settle: () => Promise.resolve({}) } as unknown as StreamParts;
  const reads = vi.spyOn(JSON, 'parse');
  const relay = new StreamRelay(call, { answer, detour: undefined, brokeOff: () => undefined }, parts).run();
  for (const piece of pieces) {
    answer.take(Buffer.from(piece));
    await new Promise(setImmediate);
  }
  answer.completed();
  await relay;
  const read = reads.mock.calls.length;
  reads.mockRestore();
  return { sent: sent.join(''), read };
}

test('reads the first that says who speaks, then the first of many events that are alike, and passes on the others as they came, piece by piece or all at once', async () => {
  const words = Array.from({ length: WORDS }, (_, index) => word(index));
  for (const pieces of [[...words, end, 'data: [DONE]\n\n'], [words.join('') + end + 'data: [DONE]\n\n']]) {
    const { sent, read } = await relayed(pieces);
    expect(sent.startsWith(words.join(''))).toBe(true);
    expect(sent.endsWith('data: [DONE]\n\n')).toBe(true);
    expect(read).toBe(4);
  }
});
