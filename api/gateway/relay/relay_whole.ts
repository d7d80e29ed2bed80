/** An answer that comes whole: read, counted, charged, then sent. */
import type { Answered, Settle } from './attempts.ts';
import type { Call } from './call.ts';
import { isObject } from '../dialects/dialect.ts';
import type { JsonObject } from '../dialects/dialect.ts';
import { Meter } from '../metering/meter.ts';
import { UpstreamError } from './upstream.ts';

const ANSWER_LIMIT_BYTES = 64 * 1024 * 1024;

/** @throws UpstreamError when there is no usable answer; nothing is charged then */
export async function relayWhole(call: Call, answered: Answered, settle: Settle): Promise<JsonObject> {
  const { dialect, body, shown } = call;
  const meter = new Meter(call.demand);
  const answer = answerIn(parsed(await answered.answer.text(ANSWER_LIMIT_BYTES)), answered, body);
  if (answer === undefined || !dialect.readWhole(answer, meter, body)) throw new UpstreamError('broken', "the answer is not of OpenAI's shape");
  const metered = meter.result();
  dialect.shapeWhole(answer, shown, body);
  dialect.correctUsage(answer, metered);
  answer.x_ccx = await settle(metered);
  return answer;
}

function answerIn(answer: unknown, { detour }: Answered, body: JsonObject): JsonObject | undefined {
  if (!isObject(answer)) return undefined;
  return detour === undefined ? answer : detour.whole(answer, body);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new UpstreamError('broken', 'the answer is not JSON');
  }
}
