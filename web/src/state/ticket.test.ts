import { describe, expect, test } from 'vitest';
import { defaultProtection, EMPTY_TICKET, orderBody, restoredTicket, reduceTicket, summarise, type TicketContext, type TicketFields } from './ticket.ts';

const CONTEXT: TicketContext = {
  depth: { bids: [{ price: 20_000, quantity: 500 }], asks: [{ price: 21_000, quantity: 800 }] },
  mode: 'open',
  phase: 'ahead',
  role: 'borrower',
  available: 1_000_000_000n,
  frozen: 0n,
  limits: { bidMaximum: 200_000, askMinimum: 20, askMaximum: 35_000 },
  feedLive: true,
};
const fields = (change: Partial<TicketFields>): TicketFields => ({ ...EMPTY_TICKET, price: '2.10', quantity: '4', ...change });
const reason = (change: Partial<TicketFields>, context: Partial<TicketContext> = {}): string | undefined => summarise(fields(change), { ...CONTEXT, ...context }).problems[0]?.message;

describe('the reducer', () => {
  test('takes a price from the ladder, and its quantity only into an empty field', () => {
    const picked = reduceTicket(EMPTY_TICKET, { type: 'pick', price: 21_000, quantity: 850, side: 'buy' });
    expect(picked).toMatchObject({ price: '2.1000', quantity: '8.5', side: 'buy' });
    expect(reduceTicket({ ...picked, quantity: '3' }, { type: 'pick', price: 20_000, quantity: 500, side: 'sell' })).toMatchObject({ price: '2.0000', quantity: '3', side: 'sell' });
  });

  test('steps exactly, never below zero, and leaves what is no number alone', () => {
    expect(reduceTicket(fields({ price: '2.1' }), { type: 'step', field: 'price', by: 1 }).price).toBe('2.1001');
    expect(reduceTicket(fields({ price: '0.0001' }), { type: 'step', field: 'price', by: -10 }).price).toBe('0.0000');
    expect(reduceTicket(fields({ quantity: '' }), { type: 'step', field: 'quantity', by: 100 }).quantity).toBe('1');
    expect(reduceTicket(fields({ price: 'abc' }), { type: 'step', field: 'price', by: 1 }).price).toBe('abc');
  });

  test('spends a share of the credit', () => {
    expect(reduceTicket(fields({}), { type: 'share', percent: 50, available: 1_000_000_000n, price: 20_000 }).quantity).toBe('248.75');
  });

  test('keeps fields from contradicting each other', () => {
    expect(reduceTicket(fields({ postOnly: true }), { type: 'set', fields: { type: 'market' } })).toMatchObject({ type: 'market', postOnly: false, timeInForce: 'ioc' });
    expect(reduceTicket(fields({ type: 'market', timeInForce: 'ioc' }), { type: 'set', fields: { type: 'limit' } }).timeInForce).toBe('gtc');
    expect(reduceTicket(fields({ postOnly: true }), { type: 'set', fields: { timeInForce: 'fok' } }).postOnly).toBe(false);
  });
});

describe('the button says why', () => {
  test('it can be pressed', () => expect(reason({})).toBeUndefined());
  test.each([
    ['Enter a quantity', { quantity: '' }, {}],
    ['Enter a price', { price: '' }, {}],
    ['Price goes in steps of 0.0001', { price: '2.00001' }, {}],
    ['Quantity goes in steps of 0.01', { quantity: '0.001' }, {}],
    ['Quantity must be above zero', { quantity: '0' }, {}],
    ['Digits and a point only', { price: '2e1' }, {}],
    ['Too large', { quantity: '99999999999999999' }, {}],
    ['Not enough available credit', { quantity: '100000' }, {}],
    ['The lender has frozen this credit', {}, { frozen: 999_999_000n }],
    ['Post-only, but this price would trade at once', { postOnly: true }, {}],
    ['Resell an allocation: choose it below', { side: 'sell' }, {}],
    ['An ask may not exceed the list price 3.5000', { side: 'sell', price: '3.5001' }, { role: 'provider' }],
    ['This market is halted', {}, { mode: 'halted' }],
    ['This market takes cancels only', {}, { mode: 'cancel_only' }],
    ['This hour is over', {}, { phase: 'over' }],
    ['Waiting for live prices', {}, { feedLive: false }],
    ['Log in to trade', {}, { role: undefined }],
    ['A lender account does not trade', {}, { role: 'lender' }],
    ['Enter when the order expires', { timeInForce: 'gtd' }, {}],
    ['Nothing to trade against', { type: 'market', price: '', timeInForce: 'ioc' }, { depth: { bids: [], asks: [] } }],
    ['Enter the stop price', { type: 'stop' }, {}],
    ['At most the quantity', { displayQuantity: '99999' }, {}],
    ['A whole percentage from 1 to 100', { hours: { from: 10, to: 14 }, acceptancePercent: '0' }, {}],
    ['A block has 2 to 744 hours', { hours: { from: 10, to: 11 } }, {}],
  ] as [string, Partial<TicketFields>, Partial<TicketContext>][])('%s', (message, change, context) => expect(reason(change, context)).toBe(message));
});

describe('the summary', () => {
  test('shows credit before and after', () => {
    const { preview, creditAfter } = summarise(fields({}), CONTEXT);
    expect(preview).toMatchObject({ filled: 400, averagePrice: 21_000, cost: 8_400_000n, fee: 42_000n });
    expect(creditAfter).toBe(1_000_000_000n - 8_442_000n);
  });

  test('of a market order protects it 5 % from the best price', () => {
    expect(defaultProtection(CONTEXT.depth, 'buy')).toBe(22_050);
    expect(defaultProtection(CONTEXT.depth, 'sell')).toBe(19_000);
    const summary = summarise(fields({ type: 'market', price: '', timeInForce: 'ioc' }), CONTEXT);
    expect(orderBody(fields({ type: 'market', price: '', timeInForce: 'ioc' }), summary, 'I')).toMatchObject({ type: 'market', price: '2.2050', quantity: '4', time_in_force: 'ioc' });
  });

  test('becomes the body of the contract, without what was not asked', () => {
    const ticket = fields({ price: '2.1', quantity: '4.50' });
    expect(orderBody(ticket, summarise(ticket, CONTEXT), 'H100-SXM-80.us-east.20261201T14Z')).toEqual({
      instrument: 'H100-SXM-80.us-east.20261201T14Z', side: 'buy', type: 'limit', price: '2.1000', quantity: '4.5', time_in_force: 'gtc', post_only: false, cancel_on_disconnect: false,
    });
  });
});

test('credit that the lender has frozen is none that a bid may hold', () => {
  const summary = summarise(fields({}), { ...CONTEXT, available: 100_000_000n, frozen: 95_000_000n });
  expect(summary.creditAfter).toBe(5_000_000n - (summary.preview?.reserved ?? 0n));
  expect(summary.problems[0]?.message).toBe('The lender has frozen this credit');
});

test('a ticket comes back after a reload as it was typed; what is not of a ticket does not', () => {
  const typed = fields({ price: '2.15', postOnly: true, hours: { from: 1, to: 5 } });
  expect(restoredTicket(JSON.stringify(typed))).toEqual({ ...typed, hours: undefined });
  expect(restoredTicket('{"price": 2, "quantity": "3", "other": "x"}')).toEqual({ ...EMPTY_TICKET, quantity: '3' });
  expect(restoredTicket('')).toEqual(EMPTY_TICKET);
});
