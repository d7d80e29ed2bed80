import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { templateTokens } from '../dialects/prompt.ts';
import { Meter, chargeableMost } from './meter.ts';

describe('the meter', () => {
  test('believes plausible figures and flags others', () => {
    const result = (reported: unknown) => {
      const meter = new Meter({ promptTokens: 100, completionTokens: 1_000 });
      meter.add(0, 'word '.repeat(200).trim());
      meter.report({ prompt: reported, completion: reported });
      return meter.result();
    };
    expect(result(101)).toEqual({ promptTokens: 101, completionTokens: 101, estimated: false });
    expect(result(102)).toEqual({ promptTokens: 100, completionTokens: 102, estimated: true });
    expect(result(99)).toEqual({ promptTokens: 99, completionTokens: 200, estimated: true });
    expect(result(Number.NaN)).toEqual({ promptTokens: 100, completionTokens: 200, estimated: true });
  });

  test.each([
    // Own count of `hello` as one message, and what Llama's, Qwen's and Mistral's templates make of it; then lies.
    [7, 36, 36], [7, 30, 30], [7, 5, 5], [7, 44, 44], [7, 45, 7], [7, 70, 7], [56, 93, 93], [56, 94, 56], [560, 602, 602], [560, 603, 560],
  ])('believes of a prompt of %i tokens what a template adds: of %i it charges %i', (own, reported, charged) => {
    const meter = new Meter({ promptTokens: own, templateTokens: templateTokens(1), completionTokens: 10 });
    meter.add(0, 'word');
    meter.report({ prompt: reported, completion: 1 });
    expect(meter.result()).toEqual({ promptTokens: charged, completionTokens: 1, estimated: charged !== reported });
  });

  test('takes no figures of an answer that broke off', () => {
    const meter = new Meter({ promptTokens: 10, completionTokens: 100 });
    meter.add(0, 'one two');
    meter.report({ prompt: 10, completion: 2 });
    expect(meter.result(true)).toEqual({ promptTokens: 10, completionTokens: 2, estimated: true });
  });

  test('takes a prompt that is repeated for what was read, not for what was written', () => {
    for (const [completion, estimated] of [[2, false], [40, true]] as const) {
      const prompt = 'word '.repeat(40).trim();
      for (const echoed of [prompt, 40]) {
        const meter = new Meter({ promptTokens: 40, completionTokens: 16, echoed: [echoed] });
        for (const text of [prompt.slice(0, 7), prompt.slice(7), ' one two']) meter.add(0, text);
        meter.report({ prompt: 40, completion });
        expect(meter.result()).toEqual({ promptTokens: 40, completionTokens: 2, estimated });
      }
    }
  });

  test('takes for written what an endpoint writes that repeats no prompt although it was asked to', () => {
    const answers = { 'word word other': 3, 'other words': 2, 'word word': 0, ' word word word next': 1 };
    for (const [answer, written] of Object.entries(answers)) {
      const meter = new Meter({ promptTokens: 3, completionTokens: 16, echoed: ['word word word'] });
      for (const letter of answer) meter.add(0, letter);
      expect(meter.result(true).completionTokens).toBe(written);
    }
  });

  test('counts each choice by itself', () => {
    const meter = new Meter({ promptTokens: 1, completionTokens: 100 });
    meter.add(0, 'trans');
    meter.add(1, 'on');
    meter.add(0, 'port');
    expect(meter.delivered).toBe(3);
  });

  test('never charges more than a request has held, whatever is reported', () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.nat(1_000), fc.string(), fc.anything(), fc.anything(), (own, most, text, prompt, completion) => {
        const meter = new Meter({ promptTokens: own, completionTokens: most });
        meter.add(0, text);
        meter.report({ prompt, completion });
        const charged = meter.result();
        expect(charged.promptTokens).toBeLessThanOrEqual(chargeableMost(own));
        expect(charged.completionTokens).toBeLessThanOrEqual(most);
        expect(charged.completionTokens).toBeLessThanOrEqual(chargeableMost(meter.delivered));
        expect(charged.promptTokens).toBeGreaterThanOrEqual(0);
        expect(charged.completionTokens).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
