import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { formatTicks } from '../../engine/numbers/units.ts';
import classMap from './class_map.json' with { type: 'json' };
import offersFile from './gpu_offers.json' with { type: 'json' };
import { demoAsk, listInputs, listPrice } from './list_price.ts';
import { traceRequests } from './llm_trace.ts';
import { CLASSES, OFFERS, PROVIDERS, REGIONS, leftOut, parseClassName } from './offers.ts';

const textOf = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');
const keyOf = (row: { gpu_model: string; vram_gb: number; interconnect: string | null }) => `${row.gpu_model}|${row.vram_gb}|${row.interconnect}`;

describe('the class table', () => {
  test('names every model, memory and interconnect of the offers exactly once', () => {
    const named = classMap.map(keyOf);
    expect(new Set(named).size).toBe(named.length);
    expect(new Set(named)).toEqual(new Set(offersFile.map(keyOf)));
  });

  test('keeps memory and form factor apart', () => {
    for (const row of classMap) {
      if (row.class === null || row.class === undefined) continue;
      const { formFactor, memoryGb } = parseClassName(row.class);
      expect(memoryGb, row.class).toBe(row.vram_gb);
      if (/SXM|HGX/.test(row.gpu_model)) expect(formFactor, row.gpu_model).toBe('SXM');
      else if (/PCIe/.test(row.gpu_model)) expect(formFactor, row.gpu_model).toBe('PCIe');
      else if (row.interconnect === null) expect(row.gpu_model, row.gpu_model).toMatch(/L40|RTX/);
      else expect(formFactor, row.gpu_model).toBe(row.interconnect);
    }
  });

  test('lists at most 20 classes and gives a reason for every offer left out', () => {
    expect(CLASSES).toHaveLength(20);
    expect(CLASSES.map((entry) => entry.name)).toContain('H100-SXM-80');
    const { count, reasons } = leftOut();
    expect({ listed: OFFERS.length, count }).toEqual({ listed: 184, count: 126 });
    expect([...reasons.values()].reduce((a, b) => a + b)).toBe(126);
    expect(Object.fromEntries(reasons)).toMatchInlineSnapshot(`
      {
        "NVLink is found on SXM modules and on bridged PCIe cards: form factor unknown": 7,
        "edition with another form factor (server, workstation, confidential)": 7,
        "form factor not stated": 33,
        "interconnect contradicts the card": 2,
        "memory modified by the provider": 2,
        "sold on demand by fewer than three providers": 75,
      }
    `);
    expect(classMap.every((row) => (row.class === null) === (row.left_out !== undefined))).toBe(true);
  });

  test('lists a class when at least three providers sell it on demand', () => {
    for (const { name } of CLASSES) expect(listInputs(OFFERS, name).length, name).toBeGreaterThanOrEqual(3);
  });

  test('gives each of the 21 providers one region and at least one listed offer', () => {
    expect(new Set(PROVIDERS.map((entry) => entry.provider))).toEqual(new Set(offersFile.map((offer) => offer.provider_id)));
    for (const { provider, region } of PROVIDERS) {
      expect(REGIONS).toContain(region);
      expect(OFFERS.some((offer) => offer.provider === provider), provider).toBe(true);
    }
    expect(PROVIDERS).toHaveLength(21);
  });

  test('refuses a name that is not a class', () => {
    expect(() => parseClassName('H100')).toThrow('not a class name');
  });
});

describe('list prices', () => {
  test('of the listed classes', () => {
    const prices = Object.fromEntries(CLASSES.map(({ name }) => [name, formatTicks(listPrice(listInputs(OFFERS, name)))]));
    expect(prices).toEqual({
      'A10-PCIe-24': '1.2900', 'A100-PCIe-40': '1.9900', 'A100-PCIe-80': '2.2100', 'A100-SXM-40': '1.9900', 'A100-SXM-80': '1.6000',
      'A40-PCIe-48': '1.2800', 'B200-SXM-180': '5.6300', 'H100-PCIe-80': '3.2900', 'H100-SXM-80': '3.3900', 'H200-SXM-141': '3.5000',
      'L4-PCIe-24': '0.4400', 'L40-PCIe-48': '1.0000', 'L40S-PCIe-48': '1.3900', 'RTX3090-PCIe-24': '0.2100', 'RTX4090-PCIe-24': '0.5500',
      'RTX5090-PCIe-32': '0.6500', 'RTX6000ADA-PCIe-48': '0.8300', 'RTXA4000-PCIe-16': '0.1500', 'RTXA6000-PCIe-48': '0.5000',
      'RTXPRO6000-PCIe-96': '1.8900',
    });
  });

  test('come from the lowest on-demand offer of each provider', () => {
    expect(listInputs(OFFERS, 'H100-SXM-80').map(({ provider, usd }) => [provider, usd])).toEqual([
      ['vast-ai', 1_490_000], ['dataoorts', 1_920_000], ['tensordock', 2_250_000], ['verda', 2_290_000], ['hyperstack', 2_400_000],
      ['novita', 2_590_000], ['jarvis-labs', 2_690_000], ['runpod', 2_690_000], ['digitalocean', 3_390_000], ['qubrid', 3_830_000],
      ['lambda', 4_290_000], ['coreweave', 4_760_000],
    ]);
  });

  test.each([
    [[2_000_000], 20_000],
    [[2_000_000, 1_000_000], 10_000],
    [[3_000_000, 1_000_000, 2_000_000], 30_000],
    [[4_000_000, 3_000_000, 1_000_000, 2_000_000], 30_000],
    [[5_000_000, 4_000_000, 3_000_000, 1_000_000, 2_000_000], 40_000],
    [[123_456], 1_234],
  ])('of %j micro-USD are %i ticks', (usd, ticks) => {
    expect(listPrice(usd.map((amount, index) => ({ provider: `p${index}`, usd: amount })))).toBe(ticks);
  });

  test('need an offer', () => {
    expect(() => listPrice([])).toThrow('at least one on-demand offer');
  });
});

describe('demo asks', () => {
  test('net the offer at the redemption rate, up to the list price', () => {
    expect(demoAsk(1_100_000, 33_900, 620_000)).toBe(17_742);
    expect(demoAsk(620_000, 33_900, 620_000)).toBe(10_000);
    expect(demoAsk(2_400_000, 33_900, 620_000)).toBe(33_900);
    for (const offer of OFFERS) {
      const ask = demoAsk(offer.usd, Number.MAX_SAFE_INTEGER, 620_000);
      expect(BigInt(ask) * 100n * 620_000n >= BigInt(offer.usd) * 1_000_000n, offer.id).toBe(true);
      expect(BigInt(ask - 1) * 100n * 620_000n < BigInt(offer.usd) * 1_000_000n, offer.id).toBe(true);
    }
  });
});

describe('the recorded requests', () => {
  test('are all there, in order, within an hour', () => {
    const requests = traceRequests();
    expect(requests).toHaveLength(8_819);
    expect(requests[0]).toEqual({ index: 0, offset: 0, promptTokens: 4_808, completionTokens: 10 });
    expect(requests[3]).toEqual({ index: 3, offset: 141, promptTokens: 7_433, completionTokens: 14 });
    expect(requests.at(-1)).toEqual({ index: 8_818, offset: 3_435_949, promptTokens: 549, completionTokens: 173 });
    expect(requests.every((request, index) => index === 0 || request.offset >= requests[index - 1].offset)).toBe(true);
  });

  test('can be thinned', () => {
    expect(traceRequests(20)).toHaveLength(441);
    expect(traceRequests(20)[1].index).toBe(20);
    expect(() => traceRequests(0)).toThrow(RangeError);
  });
});

test('the data keep their attribution', () => {
  expect(textOf('gpu_offers.LICENSE')).toContain('gpu-pricing contributors');
  expect(textOf('llm_requests.json').slice(0, 200)).toContain('CC-BY 4.0');
  for (const name of ['gpu_offers.json', 'llm_requests.json', 'class_map.json', 'providers.json']) expect(textOf('README.md')).toContain(name);
});
