/** What every example needs: the demo's addresses and keys, and one function that calls the exchange. */
import { existsSync, readFileSync } from 'node:fs';

// What the exchange refuses is said in its words, without a place in this program.
process.on('uncaughtException', ({ message }) => {
  console.error(message);
  process.exit(1);
});

const file = `${process.env.DATA_DIR ?? '.data'}/demo.json`;
if (!existsSync(file)) throw new Error(`${file} is missing: start the demo market with \`npm start\``);
export const demo = JSON.parse(readFileSync(file, 'utf8'));

/** Calls the exchange and returns the body. Throws the exchange's own message when it refuses. */
export async function call(key, method, path, body) {
  const response = await fetch(`${demo.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${answer.error.code}: ${answer.error.message}`);
  return answer;
}

/** The instrument of a GPU class in a region, `ahead` hours from now. */
export function instrument(gpuClass, region, ahead) {
  const hour = new Date(Date.now() + ahead * 3_600_000).toISOString();
  return `${gpuClass}.${region}.${hour.slice(0, 13).replaceAll('-', '')}Z`;
}
