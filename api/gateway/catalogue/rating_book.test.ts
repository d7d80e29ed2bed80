import { expect, test } from 'vitest';
import { MILLIS_PER_DAY, MILLIS_PER_HOUR } from '../../../engine/numbers/units.ts';
import { RatingBook, firstHourAfterNotice } from './rating_book.ts';
import type { PublishedRatings } from './rating_book.ts';
import { FIRST_RATINGS } from './ratings.ts';
import { changesOf, measuredBy, medianOf, whyUnchanged } from './verification_runs.ts';
import type { VerificationRun } from './verification_runs.ts';

const CHAT = 'meta-llama/Llama-3.1-8B-Instruct';
const CLASS = 'H100-SXM-80';
const known = FIRST_RATINGS.of(CHAT).get(CLASS);
if (known === undefined) throw new Error('the class holds the model');
const published = (version: number, fromHour: number, completion: number, sold: PublishedRatings['sold'] = []): PublishedRatings =>
  ({ version, publishedAt: 0, fromHour, reason: 'measured', changes: { [CHAT]: { [CLASS]: [known.prompt, completion] } }, sold });

test('a version rates from its first hour on, and nothing that was sold before it was published', async () => {
  const versions = [published(2, 1_000, 300, [[7, 1, 1_000], [8, 1, 2_500]]), published(3, 2_000, 280, [[8, 1, 2_500], [9, 2, 2_500]])];
  const book = new RatingBook({ all: () => Promise.resolve(versions.slice(0, 1)) });
  await book.refresh();
  expect(book.newest().version).toBe(2);
  const later = new RatingBook({ all: () => Promise.resolve(versions) });
  await later.refresh();
  const completion = (allocation: number, hour: number): number | undefined => later.ofAllocation(allocation, hour).of('llama-3.1-8b-instruct').get(CLASS)?.completion;
  expect([999, 1_000, 1_999, 2_000].map((hour) => later.inForce(hour).version)).toEqual([1, 2, 2, 3]);
  expect([completion(7, 1_000), completion(6, 1_000)]).toEqual([known.completion, 300]);
  // Sold before the second version, between the two, and after both.
  expect([completion(8, 2_500), completion(9, 2_500), completion(10, 2_500)]).toEqual([known.completion, 300, 280]);
  expect([1, 2, 3].map((company) => later.ofCompany(company, 2_500).map(({ version }) => version))).toEqual([[3, 2, 1], [3, 2], [3]]);
  // Other classes and models are as they were.
  expect(later.newest().of(CHAT).get('A100-SXM-80')).toEqual(FIRST_RATINGS.of(CHAT).get('A100-SXM-80'));
  expect(later.newest().of('Qwen/Qwen3-8B')).toEqual(FIRST_RATINGS.of('Qwen/Qwen3-8B'));
});

test('the notice is seven days, to the next whole hour', () => {
  const day = 20_000 * MILLIS_PER_DAY;
  expect(firstHourAfterNotice(day) * MILLIS_PER_HOUR - day).toBe(7 * MILLIS_PER_DAY);
  expect(firstHourAfterNotice(day + 1) * MILLIS_PER_HOUR - day).toBe(7 * MILLIS_PER_DAY + MILLIS_PER_HOUR);
});

test('a rating follows the median of at least three owners, each heard once, and moves by at most a quarter', () => {
  const run = (company: number, completion: number, model = CHAT): VerificationRun => ({ endpoint: `end_${company}_${completion}`, company, model, class: CLASS, completion });
  const measured = (runs: VerificationRun[], ownerOf: (company: number) => string = String) => measuredBy(runs, FIRST_RATINGS, ownerOf);
  expect([medianOf([3]), medianOf([1, 9, 4]), medianOf([1, 2])]).toEqual([3, 4, 2]);
  expect(measured([run(1, 260), run(2, 270)])[0]).toMatchObject({ providers: 2, median: 265, proposed: null });
  expect(measured([run(1, 260), run(2, 270), run(3, 900)])[0]).toMatchObject({ providers: 3, median: 270, proposed: 270 });
  // One owner's many endpoints say no more than one.
  expect(measured([run(1, 260), run(2, 270), run(3, 900), run(3, 901), run(3, 902), run(3, 903)])[0].median).toBe(270);
  expect(measured([run(1, 260), run(2, 270), run(3, 900)], () => 'one group')[0].proposed).toBeNull();
  expect(measured([run(1, 1), run(2, 1), run(3, 1)])[0].proposed).toBe(known.completion - Math.floor(known.completion / 4));
  expect(changesOf(measured([run(1, 9_000), run(2, 9_000), run(3, 9_000), run(4, 9, 'no/model')]))).toEqual({ [CHAT]: { [CLASS]: [known.prompt, known.completion + Math.floor(known.completion / 4)] } });
  expect(changesOf(measured([1, 2, 3].map((company) => run(company, known.completion))))).toEqual({});
  // Who would publish nothing is told what is missing.
  expect(whyUnchanged([])).toContain('no endpoint that is verified has been measured yet');
  expect(whyUnchanged(measured([run(1, 260), run(2, 270)]))).toContain(`at least 3 owners, and ${CHAT} on ${CLASS} has 2.`);
  expect(whyUnchanged(measured([1, 2, 3].map((company) => run(company, known.completion))))).toContain('of 1 with enough owners the median is what is rated');
});
