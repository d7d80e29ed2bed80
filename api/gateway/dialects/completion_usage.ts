/** The `usage` object of chat completions, completions and embeddings. */
import type { Meter, Metered } from '../metering/meter.ts';
import { isObject } from './dialect.ts';
import type { JsonObject } from './dialect.ts';
import { withoutNulls } from './shape.ts';

const DETAILS = ['prompt_tokens_details', 'completion_tokens_details'];
const COUNTS = new Set(['audio_tokens', 'cached_tokens', 'reasoning_tokens', 'accepted_prediction_tokens', 'rejected_prediction_tokens']);

export const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

/** Details are objects, and what they count is counted. */
function shapeDetails(usage: JsonObject): void {
  for (const name of DETAILS) {
    const details = usage[name];
    if (details === undefined) continue;
    if (!isObject(details)) {
      delete usage[name];
      continue;
    }
    withoutNulls(details, Object.keys(details));
    for (const [counted, value] of Object.entries(details)) if (COUNTS.has(counted) && !isCount(value)) delete details[counted];
  }
}

export function readUsage(answer: JsonObject, meter: Meter): boolean {
  const { usage } = answer;
  if (!isObject(usage)) return false;
  meter.report({ prompt: usage.prompt_tokens, completion: usage.completion_tokens });
  return true;
}

export function correctUsage(answer: JsonObject, { promptTokens, completionTokens }: Metered): void {
  const total = promptTokens + completionTokens;
  const known = isObject(answer.usage) ? answer.usage : {};
  if (known.prompt_tokens === promptTokens && known.completion_tokens === completionTokens && known.total_tokens === total) {
    shapeDetails(known);
    return;
  }
  answer.usage = { prompt_tokens: promptTokens, completion_tokens: completionTokens, total_tokens: total };
}
