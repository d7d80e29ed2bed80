// Which server a scenario talks to, and with which keys: CCX_URL, CCX_TRADE_KEY and CCX_GATEWAY_KEY,
// or the demo market's demo.json (DEMO_JSON, by default ../.data/demo.json).
export function target() {
  const demo = __ENV.CCX_URL ? undefined : JSON.parse(open(__ENV.DEMO_JSON || '../.data/demo.json'));
  return {
    url: (__ENV.CCX_URL || demo.url).replace(/\/$/, ''),
    tradeKey: __ENV.CCX_TRADE_KEY || (demo && demo.borrower.api_key),
    gatewayKey: __ENV.CCX_GATEWAY_KEY || (demo && demo.gateway_key),
  };
}

export const bearer = (key) => ({ headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' } });

// An open model: iterations start on time whether or not earlier ones have been answered.
export function arrivals(rate, users) {
  return {
    executor: 'constant-arrival-rate',
    rate: Number(__ENV.RATE || rate),
    timeUnit: '1s',
    duration: __ENV.DURATION || '10s',
    preAllocatedVUs: Math.ceil(users / 2),
    maxVUs: users,
  };
}
