/** A borrower: draw on the facility, see the credit it mints, bid with it, take the bid back. `node examples/borrow_and_bid.mjs` */
import { call, demo, instrument } from './demo.mjs';

const key = demo.borrower.api_key;
const [facility] = (await call(key, 'GET', '/api/v1/facilities')).data;
console.log(`facility ${facility.id}: ${facility.state}, grade ${facility.grade}, ${facility.undrawn} USD undrawn`);

const { lot } = await call(key, 'POST', `/api/v1/facilities/${facility.id}/draws`, { amount: '1000' });
console.log(`1000 USD minted ${lot.credits_minted} CR at ${lot.conversion_rate}`);

const bid = { instrument: instrument('H100-SXM-80', 'us-east', 5), side: 'buy', type: 'limit', price: '0.5000', quantity: '2', time_in_force: 'gtc' };
const preview = await call(key, 'POST', '/api/v1/orders/preview', bid);
console.log(`2 GPU-hours at 0.5 CR would cost ${preview.usd_per_gpu_hour} USD per GPU-hour, all in`);

const { order } = await call(key, 'POST', '/api/v1/orders', bid);
const { credits } = await call(key, 'GET', '/api/v1/balances');
console.log(`order ${order.id} is ${order.status}; ${credits.held} CR held, ${credits.available} available`);

const cancelled = await call(key, 'DELETE', `/api/v1/orders/${order.id}`);
console.log(`order ${cancelled.order.id} is ${cancelled.order.status}`);
