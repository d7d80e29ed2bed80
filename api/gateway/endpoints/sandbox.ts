/**
 * What test keys talk to: a provider in this process that speaks as the demo's do, at no cost. Requests
 * are checked, shaped and streamed as any others; no capacity is needed and nothing is charged.
 */
import { formatMicro } from '../../../engine/numbers/units.ts';
import { chat, chatRequest, completion, completionRequest, embedding, embeddingRequest, response, responseRequest } from '../../demo/provider/protocol.ts';
import type { Spoken } from '../../demo/provider/protocol.ts';
import type { Call } from '../relay/call.ts';
import type { JsonObject } from '../dialects/dialect.ts';
import { writtenEvent } from '../relay/sse.ts';
import type { Receipt } from '../metering/receipt.ts';
import { Answer } from '../relay/endpoint_answer.ts';

const SEED = 'sandbox';
const SPEAKERS: Readonly<Record<string, (body: JsonObject) => Spoken>> = {
  '/chat/completions': (body) => chat(SEED, chatRequest.parse(body)),
  '/completions': (body) => completion(SEED, completionRequest.parse(body)),
  '/embeddings': (body) => embedding(SEED, embeddingRequest.parse(body)),
  '/responses': (body) => response(SEED, responseRequest.parse(body)),
};
const OK = 200;
const nothing = (): void => undefined;

export function sandboxAnswer({ dialect, body, demand, model, streamed }: Call): Answer {
  const spoken = SPEAKERS[dialect.path](dialect.outgoing(body, model.id, demand));
  const answer = new Answer(OK, streamed ? 'text/event-stream' : 'application/json', nothing, nothing);
  answer.take(Buffer.from(streamed ? streamOf(spoken) : JSON.stringify(spoken.whole())));
  answer.completed();
  return answer;
}

const streamOf = (spoken: Spoken): string => Array.from(spoken.events(), ({ event, data }) => writtenEvent(event, typeof data === 'string' ? data : JSON.stringify(data))).join('');

/** @param remaining of the company, micro-CR */
export const sandboxReceipt = (remaining: number): Receipt => ({
  provider: SEED, endpoint: SEED, allocation_id: SEED, gpu_seconds: '0', credits_used: formatMicro(0), credits_remaining: formatMicro(remaining),
});
