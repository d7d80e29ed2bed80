import { expect, test } from 'vitest';
import { boundBy, requireWithin } from './key_bounds.ts';
import type { Bounds } from './key_bounds.ts';

const FREE: Bounds = { allowedModels: null, allowedIps: null, expiresAt: null, monthlyLimit: null, requestsPerMinute: null, tokensPerMinute: null, needs: null, project: null };
const OWN: Bounds = {
  allowedModels: ['meta-llama/Llama-3.1-8B-Instruct', 'BAAI/bge-m3'], allowedIps: ['10.0.0.0/8'], expiresAt: 1_000, monthlyLimit: 50, requestsPerMinute: 60, tokensPerMinute: 900, project: { id: 'prj_1' },
  needs: { countries: ['DE'], precisions: null, promptRetention: null },
};

test('a key that is bound makes keys that are bound as well, and a session or a key without bounds any', () => {
  expect(boundBy(FREE, OWN)).toEqual(OWN);
  expect(boundBy(FREE, undefined)).toEqual(FREE);
  expect(boundBy(OWN, FREE)).toEqual(OWN);
  const narrower = { ...OWN, allowedModels: ['llama-3.1-8b-instruct'], expiresAt: 900, monthlyLimit: 10 };
  expect(boundBy(narrower, OWN)).toEqual(narrower);
});

test.each<[string, Partial<Bounds>]>([
  ['allowed_models', { allowedModels: ['openai/gpt-oss-20b'] }], ['allowed_ips', { allowedIps: ['10.0.0.0/8', '192.0.2.1'] }], ['expires_at', { expiresAt: 1_001 }],
  ['monthly_limit', { monthlyLimit: 51 }], ['requests_per_minute', { requestsPerMinute: 61 }], ['tokens_per_minute', { tokensPerMinute: 901 }], ['project', { project: { id: 'prj_2' } }], ['endpoint', { needs: { countries: null, precisions: null, promptRetention: null } }],
])('%s beyond its own are refused', (field, more) => {
  expect(() => boundBy({ ...FREE, ...more }, OWN)).toThrow(expect.objectContaining({ code: 'invalid_request', field }) as Error);
  expect(() => requireWithin(FREE, OWN)).toThrow(expect.objectContaining({ field: 'allowed_models' }) as Error);
});
