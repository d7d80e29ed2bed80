import { describe, expect, test } from 'vitest';
import { CLASSES } from '../../../db/seed/offers.ts';
import { MODELS, findModel } from './catalogue.ts';
import { CHIPS } from './chips.ts';
import { RATINGS_VERSION, gpuTimeOf, perMillionTokens, rating, ratingsOf } from './ratings.ts';
import { rateByRoofline } from './roofline.ts';

const model = (id: string) => {
  const found = findModel(id);
  if (found === undefined) throw new Error(id);
  return found;
};
const chip = (name: string) => {
  const found = CHIPS.find((candidate) => candidate.class === name);
  if (found === undefined) throw new Error(name);
  return found;
};

describe('the catalogue', () => {
  test('has at least 60 models, each under names of its own', () => {
    expect(MODELS.length).toBeGreaterThanOrEqual(60);
    const names = MODELS.flatMap(({ id, aliases }) => [id, ...aliases]);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(findModel(name)).toBeDefined();
  });

  test('has models of every kind', () => {
    expect(new Set(MODELS.map(({ kind }) => kind))).toEqual(new Set(['chat', 'completion', 'embedding']));
    expect(MODELS.some(({ modality }) => modality.includes('image'))).toBe(true);
    expect(MODELS.some(({ features }) => features.includes('reasoning'))).toBe(true);
  });

  test('finds a model by an alias', () => {
    expect(findModel('llama-3.3-70b-instruct')?.id).toBe('meta-llama/Llama-3.3-70B-Instruct');
    expect(findModel('no-such-model')).toBeUndefined();
  });

  test('never uses more parameters than a model has', () => {
    for (const { activeParamsMillions, totalParamsMillions } of MODELS) expect(activeParamsMillions).toBeLessThanOrEqual(totalParamsMillions);
  });
});

describe('ratings', () => {
  test('follow the roofline', () => {
    // 8.03e9 parameters: 2 x 8.03e9 / (989e12 x 0.5) = 32.48 us; 16.06e9 bytes / (3.35e12 x 0.6) / 32 = 249.7 us.
    expect(rateByRoofline(model('meta-llama/Llama-3.1-8B-Instruct'), chip('H100-SXM-80'))).toEqual({ prompt: 33, completion: 250, gpus: 1 });
    // Four GPUs keep 0.95^2 of their speed: 2 x 70.554e9 / (989e12 x 0.5 x 0.9025) = 316.2 us.
    expect(rateByRoofline(model('meta-llama/Llama-3.3-70B-Instruct'), chip('H100-SXM-80'))).toEqual({ prompt: 317, completion: 2431, gpus: 4 });
    expect(rateByRoofline(model('moonshotai/Kimi-K2-Instruct'), chip('RTX4090-PCIe-24'))).toBeUndefined();
  });

  test('cost a small model at least one unit', () => {
    expect(rating('sentence-transformers/all-MiniLM-L6-v2', 'B200-SXM-180')?.prompt).toBe(1);
  });

  test('of the stored version are those of the formula and its inputs', async () => {
    const stored = {
      version: RATINGS_VERSION,
      ratings: Object.fromEntries(MODELS.map((entry) => [entry.id, ratingsByClass(entry)])),
    };
    const lines = Object.entries(stored.ratings).map(([id, classes]) => `    ${JSON.stringify(id)}: ${JSON.stringify(classes)}`);
    await expect(`{\n  "version": ${stored.version},\n  "ratings": {\n${lines.join(',\n')}\n  }\n}\n`).toMatchFileSnapshot('./ratings_v1.json');
  });

  test('exist for every model on some listed class, and for every listed class', () => {
    const listed = CLASSES.map(({ name }) => name);
    expect(CHIPS.map(({ class: name }) => name).sort()).toEqual(listed.sort());
    for (const { id } of MODELS) expect(ratingsOf(id).size).toBeGreaterThan(0);
  });

  test('multiply exactly', () => {
    expect(gpuTimeOf({ prompt: 33, completion: 250, gpus: 1 }, 1_000, 500)).toBe(158_000);
    // 250 GPU-seconds at 2.4 CR per GPU-hour.
    expect(perMillionTokens(250, 24_000)).toBe(166_667);
  });
});

function ratingsByClass(entry: (typeof MODELS)[number]): Record<string, number[]> {
  return Object.fromEntries(CHIPS.flatMap((candidate) => {
    const rated = rateByRoofline(entry, candidate);
    return rated === undefined ? [] : [[candidate.class, [rated.prompt, rated.completion, rated.gpus]]];
  }));
}
