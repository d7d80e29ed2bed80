import { describe, expect, test } from 'vitest';
import { borrowerGuide, lenderGuide, operatorGuide, providerGuide, type BorrowerFacts, type GuideStep } from './guide.ts';
import type { WireAllocation, WireCapacity, WireFacility, WireLot, WireOrder } from './wire.ts';

const next = (steps: readonly GuideStep[]): string => steps.find((step) => !step.done)?.target ?? 'nothing';
const offered = { accepted_at: null } as WireFacility;
const active = { accepted_at: '2026-12-01T00:00:00Z' } as WireFacility;
const bought = { used: '0' } as WireAllocation;
const facts = (change: Partial<BorrowerFacts>): BorrowerFacts => ({ facilities: [], lots: [], allocations: [], requests: 0, ticket: { price: '', quantity: '' }, ...change });

describe('the guide', () => {
  test.each([
    ['begins with the application', {}, 'apply'],
    ['goes on with the offer', { facilities: [offered] }, 'accept'],
    ['then the draw', { facilities: [active] }, 'draw'],
    ['then the price', { facilities: [active], lots: [{} as WireLot] }, 'price'],
    ['the quantity', { lots: [{} as WireLot], ticket: { price: '2', quantity: '' } }, 'quantity'],
    ['and the button', { lots: [{} as WireLot], ticket: { price: '2', quantity: '1' } }, 'send'],
    ['then the call', { lots: [{} as WireLot], allocations: [bought] }, 'call'],
    ['ends with hours used', { lots: [{} as WireLot], allocations: [{ used: '0.0012' } as WireAllocation] }, 'nothing'],
    ['ends with a completion from the spot book', { lots: [{} as WireLot], requests: 1 }, 'nothing'],
  ])('of a borrower %s', (_name, change, target) => expect(next(borrowerGuide(facts(change)))).toBe(target));

  test.each([
    ['begins with the bond', '0', [], [], 'bond'],
    ['then capacity', '5', [], [], 'capacity'],
    ['then its proof', '5', [{ verified_gpus: 0 }], [], 'endpoint'],
    ['then an offer', '5', [{ verified_gpus: 8 }], [], 'offer'],
    ['and ends', '5', [{ verified_gpus: 8 }], [{ side: 'sell' }], 'nothing'],
  ])('of a provider %s', (_name, bond, capacity, orders, target) =>
    expect(next(providerGuide({ balances: { bond }, capacity: capacity as WireCapacity[], orders: orders as WireOrder[] }))).toBe(target));

  test.each([
    ['begins with a mandate', [], [], 'mandate'],
    ['then waits for a loan', [{ state: 'open' }], [offered], 'facilities'],
    ['and ends', [{ state: 'open' }], [active], 'nothing'],
  ])('of a lender %s', (_name, mandates, facilities, target) => expect(next(lenderGuide({ mandates, facilities } as Parameters<typeof lenderGuide>[0]))).toBe(target));

  test.each([
    ['begins with the brake', [], 'Try the brake'],
    ['then lets go', ['market.halt'], 'Let it go'],
    ['and ends', ['market.halt', 'market.resume.requested'], undefined],
  ])('of an operator %s', (_name, acts, title) => expect(operatorGuide(acts.map((action) => ({ action }))).find((step) => !step.done)?.title).toBe(title));
});
