/**
 * Some weeks of the demo market on a manual clock, so that its screens have something to show: facilities at several ages, one
 * of them late, hours offered, sold, delivered and used, requests of several keys, orders that rest, a market that is halted.
 */
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const WEEKS_AHEAD = 5;
const WORKED_DAYS = 9;
const WATCHED_HOURS = 5;
const CLASS = 'H100-SXM-80';
const REGION = 'us-east';
const GPUS = 128;
const SCOPES = ['inference', 'account', 'read', 'trade', 'credit'];

const SOUND = { cash: '6000000', monthly_burn: '310000', monthly_revenue: '420000', cash_trend_3m_percent: '4', revenue_growth_percent: '110', gross_margin_percent: '62', compute_share_percent: '35', forecast_error_percent: '9', top_customer_percent: '14', past_days_overdue: '0' };
const FAIR = { ...SOUND, cash: '2600000', monthly_revenue: '150000', cash_trend_3m_percent: '-6', gross_margin_percent: '48', top_customer_percent: '31' };
const BORROWERS = [
  { company: 'Kestrel Robotics', amount: '600000', months: 9, method: 'annuity', application: SOUND, share: 0.4, after: 2 },
  { company: 'Juniper Health', amount: '350000', months: 6, method: 'annuity', application: FAIR, share: 0.4, after: 1, late: true },
  { company: 'Halcyon Speech', amount: '900000', months: 12, method: 'bullet', application: SOUND, share: 0.4, after: 24 },
  { company: 'Tern Logistics', amount: '250000', months: 12, method: 'annuity', application: FAIR, after: 33 },
];
const PROMPTS = ['Summarise the incident of last night in three lines.', 'Write a SQL query that finds duplicate invoices.', 'Translate to German: the pump is serviced twice a year.', 'Name five risks of a single supplier.', 'Explain what a heat map shows.'];

export const instrumentAt = (time, gpuClass = CLASS, region = REGION) => `${gpuClass}.${region}.${new Date(time).toISOString().slice(0, 13).replaceAll('-', '')}Z`;

/** @returns the hour that the borrower trades, a few ahead of the market's time */
export async function live(demo, say) {
  const call = callsOf(demo.url);
  const clock = { now: Date.parse((await call('', 'GET', '/status')).now) };
  const moveTo = async (time) => {
    await call(demo.operator.api_key, 'POST', '/clock', { now: new Date(time).toISOString() });
    clock.now = time;
  };
  const hour = () => Math.floor(clock.now / HOUR) * HOUR;
  const own = demo.borrower.api_key;
  const keys = [demo.gateway_key, ...(await Promise.all(['Chat in production', 'Nightly batch'].map((name, index) => keyOf(call, own, name, index))))];

  await provide(call, demo.provider.api_key);
  const others = [];
  const last = hour() + WEEKS_AHEAD * 7 * DAY;
  for (let day = 0; clock.now < last - DAY; day++) {
    for (const borrower of BORROWERS.filter(({ after }) => after === day)) others.push(await borrow(call, borrower));
    await moveTo(hour() + DAY);
    await repay(call, [own, ...others.filter(({ late }) => !late).map(({ key }) => key)]);
    if (last - clock.now > WORKED_DAYS * DAY) continue;
    await work(call, { demo, keys, buyers: others.map(({ key }) => key), hour: hour(), moveTo });
    say(`day ${day}`);
  }
  // The last hours by ten minutes, so that the hour that is looked at has a history.
  const shown = last + 3 * HOUR;
  await offer(call, demo.provider.api_key, last - 2 * HOUR, 40, '24', '1.9500');
  await moveTo(last - WATCHED_HOURS * HOUR);
  for (let turn = 0; clock.now < last; turn++) {
    await moveTo(Math.min(clock.now + HOUR / 6, last));
    await trade(call, demo.provider.api_key, [own, ...others.map(({ key }) => key)], instrumentAt(shown), turn);
  }
  // The demo's makers refill the book a little whenever time moves.
  for (let minute = 1; minute <= 21; minute++) await moveTo(last + minute * 60_000);
  await ask(demo, keys, 9);
  await rest(call, demo, hour());
  await operate(call, demo);
  return instrumentAt(shown);
}

/** A machine that is busy elsewhere may be asked again; the key makes it the same call. */
const TRIES = 5;
const callsOf = (url) =>
  async function call(key, method, path, body, headers = {}) {
    const all = { ...(key === '' ? {} : { authorization: `Bearer ${key}` }), ...(body === undefined ? {} : { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() }), ...headers };
    for (let tries = 1; ; tries++) {
      const answer = await fetch(`${url}/api/v1${path}`, { method, headers: all, body: body === undefined ? undefined : JSON.stringify(body) });
      const text = await answer.text();
      if (answer.ok) return text === '' ? undefined : { ...JSON.parse(text), cookie: answer.headers.get('set-cookie')?.split(';')[0] };
      if (answer.status < 500 || tries === TRIES) throw new Error(`${method} ${path}: ${text}`);
      await new Promise((resolve) => setTimeout(resolve, tries * 1_000));
    }
  };

/** What the market does not take at the moment is left out: a life has such days. */
const perhaps = (work) => work.catch(() => undefined);

const keyOf = async (call, owner, name, index) =>
  (await call(owner, 'POST', '/keys', { name, scopes: ['inference', 'read'], monthly_limit: index === 0 ? '500' : '40', spot: { enabled: true, maximum_price: '2.5' } })).secret;

async function provide(call, key) {
  const { endpoint } = await call('', 'GET', '/demo');
  await call(key, 'POST', '/capacity', { class: CLASS, region: REGION, gpus: GPUS });
  await call(key, 'POST', '/capacity', { class: 'A100-SXM-80', region: 'us-west', gpus: 16 });
  await call(key, 'POST', '/endpoints', { url: endpoint.url, class: CLASS, region: REGION, models: endpoint.models });
  for (let look = 0; look < 60; look++) {
    if ((await call(key, 'GET', '/capacity')).data.some(({ status }) => status === 'verified')) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error('the endpoint was not verified');
}

async function borrow(call, { company, amount, months, method, application, share, late = false }) {
  const person = { email: `${company.split(' ')[0].toLowerCase()}@demo.example`, password: crypto.randomUUID() };
  await call('', 'POST', '/auth/register', { ...person, company, role: 'borrower' });
  const { cookie, csrf_token } = await call('', 'POST', '/auth/login', person);
  const { secret: key } = await call('', 'POST', '/keys', { name: 'first', scopes: SCOPES }, { cookie, 'x-csrf-token': csrf_token });
  const facility = await call(key, 'POST', '/facilities', { amount, months, method, application });
  if (share !== undefined) {
    await call(key, 'POST', `/facilities/${facility.id}/accept`);
    await call(key, 'POST', `/facilities/${facility.id}/draws`, { amount: String(Math.round(Number(facility.amount) * share)) });
  }
  return { key, late };
}

/** Who pays, pays on the day. */
async function repay(call, keys) {
  for (const key of keys) {
    for (const { id, accepted_at } of (await call(key, 'GET', '/facilities')).data) {
      if (accepted_at === null) continue;
      const { next_payment: next } = await call(key, 'GET', `/facilities/${id}/dashboard`);
      if (next === null || !/[1-9]/.test(next.past_due)) continue;
      await call(key, 'POST', '/deposits', { amount: next.past_due, reference: `instalment ${id} ${next.due_date}` });
      await call(key, 'POST', `/facilities/${id}/repayments`, { amount: next.past_due });
    }
  }
}

/** An offer of the demo provider over some hours, a little under the others. */
const offer = (call, key, from, hours, gpus = '24', price = '1.8200') =>
  perhaps(call(key, 'POST', '/blocks', { class: CLASS, region: REGION, start_at: new Date(from).toISOString(), end_at: new Date(from + hours * HOUR).toISOString(), quantity: gpus, price, side: 'sell', time_in_force: 'gtc' }));

const buy = (call, key, instrument, price, quantity, more = {}) => perhaps(call(key, 'POST', '/orders', { instrument, side: 'buy', type: 'limit', price, quantity, time_in_force: 'ioc', ...more }));

/** A day of work: hours are offered and bought ahead, then used as they run. */
async function work(call, { demo, keys, buyers, hour, moveTo }) {
  const from = hour + 2 * HOUR;
  await offer(call, demo.provider.api_key, from, 8);
  for (let ahead = 0; ahead < 5; ahead++) {
    await buy(call, demo.borrower.api_key, instrumentAt(from + ahead * HOUR), '1.9500', String(4 + 2 * ahead));
    await buy(call, buyers[ahead % buyers.length], instrumentAt(from + ahead * HOUR), '1.9500', String(3 + ahead));
  }
  await moveTo(from + 12 * 60_000);
  await ask(demo, keys, 4 + (Math.floor(hour / DAY) % 5));
}

/** Requests of the borrower's programs; now and then one that is refused. */
async function ask({ url }, keys, count) {
  const models = (await (await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${keys[0]}` } })).json()).data.map(({ id }) => id).filter((id) => !/bge|embed/.test(id));
  for (let index = 0; index < count; index++) {
    const body = { model: index % 7 === 6 ? 'unknown/model' : models[index % models.length], messages: [{ role: 'user', content: PROMPTS[index % PROMPTS.length] }], max_tokens: 60 + 40 * (index % 4), stream: index % 3 === 1 };
    const answer = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${keys[index % keys.length]}`, 'content-type': 'application/json' }, body: JSON.stringify(body) });
    await answer.text();
  }
}

/** A little is offered at prices that wander, and taken: candles. */
async function trade(call, provider, buyers, instrument, turn) {
  const middle = 1.894 + 0.005 * Math.sin(turn / 4) + 0.002 * Math.sin(turn * 1.7);
  for (const [index, key] of buyers.slice(0, 3).entries()) {
    const price = (middle + 0.0015 * Math.sin(turn * 3 + index * 2)).toFixed(4);
    const asked = await perhaps(call(provider, 'POST', '/orders', { instrument, side: 'sell', type: 'limit', price, quantity: String(1 + ((turn + index) % 3)), time_in_force: 'gtc' }));
    await buy(call, key, instrument, price, asked?.order.quantity ?? '1');
  }
}

/** Orders that wait. */
async function rest(call, { borrower, provider }, hour) {
  const waits = (ahead, price, quantity, more = {}) => buy(call, borrower.api_key, instrumentAt(hour + ahead * HOUR), price, quantity, { time_in_force: 'gtc', ...more });
  await waits(3, '1.7600', '40', { post_only: true });
  await waits(3, '1.7250', '120', { display_quantity: '20' });
  await waits(5, '1.6900', '64');
  await waits(4, '2.1000', '16', { type: 'stop_limit', stop_price: '2.0500' });
  await perhaps(call(borrower.api_key, 'POST', '/blocks', { class: CLASS, region: REGION, start_at: new Date(hour + 8 * HOUR).toISOString(), end_at: new Date(hour + 16 * HOUR).toISOString(), quantity: '8', price: '1.7000', side: 'buy', time_in_force: 'gtc', minimum_acceptance_ratio: '0.5' }));
  await offer(call, provider.api_key, hour + 6 * HOUR, 48, '16');
  await perhaps(call(provider.api_key, 'POST', '/repricing-rules', { class: CLASS, region: REGION, enabled: true, price_floor: '1.6500', price_ceiling: null, undercut: '0.0010' }));
}

/** A class is halted, one operator asks for its return, another for other bands. */
async function operate(call, { operator, operator_2: second }) {
  await call(operator.api_key, 'POST', '/markets/halt', { scope: 'RTX4090-PCIe-24.eu-west', reason: 'Two endpoints answer with another model than they are rated for' });
  await call(operator.api_key, 'POST', '/markets/resume', { scope: 'RTX4090-PCIe-24.eu-west', reason: 'Both endpoints pass the canary again' });
  await perhaps(call(second.api_key, 'POST', '/bands', { above: '8', below: '0.01', reason: 'Narrower while volumes are small' }));
}
