/**
 * `npm run loadtest -- trace [--speed 20] [--from 0] [--count 8819]`: sends the recorded LLM requests at their
 * recorded times, faster, and holds every answer against what was charged for it: GPU time against the model's
 * public rating, and the sums of all answers against those of its key, to the unit. The key is one of its own, so
 * that nothing else that the account asks meanwhile is among them.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const WORDS = ['def', 'return', 'value', 'index', 'for', 'in', 'range', 'if', 'else', 'class', 'self', 'list', 'map', 'key', 'sum', 'test'];
const HOUR = 3_600_000;
const MICRO = 6;

/** Decimal text as a whole number of 1e-6. */
export function microOf(text) {
  const [whole, part = ''] = text.split('.');
  return BigInt(whole + part.padEnd(MICRO, '0'));
}
const textOf = (micro) => (Number(micro) / 1e6).toString();

/** The recorded requests from `from` on, each with its milliseconds after the first of them. */
export function requestsOf(trace, from, count) {
  let offset = 0;
  const all = trace.gap_ms.map((gap, index) => ({ index, offset: (offset += gap), prompt: trace.prompt_tokens[index], completion: trace.completion_tokens[index] }));
  const some = all.slice(from, from + count);
  return some.map((request) => ({ ...request, offset: request.offset - some[0].offset }));
}

async function openAccount({ url, ownerKey }) {
  const call = async (method, path, bearer, body) => {
    const answer = await fetch(url + path, { method, headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? undefined : answer.json();
  };
  const get = (path, bearer) => call('GET', path, bearer);
  const { id, secret: key } = await call('POST', '/api/v1/keys', ownerKey, { name: 'trace', scopes: ['inference'], spot: { enabled: true } });
  return {
    key,
    close: () => call('DELETE', `/api/v1/keys/${id}`, ownerKey),
    models: async () => (await get('/api/v1/models', key)).data,
    /** Class of the GPUs by allocation. */
    async classes() {
      const classes = new Map();
      for (let cursor = ''; cursor !== null; ) {
        const page = await get(`/api/v1/allocations?limit=500${cursor === '' ? '' : `&cursor=${cursor}`}`, ownerKey);
        for (const { id, instrument } of page.data) classes.set(id, instrument.split('.')[0]);
        cursor = page.next_cursor;
      }
      return classes;
    },
    async sums() {
      const lines = (await get('/v1/account/usage?group_by=key', key)).data;
      const { remaining } = await get('/v1/account/credits', key);
      const own = lines.find(({ group }) => group === id);
      const { requests = 0, prompt_tokens: prompt = 0, completion_tokens: completion = 0, gpu_seconds: gpu = '0', credits_used: credits = '0' } = own ?? {};
      const others = lines.filter((line) => line !== own).reduce((sum, line) => sum + line.requests, 0);
      return { requests, prompt, completion, gpu: microOf(gpu), credits: microOf(credits), remaining: microOf(remaining), others };
    },
  };
}

function bodyOf({ index, prompt, completion }, models) {
  const content = Array.from({ length: Math.max(1, prompt) }, (_, at) => WORDS[(index * 31 + at * 7) % WORDS.length]).join(' ');
  const stream = index % 2 === 1;
  return { model: models[index % models.length], messages: [{ role: 'user', content }], max_tokens: Math.max(1, completion), stream, ...(stream ? { stream_options: { include_usage: true } } : {}) };
}

/** What an answer says that it cost; or how it failed. */
async function send({ url, key }, request, models) {
  const body = bodyOf(request, models);
  const answer = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) return { failure: `${answer.status} ${JSON.parse(text).error?.code}` };
  const events = body.stream ? text.split('\n\n').flatMap((block) => /^data: (\{.*)$/m.exec(block)?.[1] ?? []).map((data) => JSON.parse(data)) : [JSON.parse(text)];
  if (body.stream && !text.trimEnd().endsWith('data: [DONE]')) return { failure: `a stream without its end: ${JSON.stringify(events.at(-1)).slice(0, 200)}` };
  const last = events.findLast((event) => event.x_ccx !== undefined);
  if (last?.usage == null) return { failure: 'no figures' };
  return { model: body.model, prompt: last.usage.prompt_tokens, completion: last.usage.completion_tokens, receipt: last.x_ccx };
}

/** @returns what does not agree; empty when every request was billed exactly */
export function findings({ told, ratings, classes, before, after, sameHour }) {
  const found = [];
  for (const { model, prompt, completion, receipt } of told) {
    const rated = ratings.get(`${model} ${classes.get(receipt.allocation_id)}`);
    const expected = rated === undefined ? undefined : BigInt(prompt) * rated.prompt + BigInt(completion) * rated.completion;
    if (expected !== microOf(receipt.gpu_seconds)) found.push(`${model}: ${prompt} + ${completion} tokens took ${receipt.gpu_seconds} GPU-seconds, not ${expected === undefined ? '?' : textOf(expected)}`);
  }
  const sum = (of) => told.reduce((total, answer) => total + of(answer), 0n);
  const sums = [
    ['requests', BigInt(told.length), BigInt(after.requests - before.requests)],
    ['prompt tokens', sum(({ prompt }) => BigInt(prompt)), BigInt(after.prompt - before.prompt)],
    ['completion tokens', sum(({ completion }) => BigInt(completion)), BigInt(after.completion - before.completion)],
    ['1e-6 GPU-seconds', sum(({ receipt }) => microOf(receipt.gpu_seconds)), after.gpu - before.gpu],
    ['1e-6 CR used', sum(({ receipt }) => microOf(receipt.credits_used)), after.credits - before.credits],
    // What an hour leaves unused is retired when it ends, and what others ask for with other keys is paid from the same credit.
    ...(sameHour && before.others === after.others ? [['1e-6 CR that left the account', sum(({ receipt }) => microOf(receipt.credits_used)), before.remaining - after.remaining]] : []),
  ];
  for (const [what, expected, counted] of sums) if (expected !== counted) found.push(`${what}: the answers say ${expected}, the exchange ${counted}`);
  return found;
}

const hourOf = () => Math.floor(Date.now() / HOUR);
const percentile = (sorted, fraction) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))];

/** @returns the exit code */
export async function replayTrace(args, { demoFile }) {
  const { values } = parseArgs({ args, options: { speed: { type: 'string', default: '20' }, from: { type: 'string', default: '0' }, count: { type: 'string', default: '8819' } } });
  const demo = demoFile === undefined ? undefined : JSON.parse(readFileSync(demoFile, 'utf8'));
  const url = process.env.CCX_URL ?? demo.url;
  const trace = JSON.parse(readFileSync(new URL('../db/seed/llm_requests.json', import.meta.url), 'utf8'));
  const requests = requestsOf(trace, Number(values.from), Number(values.count));
  const account = await openAccount({ url, ownerKey: process.env.CCX_TRADE_KEY ?? demo.borrower.api_key });
  try {
    return await replay(requests, account, { url, speed: Number(values.speed) });
  } finally {
    await account.close();
  }
}

async function replay(requests, account, { url, speed }) {
  const listed = (await account.models()).filter(({ served, kind }) => served && kind === 'chat');
  const ratings = new Map(listed.flatMap(({ id, ratings: rated }) => rated.map((one) => [`${id} ${one.class}`, { prompt: microOf(one.prompt), completion: microOf(one.completion) }])));
  const models = listed.map(({ id }) => id);
  const [before, hour, begun] = [await account.sums(), hourOf(), performance.now()];
  const answers = await Promise.all(requests.map(async (request) => {
    await new Promise((resolve) => setTimeout(resolve, request.offset / speed));
    const sent = performance.now();
    const answer = await send({ url, key: account.key }, request, models).catch((error) => ({ failure: String(error.cause ?? error) }));
    return { ...answer, millis: performance.now() - sent };
  }));
  const seconds = (performance.now() - begun) / 1_000;
  const told = answers.filter(({ failure }) => failure === undefined);
  const failures = counted(answers.flatMap(({ failure }) => failure ?? []));
  const found = findings({ told, ratings, classes: await account.classes(), before, after: await account.sums(), sameHour: hour === hourOf() });
  const millis = answers.map((answer) => answer.millis).sort((a, b) => a - b);
  console.log(`${requests.length} recorded requests at ${speed} times their speed in ${seconds.toFixed(1)} s: ${told.length} answered, ${answers.length - told.length} failed`);
  console.log(`${told.reduce((sum, { prompt, completion }) => sum + prompt + completion, 0)} tokens, p50 ${Math.round(percentile(millis, 0.5))} ms, p99 ${Math.round(percentile(millis, 0.99))} ms`);
  for (const [what, times] of failures) console.log(`  ${times} times ${what}`);
  for (const line of found.slice(0, 10)) console.log(`  ${line}`);
  console.log(found.length === 0 ? 'every request was billed exactly' : `${found.length} things do not agree`);
  return found.length === 0 && told.length === answers.length ? 0 : 1;
}

function counted(texts) {
  const counts = new Map();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}
