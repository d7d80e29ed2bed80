/** An answer that comes whole: read, counted, charged, then sent. */
import type { Attempt } from './attempts.ts';
import type { Call } from './call.ts';
import { isObject } from './dialects/dialect.ts';
import { Meter } from './meter.ts';
import type { Settlement } from './settlement.ts';
import { UpstreamError } from './upstream.ts';

const ANSWER_LIMIT_BYTES = 64 * 1024 * 1024;

/** @throws UpstreamError when there is no usable answer; nothing is charged then */
export async function relayWhole(call: Call, attempt: Attempt, settlement: Settlement): Promise<object> {
  const answer = parsed(await attempt.answer.text(ANSWER_LIMIT_BYTES));
  const meter = new Meter(call.demand.promptTokens, call.demand.completionTokens);
  if (!isObject(answer) || !call.dialect.readWhole(answer, meter)) throw new UpstreamError('broken', "the answer is not of OpenAI's shape");
  const metered = meter.result();
  call.dialect.correctUsage(answer, metered);
  call.dialect.rename(answer, call.modelName);
  answer.x_ccx = await settlement.settle(call, attempt, metered);
  return answer;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new UpstreamError('broken', 'the answer is not JSON');
  }
}
