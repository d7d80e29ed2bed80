/** What the demo's models say: words that follow from the question and a seed, one token each by the gateway's count. */
import { createHash } from 'node:crypto';
import { hashOf, randomOf } from '../random.ts';

const WORDS = [
  'compute', 'market', 'hours', 'price', 'credit', 'model', 'tokens', 'power', 'supply', 'demand', 'order', 'book', 'bid', 'ask', 'fill', 'hold',
  'region', 'cluster', 'memory', 'stream', 'batch', 'answer', 'reason', 'value', 'time', 'cost', 'cheap', 'fast', 'steady', 'open', 'clear', 'even',
  'the', 'a', 'and', 'with', 'for', 'from', 'when', 'then', 'each', 'every', 'most', 'some', 'more', 'less', 'under', 'over',
];
const LENGTH_LEAST = 48;
const LENGTH_SPREAD = 352;

/** The same for the same seed and question. Each word but the first comes with the space before it. */
export function answerWords(seed: string, question: string, choice: number, wanted: { most: number; exactly: boolean }): string[] {
  const digest = createHash('sha256').update(`${seed}\0${choice}\0${question}`).digest();
  const random = randomOf(hashOf(digest.readUInt32LE(0), digest.readUInt32LE(4)));
  const natural = LENGTH_LEAST + random.below(LENGTH_SPREAD);
  const length = wanted.exactly ? wanted.most : Math.min(natural, wanted.most);
  return Array.from({ length }, (_, index) => (index === 0 ? '' : ' ') + WORDS[random.below(WORDS.length)]);
}

/** Percent by which a provider's GPUs are slower or faster than rated, at most. */
const OFF_RATING_MOST = 12;
/** How long a provider's GPUs of a class take, as a factor of what is rated; the same for the same seed. */
export function slownessOf(seed: string, className: string): number {
  const digest = createHash('sha256').update(`${seed}\0${className}`).digest();
  return 1 + (randomOf(digest.readUInt32LE(0)).below(2 * OFF_RATING_MOST + 1) - OFF_RATING_MOST) / 100;
}

/** A unit vector that follows from the text. */
export function embeddingOf(seed: string, text: string, dimensions: number): number[] {
  const digest = createHash('sha256').update(`${seed}\0${text}`).digest();
  const random = randomOf(digest.readUInt32LE(0));
  const values = Array.from({ length: dimensions }, () => random.below(2_000_001) / 1_000_000 - 1);
  const length = Math.hypot(...values);
  return values.map((value) => Number((value / length).toFixed(6)));
}
