/**
 * Answers as OpenAI's schema has them, whatever an endpoint left out or wrote its own way. Fields that
 * the schema does not know stay; each function says whether it changed anything, so that what was right
 * goes on as it came.
 */
import { isObject } from './dialect.ts';
import type { JsonObject, Shown } from './dialect.ts';

/** Sets a field that is not what it must be. @returns whether it had to */
function put(target: JsonObject, name: string, right: boolean, value: unknown): boolean {
  if (right) return false;
  target[name] = value;
  return true;
}

/** Removes fields that may be absent and may not be null. */
export function withoutNulls(target: JsonObject, names: readonly string[]): boolean {
  let changed = false;
  for (const name of names) {
    if (target[name] !== null) continue;
    delete target[name];
    changed = true;
  }
  return changed;
}

/** Removes a field that is not what it must be and may be absent. @returns whether it was there */
function without(target: JsonObject, name: string, right: boolean): boolean {
  if (right || target[name] === undefined) return false;
  delete target[name];
  return true;
}

const SERVICE_TIERS = new Set<unknown>(['auto', 'default', 'flex', 'scale', 'priority']);

/** What stands at the head of an answer and of each of its events. One stream has one id and one time. */
export function shapeHead(answer: JsonObject, shown: Shown, object: string): boolean {
  const { id, created } = answer;
  if (shown.id === '') {
    shown.id = typeof id === 'string' && id !== '' ? id : shown.fallbackId;
    shown.created = typeof created === 'number' && Number.isInteger(created) ? created : shown.created;
  }
  let changed = put(answer, 'id', id === shown.id, shown.id);
  changed = put(answer, 'created', created === shown.created, shown.created) || changed;
  changed = put(answer, 'object', answer.object === object, object) || changed;
  changed = put(answer, 'model', answer.model === shown.model, shown.model) || changed;
  changed = without(answer, 'system_fingerprint', typeof answer.system_fingerprint === 'string') || changed;
  return without(answer, 'service_tier', answer.service_tier === null || SERVICE_TIERS.has(answer.service_tier)) || changed;
}

/** Other servers' words for why an answer ended. */
const REASONS: Readonly<Record<string, string>> = {
  stop: 'stop', length: 'length', tool_calls: 'tool_calls', content_filter: 'content_filter', function_call: 'function_call',
  max_tokens: 'length', MAX_TOKENS: 'length', model_length: 'length', tool_use: 'tool_calls', tool_call: 'tool_calls', safety: 'content_filter', SAFETY: 'content_filter',
};
export const reasonOf = (reason: unknown, hasCalls: boolean): string => (typeof reason === 'string' ? (REASONS[reason] ?? (hasCalls ? 'tool_calls' : 'stop')) : hasCalls ? 'tool_calls' : 'stop');

/** @param ended a reason must stand there; in an event it may be null */
export function shapeChoice(choice: JsonObject, position: number, { ended, hasCalls, mayLackLogprobs }: { ended: boolean; hasCalls?: boolean; mayLackLogprobs?: boolean }): boolean {
  const { index, finish_reason: reason, logprobs } = choice;
  let changed = put(choice, 'index', typeof index === 'number' && Number.isInteger(index) && index >= 0, position);
  if (ended || typeof reason === 'string') {
    const known = reasonOf(reason, hasCalls === true);
    changed = put(choice, 'finish_reason', reason === known, known) || changed;
  } else {
    changed = put(choice, 'finish_reason', reason === null, null) || changed;
  }
  return put(choice, 'logprobs', logprobs === null || isObject(logprobs) || (logprobs === undefined && mayLackLogprobs === true), null) || changed;
}

const textIn = (parts: readonly unknown[]): string => parts.map((part) => (isObject(part) && typeof part.text === 'string' ? part.text : '')).join('');
export const asText = (value: unknown): string => (typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value));

/** Content as it will be shown, whatever it came as. */
export const contentText = (content: unknown): string => (Array.isArray(content) ? textIn(content) : asText(content));

/** Text is a string or null; servers also send lists of parts, or nothing. */
export function shapeContent(message: JsonObject, whole: boolean): boolean {
  const { content } = message;
  if (typeof content === 'string' || content === null) return false;
  if (content === undefined) {
    if (whole) message.content = null;
    return whole;
  }
  message.content = contentText(content);
  return true;
}

/** Calls have an id, a type, and arguments as text. @param whole in an event a call comes in pieces */
export function shapeCalls(message: JsonObject, shown: Shown, whole: boolean): boolean {
  const { tool_calls: calls } = message;
  if (calls === undefined) return false;
  if (!Array.isArray(calls) || calls.length === 0) {
    delete message.tool_calls;
    return true;
  }
  let changed = false;
  for (const [position, call] of calls.entries()) {
    if (!isObject(call)) continue;
    const { function: named } = call;
    if (isObject(named)) {
      if (whole || named.arguments !== undefined) changed = put(named, 'arguments', typeof named.arguments === 'string', asText(named.arguments)) || changed;
      changed = withoutNulls(named, ['name']) || changed;
    }
    if (!whole) {
      changed = put(call, 'index', Number.isInteger(call.index), position) || changed;
      changed = withoutNulls(call, ['id', 'type', 'function']) || changed;
    }
    // The piece that names the function is the first of its call.
    if (!whole && !(isObject(named) && typeof named.name === 'string' && named.name !== '')) continue;
    const place = whole ? position : Number(call.index);
    changed = put(call, 'id', typeof call.id === 'string' && call.id !== '', `call_${shown.fallbackId.slice(-24)}${place}`) || changed;
    changed = put(call, 'type', typeof call.type === 'string', 'function') || changed;
  }
  return changed;
}

/** The log probabilities of a chat: both lists, and of each token all that is told of one. */
export function shapeLogprobs(choice: JsonObject): boolean {
  const { logprobs } = choice;
  if (!isObject(logprobs)) return false;
  let changed = false;
  for (const name of ['content', 'refusal']) {
    const tokens = logprobs[name];
    changed = put(logprobs, name, Array.isArray(tokens) || tokens === null, null) || changed;
    for (const token of Array.isArray(tokens) ? tokens.filter(isObject) : []) {
      changed = put(token, 'top_logprobs', Array.isArray(token.top_logprobs), []) || changed;
      for (const told of [token, ...(token.top_logprobs as unknown[]).filter(isObject)]) changed = put(told, 'bytes', Array.isArray(told.bytes) || told.bytes === null, null) || changed;
    }
  }
  return changed;
}
