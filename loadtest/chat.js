// Chat completions, plain: each is authorised, paid from an allocation or the spot book, forwarded and metered.
// RATE (requests a second), DURATION and MODEL change the load. The demo borrower's credit pays.
import http from 'k6/http';
import { check, fail } from 'k6';
import { arrivals, bearer, target } from './target.js';

const { url, gatewayKey } = target();

export const options = {
  scenarios: { chat: arrivals(5, 30) },
  thresholds: {
    checks: ['rate>0.99'],
    'http_req_failed{scenario:chat}': ['rate<0.01'],
    'http_req_duration{name:chat}': ['p(95)<3000'],
    dropped_iterations: ['count<1'],
  },
};

export function setup() {
  if (__ENV.MODEL) return { model: __ENV.MODEL };
  const listed = http.get(`${url}/v1/models`, bearer(gatewayKey));
  if (listed.status !== 200 || listed.json('data').length === 0) fail(`no models: ${listed.status} ${listed.body}`);
  return { model: listed.json('data.0.id') };
}

export default function ({ model }) {
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: `Request ${__VU}-${__ITER}: what is a GPU hour?` }], max_tokens: 32 });
  const answered = http.post(`${url}/v1/chat/completions`, body, { ...bearer(gatewayKey), tags: { name: 'chat' } });
  const ok = answered.status === 200;
  check(answered, {
    'answered with 200': () => ok,
    'has a choice': (response) => ok && response.json('choices.0.message.content') !== '',
    'counts its tokens': (response) => ok && response.json('usage.total_tokens') > 0,
    // A short request can cost less than the smallest unit: cumulative rounding charges it to a later one.
    'says what it cost': (response) => ok && Number(response.json('x_ccx.gpu_seconds')) > 0 && Number(response.json('x_ccx.credits_used')) >= 0,
  });
}
