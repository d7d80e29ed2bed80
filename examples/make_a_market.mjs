/**
 * A trader that quotes many hours at once: a ladder of bids by one batch, re-priced by another, kept
 * alive by the dead-man timer, taken back by a mass cancel. `node examples/make_a_market.mjs`
 */
import { call, demo, instrument } from './demo.mjs';

const key = demo.borrower.api_key;
const HOURS = 12;
const below = (price, ticks) => ((Math.round(Number(price) * 10_000) - ticks) / 10_000).toFixed(4);
const count = (results, status) => results.filter((result) => result.status === status).length;

// Whatever happens to this program, its orders are gone ten seconds after its last word.
const { cancel_at } = await call(key, 'POST', '/api/v1/orders/cancel-after', { seconds: 10 });
console.log(`all orders end at ${cancel_at} unless the timer is renewed`);

const books = await Promise.all(Array.from({ length: HOURS }, (_, ahead) => call(key, 'GET', `/api/v1/instruments/${instrument('H100-SXM-80', 'us-east', ahead + 2)}/book?level=1`)));
const quoted = books.filter(({ asks }) => asks.length > 0);
const ladder = quoted.flatMap(({ instrument: name, asks: [[ask]] }) =>
  [200, 400, 600].map((ticks) => ({ op: 'place', instrument: name, side: 'buy', type: 'limit', price: below(ask, ticks), quantity: '1', post_only: true })));
const placed = (await call(key, 'POST', '/api/v1/orders/batch', { operations: ladder })).results;
console.log(`${count(placed, 201)} of ${ladder.length} bids stand in ${quoted.length} hours`);

// A batch answers for each operation: one that is refused stops no other.
const moved = placed.flatMap(({ order }) => (order === undefined ? [] : [{ op: 'amend', id: order.id, price: below(order.price, 50) }]));
const amended = (await call(key, 'POST', '/api/v1/orders/batch', { operations: [...moved, { op: 'cancel', id: 'ord_0' }] })).results;
console.log(`${count(amended, 200)} bids moved; the last operation: ${amended.at(-1).error.code}`);

await call(key, 'POST', '/api/v1/orders/cancel-after', { seconds: 0 });
const { canceled } = await call(key, 'DELETE', '/api/v1/orders?side=buy');
console.log(`${canceled} orders taken back`);
