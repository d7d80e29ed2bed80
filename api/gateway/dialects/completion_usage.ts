/** The `usage` object of chat completions, completions and embeddings. */
import type { Meter, Metered } from '../metering/meter.ts';
import { isObject } from './dialect.ts';
import type { JsonObject } from './dialect.ts';
import { withoutNulls } from './shape.ts';

const DETAILS = ['prompt_tokens_details', 'completion_tokens_details'];

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
    withoutNulls(known, DETAILS);
    for (const name of DETAILS) if (isObject(known[name])) withoutNulls(known[name], Object.keys(known[name]));
    return;
  }
  answer.usage = { prompt_tokens: promptTokens, completion_tokens: completionTokens, total_tokens: total };
}
