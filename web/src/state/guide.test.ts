import { describe, expect, test } from 'vitest';
import { borrowerGuide, lenderGuide, operatorGuide, ownHours, providerGuide, soonestAsk, type BorrowerFacts, type GuideStep } from './guide.ts';
import { hourAt, instrumentId } from './instrument.ts';
import type { WireAllocation, WireCapacity, WireFacility, WireLot, WireModel, WireOrder } from './wire.ts';

const next = (steps: readonly GuideStep[]): string => steps.find((step) => !step.done)?.target ?? 'nothing';
const offered = { accepted_at: null } as WireFacility;
const active = { accepted_at: '2026-12-01T00:00:00Z' } as WireFacility;
const NOW = Date.UTC(2026, 11, 1, 14, 20);
const at = (hours: number, market = 'H100-SXM-80.us-east'): string => instrumentId(market.split('.')[0] ?? '', market.split('.')[1] ?? '', hourAt(NOW) + hours);
const own = (hours: number, change: Partial<WireAllocation> = {}): WireAllocation => ({ instrument: at(hours), quantity: '1', used: '0', status: 'open', frozen: false, ...change }) as WireAllocation;
const bought = own(1);
const facts = (change: Partial<BorrowerFacts>): BorrowerFacts => ({ facilities: [], lots: [], allocations: [], requests: 0, ticket: { price: '', quantity: '' }, now: NOW, ask: undefined, spot: false, ...change });

describe('the guide', () => {
  test.each([
    ['begins with the application', {}, 'apply'],
    ['goes on with the offer', { facilities: [offered] }, 'accept'],
    ['then the draw', { facilities: [active] }, 'draw'],
    ['then the price', { facilities: [active], lots: [{} as WireLot] }, 'price'],
    ['the quantity', { lots: [{} as WireLot], ticket: { price: '2', quantity: '' } }, 'quantity'],
    ['and the button', { lots: [{} as WireLot], ticket: { price: '2', quantity: '1' } }, 'send'],
    ['then the call', { lots: [{} as WireLot], allocations: [bought] }, 'call'],
    ['ends with hours used', { lots: [{} as WireLot], allocations: [own(0, { used: '0.0012' })] }, 'nothing'],
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

describe('a call before the first answer', () => {
  const told = (change: Partial<BorrowerFacts>) => borrowerGuide(facts({ lots: [{} as WireLot], ...change })).at(-1);
  test.each([
    ['runs on an hour that has begun', { allocations: [own(0, { status: 'delivering' })] }, /^Create a key, then send/, undefined],
    ['waits for the first hour bought', { allocations: [own(3), own(1)] }, /begins at 15:00 UTC; then .* test key/, Date.UTC(2026, 11, 1, 15)],
    ['need not wait where the running hour is on offer', { allocations: [bought], spot: true }, /begins at 15:00 UTC\. A key that may buy spot/, Date.UTC(2026, 11, 1, 15)],
    ['needs another hour when the last was used up', { allocations: [own(0, { status: 'delivering', used: '1' })] }, /^No hour of yours is left/, undefined],
  ])('%s', (_name, change, how, until) => {
    const step = told(change);
    expect([step?.how, step?.until]).toEqual([expect.stringMatching(how), until]);
  });

  test('what is frozen or sold on does not run', () => expect(ownHours([own(0, { frozen: true }), own(0, { status: 'resold' })], NOW)).toEqual({ runs: false, next: undefined }));
});

describe('the hour that the guide leads to', () => {
  const live = (market: string, price: string): Pick<WireModel, 'kind' | 'pricing'> => ({ kind: 'chat', pricing: { live: { class: market.split('.')[0] ?? '', market, price, prompt: '1', completion: '1' }, list: null } });
  const point = (instrument: string, best_ask: string | null) => ({ instrument, best_ask });
  const later = [point(at(2), '1.5'), point(at(1, 'L40S-PCIE-48.us-east'), '0.9'), point(at(1), '2'), point(at(0), '1.1'), point(at(1, 'H200-SXM-141.us-west'), null)];
  test('is the running one that serves for least', () => expect(soonestAsk(later, [live('H100-SXM-80.us-west', '2.1'), live('L40S-PCIE-48.us-east', '1.1')], NOW)).toBe(at(0, 'L40S-PCIE-48.us-east')));
  test('is the next one asked for when too little is left', () => expect(soonestAsk(later, [live('H100-SXM-80.us-west', '2.1')], NOW + 36 * 60_000)).toBe(at(1, 'L40S-PCIE-48.us-east')));
  test('is of the market looked at last where that has one', () => expect(soonestAsk(later, [], NOW, 'H100-SXM-80.us-east')).toBe(at(1)));
  test('is none where nobody asks', () => expect(soonestAsk([point(at(1), null)], [], NOW)).toBeUndefined());
});
