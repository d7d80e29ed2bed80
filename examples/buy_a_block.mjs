/**
 * A buyer of a whole working day: one order over eight hours, all of them or none, at an average price.
 * What cannot be had now waits as a block and takes what is offered later. `node examples/buy_a_block.mjs`
 */
import { call, demo } from './demo.mjs';

const key = demo.borrower.api_key;
const HOUR = 3_600_000;
const scope = { class: 'H100-SXM-80', region: 'us-east' };
const start = Math.ceil(Date.now() / HOUR) * HOUR + HOUR;
const hours = { start_at: new Date(start).toISOString(), end_at: new Date(start + 8 * HOUR).toISOString() };

// What the eight hours would cost, from the forward curve.
const { data: curve } = await call(key, 'GET', `/api/v1/curve?class=${scope.class}&region=${scope.region}`);
const asks = curve.filter(({ start_at }) => start_at >= hours.start_at && start_at < hours.end_at).map(({ best_ask }) => best_ask);
console.log(`asked for the hours: ${asks.map((price) => price ?? 'nothing').join(', ')}`);

const block = { ...scope, ...hours, side: 'buy', quantity: '2', price: '2.5000' };
const now = await call(key, 'POST', '/api/v1/blocks', { ...block, time_in_force: 'fok' });
console.log(`2 GPUs through all eight hours, at once or not at all: ${now.order.status}, average ${now.order.average_price ?? '-'} CR in ${now.fills.length} fills`);

// The price bounds the average: a dear hour may be paid for by a cheap one. Half of it is enough.
const waits = await call(key, 'POST', '/api/v1/blocks', { ...block, price: '1.0000', time_in_force: 'gtc', minimum_acceptance_ratio: '0.5' });
console.log(`block ${waits.order.id} at 1.0000 CR is ${waits.order.status}; ${waits.order.hold} CR held for its worst case`);
const { order } = await call(key, 'DELETE', `/api/v1/orders/${waits.order.id}`);
console.log(`block ${order.id} is ${order.status}`);
