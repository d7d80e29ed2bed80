/** The recorded LLM requests: when each arrived after the start of the hour, and its token counts. */
import trace from './llm_requests.json' with { type: 'json' };
import type { Millis } from '../../engine/numbers/units.ts';

export interface TraceRequest {
  /** Position in the trace, from 0. */
  index: number;
  /** After the first request. */
  offset: Millis;
  promptTokens: number;
  completionTokens: number;
}

/** Every `every`-th request of the trace, by arrival. @throws RangeError unless `every` is a positive integer */
export function traceRequests(every = 1): TraceRequest[] {
  if (!Number.isSafeInteger(every) || every < 1) throw new RangeError(`every must be a positive integer, not ${every}`);
  const requests: TraceRequest[] = [];
  let offset = 0;
  for (let index = 0; index < trace.gap_ms.length; index++) {
    offset += trace.gap_ms[index];
    if (index % every !== 0) continue;
    requests.push({ index, offset, promptTokens: trace.prompt_tokens[index], completionTokens: trace.completion_tokens[index] });
  }
  return requests;
}
