/** A lender: the portfolio, a freeze, what it does to the borrower's next bid, and its end. `node examples/freeze.mjs` */
import { call, demo, instrument } from './demo.mjs';

const portfolio = await call(demo.lender.api_key, 'GET', '/api/v1/portfolio');
console.log(`facilities: ${portfolio.facilities.length}; ${portfolio.outstanding} USD outstanding, ${portfolio.undrawn} undrawn, ${portfolio.expected_loss} expected loss`);
const [facility] = (await call(demo.borrower.api_key, 'GET', '/api/v1/facilities')).data;

await call(demo.lender.api_key, 'POST', `/api/v1/facilities/${facility.id}/freeze`, { fraction: '1', reason: 'covenant test failed' });
const bid = { instrument: instrument('H100-SXM-80', 'us-east', 5), side: 'buy', type: 'limit', price: '0.5000', quantity: '1', time_in_force: 'gtc' };
await call(demo.borrower.api_key, 'POST', '/api/v1/orders', bid).catch((error) => console.log(error.message));

await call(demo.lender.api_key, 'POST', `/api/v1/facilities/${facility.id}/unfreeze`, {});
const { order } = await call(demo.borrower.api_key, 'POST', '/api/v1/orders', bid);
console.log(`after the unfreeze the same bid is ${order.status}`);
await call(demo.borrower.api_key, 'DELETE', `/api/v1/orders/${order.id}`);
