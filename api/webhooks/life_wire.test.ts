/** Of what was not delivered buyer and provider each hear their own side, in names and units that clients know. */
import { expect, test } from 'vitest';
import { kindsOfType, lifeEventWire } from './life_wire.ts';

const BUYER = 1;
const PROVIDER = 2;
const directory = { className: () => 'H100-SXM-80', regionName: () => 'us-east', modelName: () => 'a-model' };
const failed = {
  allocation: 7, company: BUYER, provider: PROVIDER, found: 'after_delivery', gpu: 1_800_000_000, penal: 900_000_000, credits: 1_000_000, fee: 20_000, damages: 250_000,
  clawedBack: 880_000, commission: 40_000, reason: 'wrong_answers',
};
const told = (kind: Parameters<typeof lifeEventWire>[0]['kind'], data: Record<string, unknown>, company: number) => lifeEventWire({ sequence: 5, place: 1, kind, facility: null, at: 0, data }, { company, directory });

test('what failed: each learns why, how much and what was paid, but not the other\'s fees', () => {
  const both = { allocation_id: 'alc_7', provider_id: 'cmp_2', found: 'after_delivery', gpu_hours: '0.5', fault_gpu_hours: '0.25', credits: '1.00', damages: '0.25', reason: 'wrong_answers' };
  expect(told('deliveryFailed', failed, BUYER)).toMatchObject({ id: 'evt_5_1', type: 'delivery.failed', data: {} });
  expect(told('deliveryFailed', failed, BUYER).data).toEqual({ ...both, company_id: 'cmp_1', fee: '0.02' });
  expect(told('deliveryFailed', failed, PROVIDER).data).toEqual({ ...both, clawed_back: '0.88', commission: '0.04' });
  // What was bought elsewhere costs no damages, and is no less the provider's fault.
  expect(told('deliveryFailed', { ...failed, reason: 'replaced', penal: 0, damages: 0 }, BUYER).data).toMatchObject({ gpu_hours: '0.5', fault_gpu_hours: '0.5', damages: '0.00' });
});

test('a replacement: hours sought and bought, and what they cost the bond', () => {
  const sought = { allocation: 7, company: BUYER, provider: PROVIDER, wanted: 250, replaced: 0, order: 0, extra: 0, outcome: 'no_offer' };
  expect(told('replacementSought', sought, BUYER)).toMatchObject({
    type: 'delivery.replacement_sought', data: { allocation_id: 'alc_7', order_id: null, wanted_gpu_hours: '2.5', replaced_gpu_hours: '0', replacement_cost: '0.00', outcome: 'no_offer' },
  });
});

test('a failed minute: where, when and of which model', () => {
  const minute = { company: PROVIDER, market: 0, model: 3, minute: 60, reason: 'requests', share: 1_000_000, requests: 6, failures: 5 };
  expect(told('minuteFailed', minute, PROVIDER)).toMatchObject({
    type: 'delivery.minute_failed', data: { company_id: 'cmp_2', class: 'H100-SXM-80', region: 'us-east', model: 'a-model', minute: '1970-01-01T01:00:00.000Z', reason: 'requests', share: '1.00', requests: 6, failures: 5 },
  });
});

test('an annulment: since when, and why', () => {
  const annulled = { provider: PROVIDER, market: 0, model: -1, since: 3_600_000, reason: 'operator', by: -1 };
  expect(told('deliveryAnnulled', annulled, PROVIDER)).toMatchObject({ type: 'delivery.annulled', data: { provider_id: 'cmp_2', class: 'H100-SXM-80', model: null, since: '1970-01-01T01:00:00.000Z', reason: 'operator', by_id: null } });
});

test('a buyer hears of a failed minute under the same name, and of whom', () => {
  const minute = { company: BUYER, provider: PROVIDER, market: 0, model: -1, minute: 60, reason: 'canary', share: 1_000_000 };
  expect(told('boughtMinuteFailed', minute, BUYER)).toMatchObject({ type: 'delivery.minute_failed', data: { company_id: 'cmp_1', provider_id: 'cmp_2', model: null, reason: 'canary' } });
  expect(kindsOfType('delivery.minute_failed')).toEqual(['minuteFailed', 'boughtMinuteFailed']);
});

test('a covenant: months of runway, USD of cash, percent of the planned use', () => {
  const tested = (covenant: string, value: number, threshold: number) => told('covenantTested', { facility: 0, covenant, value, threshold, kept: true, breachedOn: 0 }, BUYER).data;
  expect(tested('runway', 4_500_000, 3_000_000)).toEqual({ facility_id: 'fac_0', covenant: 'runway', value: '4.50', threshold: '3.00', kept: true, breached_on: null });
  expect(tested('minimum_cash', 4_000_000_000, 5_000_000_000)).toMatchObject({ value: '4000.00', threshold: '5000.00' });
  expect(tested('use', 564_939, 1_400_000)).toMatchObject({ value: '56.4939', threshold: '140.00' });
});
