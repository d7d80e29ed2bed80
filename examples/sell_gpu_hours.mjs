/**
 * A provider: declare capacity, prove it by an endpoint, offer hours, see what they bring.
 * Any OpenAI-compatible server will do (vLLM, SGLang, llama.cpp, Ollama). To try it with the demo's own,
 * start one with `node dist/demo_provider.js --port 9100`, the exchange with
 * `ENDPOINT_ALLOW=127.0.0.1:9100 npm start` (only public addresses are allowed otherwise), then
 * `node examples/sell_gpu_hours.mjs http://127.0.0.1:9100/v1`
 */
import { call, demo, instrument } from './demo.mjs';

const url = process.argv[2];
if (url === undefined) {
  console.error('usage: node examples/sell_gpu_hours.mjs ENDPOINT_URL [MODEL]');
  process.exit(2);
}
const [gpuClass, region] = ['H100-SXM-80', 'eu-west'];
const key = demo.provider.api_key;

let capacity = await call(key, 'POST', '/api/v1/capacity', { class: gpuClass, region, gpus: 8 });
console.log(`8 x ${gpuClass} in ${region}: ${capacity.status}`);
await call(key, 'POST', '/api/v1/endpoints', { url, class: gpuClass, region, models: [process.argv[3] ?? 'meta-llama/Llama-3.1-8B-Instruct'] });
while (capacity.status !== 'verified') {
  await new Promise((resolve) => setTimeout(resolve, 500));
  capacity = (await call(key, 'GET', '/api/v1/capacity')).data.find((entry) => entry.class === gpuClass && entry.region === region);
}
console.log('the endpoint has answered a completion: capacity verified');

const name = instrument(gpuClass, region, 6);
const { order } = await call(key, 'POST', '/api/v1/orders', { instrument: name, side: 'sell', type: 'limit', price: '1.6900', quantity: '4', time_in_force: 'gtc' });
console.log(`offer ${order.id} of 4 GPU-hours at ${order.price} CR is ${order.status}; it brings ${order.net_usd_per_gpu_hour} USD per GPU-hour`);

await call(key, 'POST', '/api/v1/orders', { instrument: name, side: 'sell', type: 'limit', price: '1.6900', quantity: '5', time_in_force: 'gtc' })
  .catch((error) => console.log(error.message));
await call(key, 'DELETE', `/api/v1/orders/${order.id}`);
