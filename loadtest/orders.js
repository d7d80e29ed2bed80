// Order entry: each iteration places a bid that rests below the market and cancels it.
// RATE (iterations a second) and DURATION change the load. The orders are the demo borrower's and are gone at the end.
import http from 'k6/http';
import { check, fail } from 'k6';
import { arrivals, bearer, target } from './target.js';

const { url, tradeKey } = target();
const api = `${url}/api/v1`;
const params = (name) => ({ ...bearer(tradeKey), tags: { name } });

export const options = {
  // Fewer users than orders that one account may have open.
  scenarios: { orders: arrivals(50, 30) },
  thresholds: {
    checks: ['rate>0.99'],
    'http_req_failed{scenario:orders}': ['rate<0.01'],
    'http_req_duration{name:place}': ['p(95)<500', 'p(99)<1500'],
    'http_req_duration{name:cancel}': ['p(95)<500', 'p(99)<1500'],
    dropped_iterations: ['count<1'],
  },
};

// A delivery hour far enough away to stay open during the test, and a price that rests below the best bid.
export function setup() {
  const from = new Date(Date.now() + 2 * 3600_000).toISOString();
  const to = new Date(Date.now() + 4 * 3600_000).toISOString();
  const listed = http.get(`${api}/instruments?class=H100-SXM-80&region=us-east&from=${from}&to=${to}`);
  if (listed.status !== 200 || listed.json('data').length === 0) fail(`no instruments: ${listed.status} ${listed.body}`);
  const instrument = listed.json('data')[0].id;
  const book = http.get(`${api}/instruments/${instrument}/book?depth=1`);
  if (book.status !== 200) fail(`no book: ${book.status} ${book.body}`);
  const best = book.json('bids.0.0') || book.json('asks.0.0') || '1.0000';
  return { instrument, price: (Number(best) * 0.95).toFixed(4) };
}

export default function ({ instrument, price }) {
  const body = JSON.stringify({ instrument, side: 'buy', type: 'limit', price, quantity: '0.01', time_in_force: 'gtc', post_only: true });
  const placed = http.post(`${api}/orders`, body, params('place'));
  const resting = check(placed, {
    'placed with 201': (response) => response.status === 201,
    'rests open': (response) => response.status === 201 && response.json('order.status') === 'open',
  });
  if (!resting) return;
  const canceled = http.del(`${api}/orders/${placed.json('order.id')}`, null, params('cancel'));
  check(canceled, { 'canceled with 200': (response) => response.status === 200 });
}

export function teardown({ instrument }) {
  http.del(`${api}/orders?instrument=${instrument}&side=buy`, null, params('mass_cancel'));
}
