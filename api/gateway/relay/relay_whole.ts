/** An answer that comes whole: read, counted, charged, then sent. */
import type { Answered, Settle } from './attempts.ts';
import type { Call } from './call.ts';
import { isObject } from '../dialects/dialect.ts';
import type { JsonObject } from '../dialects/dialect.ts';
import { Meter } from '../metering/meter.ts';
import { UpstreamError } from './endpoint_answer.ts';

export const ANSWER_LIMIT_BYTES = 64 * 1024 * 1024;

/** The answer as text. @throws UpstreamError when there is no usable answer; nothing is charged then */
export async function relayWhole(call: Call, answered: Answered, settle: Settle): Promise<string> {
  const { dialect, body, shown } = call;
  const meter = new Meter(call.demand);
  const answer = answerIn(parsed(await answered.answer.text(ANSWER_LIMIT_BYTES)), answered, shown.fallbackId);
  if (answer === undefined || !dialect.readWhole(answer, meter, body)) throw new UpstreamError('broken', "the answer is not of OpenAI's shape");
  const metered = meter.result();
  dialect.shapeWhole(answer, shown, body);
  dialect.correctUsage(answer, metered);
  delete answer.x_ccx;
  // What cannot be written is not charged.
  const text = written(answer);
  return `${text.slice(0, -1)},"x_ccx":${JSON.stringify(await settle(metered))}}`;
}

function answerIn(answer: unknown, { detour }: Answered, fallbackId: string): JsonObject | undefined {
  if (!isObject(answer)) return undefined;
  return detour === undefined ? answer : detour.whole(answer, fallbackId);
}

/** @throws UpstreamError for what nests so deeply that it can be read and not written */
export function written(value: JsonObject): string {
  try {
    return JSON.stringify(value);
  } catch {
    throw new UpstreamError('broken', 'the answer nests too deeply');
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new UpstreamError('broken', 'the answer is not JSON');
  }
}
