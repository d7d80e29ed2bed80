import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { REJECT_CODES } from '../engine/catalogue.ts';
import { API_ERRORS, ApiError, GATEWAY_ERRORS, GatewayError } from './errors.ts';

const page = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');
/** The rows of a section's table: cells without their marks. */
function rowsOf(heading: string): string[][] {
  const section = page.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
  return section.split('\n').filter((line) => line.startsWith('| `')).map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim().replaceAll('`', '')));
}

test('the documentation lists every error of the exchange, and no other', () => {
  const documented = rowsOf('The exchange').map(([code, status, message]) => [code, Number(status), message]);
  const inCode = Object.entries(API_ERRORS).map(([code, { status, message }]) => [code, status, message]);
  expect(documented).toEqual(inCode);
});

test('the documentation lists every error of the OpenAI-compatible paths, and no other', () => {
  const documented = rowsOf('The OpenAI-compatible paths').map(([code, status, type, message]) => [code, Number(status), type, message]);
  const inCode = Object.entries(GATEWAY_ERRORS).map(([code, { status, type, message }]) => [code, status, type, message]);
  expect(documented).toEqual(inCode);
});

test('every error is told by a test', () => {
  const root = new URL('../', import.meta.url);
  const files = ['api', 'engine', 'db', 'loadtest'].flatMap((folder) => readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' }).map((file) => `${folder}/${file}`));
  const own = 'api/errors.test.ts';
  const tests = files.filter((file) => file.endsWith('.test.ts') && file !== own && !file.includes('node_modules')).map((file) => readFileSync(new URL(file, root), 'utf8')).join('\n');
  const untold = [...Object.keys(API_ERRORS), ...Object.keys(GATEWAY_ERRORS)].filter((code) => !new RegExp(`\\b${code}\\b`).test(tests));
  expect(untold).toEqual([]);
});

test("refusals of the engine stand first, in the engine's order of precedence", () => {
  expect(Object.keys(API_ERRORS).slice(0, REJECT_CODES.length)).toEqual([...REJECT_CODES]);
});

test('an error fills in its message and knows its field', () => {
  const error = new ApiError('insufficient_scope', { field: 'scopes', values: { scope: 'trade' } });
  expect(error.body('r-1')).toEqual({ error: { code: 'insufficient_scope', message: 'This needs the scope "trade".', field: 'scopes', request_id: 'r-1' } });
  expect(error.status).toBe(403);
});

test('an error of the gateway has the shape that OpenAI clients read', () => {
  const error = new GatewayError('model_not_found', { field: 'model', values: { model: 'x/y' } });
  expect(error.body()).toEqual({ error: { message: 'The model "x/y" does not exist.', type: 'invalid_request_error', param: 'model', code: 'model_not_found' } });
});

test('values from outside are put in as they are', () => {
  expect(new ApiError('invalid_request', { values: { detail: '{limit} $& $1' } }).message).toBe('{limit} $& $1');
});
