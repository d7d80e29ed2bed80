/** A provider: what is verified, an offer, what it would bring, what was sold. `node examples/sell_gpu_hours.mjs` */
import { call, demo, instrument } from './demo.mjs';

const key = demo.provider.api_key;
const capacity = (await call(key, 'GET', '/api/v1/capacity')).data;
for (const { class: gpuClass, region, gpus, status } of capacity) console.log(`${gpus} x ${gpuClass} in ${region}: ${status}`);

const [{ class: gpuClass, region }] = capacity;
const { order } = await call(key, 'POST', '/api/v1/orders', {
  instrument: instrument(gpuClass, region, 6), side: 'sell', type: 'limit', price: '1.0000', quantity: '4', time_in_force: 'gtc',
});
console.log(`offer ${order.id} at ${order.price} CR is ${order.status}; it brings ${order.net_usd_per_gpu_hour} USD per GPU-hour`);
const offers = (await call(key, 'GET', '/api/v1/offers')).data;
console.log(`${offers.length} offers stand`);
await call(key, 'DELETE', `/api/v1/orders/${order.id}`).catch((error) => console.log(error.message));
