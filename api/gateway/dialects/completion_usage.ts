/** The `usage` object of chat completions, completions and embeddings. */
import type { Meter, Metered } from '../meter.ts';
import { isObject } from './dialect.ts';
import type { JsonObject } from './dialect.ts';

export function readUsage(answer: JsonObject, meter: Meter): boolean {
  const { usage } = answer;
  if (!isObject(usage)) return false;
  meter.report({ prompt: usage.prompt_tokens, completion: usage.completion_tokens });
  return true;
}

export function correctUsage(answer: JsonObject, { promptTokens, completionTokens }: Metered): void {
  const known = isObject(answer.usage) ? answer.usage : {};
  if (known.prompt_tokens === promptTokens && known.completion_tokens === completionTokens) return;
  answer.usage = { prompt_tokens: promptTokens, completion_tokens: completionTokens, total_tokens: promptTokens + completionTokens };
}
