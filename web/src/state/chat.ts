/** A chat completion through the OpenAI-compatible endpoint, streamed. */
import { MICRO, toMicro } from './decimal.ts';
import { ApiError, MALFORMED, toApiError } from './errors.ts';

export interface ChatRequest {
  key: string;
  model: string;
  prompt: string;
  /** Tokens at most. */
  maximum: number;
}
/** What a completion cost. */
export interface ChatCost {
  provider: string;
  endpoint: string;
  allocation_id: string;
  gpu_seconds: string;
  credits_used: string;
  credits_remaining: string;
}
const SECONDS_PER_HOUR = 3_600n;
/** Micro-credits of what a completion used that its GPU time at the hour's price does not explain: the fee of what it bought on the spot book. */
export function feeWithin({ credits_used, gpu_seconds }: Pick<ChatCost, 'credits_used' | 'gpu_seconds'>, price: string): bigint {
  const time = (toMicro(gpu_seconds) * toMicro(price)) / (SECONDS_PER_HOUR * MICRO);
  const rest = toMicro(credits_used) - time;
  // Times are rounded to the last place, in whichever direction.
  return rest > 1n ? rest : 0n;
}
export interface ChatUsage {
  prompt_tokens: number;
  completion_tokens: number;
}
export interface ChatListener {
  onText(text: string): void;
  onCost(cost: ChatCost): void;
  onUsage(usage: ChatUsage): void;
}
interface ChatChunk {
  choices?: { delta?: { content?: string | null } }[];
  usage?: ChatUsage | null;
  x_ccx?: ChatCost;
  error?: { code?: string | null; message: string };
}

/** Splits a stream of server-sent events into the payloads of its `data:` lines, whatever the packets' borders. */
export class EventStreamReader {
  private rest = '';

  push(text: string): string[] {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop() ?? '';
    return lines.filter((line) => line.startsWith('data:')).map((line) => line.slice('data:'.length).trim());
  }
}

/** @throws ApiError when the request is refused or the stream breaks; AbortError passes through. */
export async function streamChat(request: ChatRequest, listener: ChatListener, signal: AbortSignal, fetcher: typeof fetch = fetch): Promise<void> {
  const response = await fetcher('/v1/chat/completions', {
    method: 'POST',
    signal,
    credentials: 'omit',
    headers: { authorization: `Bearer ${request.key}`, 'content-type': 'application/json' },
    body: JSON.stringify(chatBody(request)),
  }).catch((cause: unknown) => {
    throw signal.aborted ? cause : toApiError(cause);
  });
  if (!response.ok || response.body === null) throw await refusal(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const events = new EventStreamReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const payload of events.push(value)) if (payload !== '[DONE]') deliver(JSON.parse(payload) as ChatChunk, listener);
  }
}

const chatBody = (request: ChatRequest): object => ({
  model: request.model,
  messages: [{ role: 'user', content: request.prompt }],
  max_tokens: request.maximum,
  stream: true,
  stream_options: { include_usage: true },
});

function deliver(chunk: ChatChunk, listener: ChatListener): void {
  if (chunk.error !== undefined) throw new ApiError({ status: 200, code: chunk.error.code ?? 'provider_error', message: chunk.error.message });
  const text = chunk.choices?.[0]?.delta?.content;
  if (typeof text === 'string' && text !== '') listener.onText(text);
  if (chunk.usage) listener.onUsage(chunk.usage);
  if (chunk.x_ccx !== undefined) listener.onCost(chunk.x_ccx);
}

async function refusal(response: Response): Promise<ApiError> {
  try {
    const { error } = (await response.json()) as { error: { code?: string | null; type?: string; message: string } };
    return new ApiError({ status: response.status, code: error.code ?? error.type ?? MALFORMED, message: error.message });
  } catch {
    return new ApiError({ status: response.status, code: MALFORMED, message: `The endpoint answered ${response.status} without a reason.` });
  }
}

/** The same request for a terminal; the key is a variable so that it never lands in a shell's history. */
export const curlOf = (origin: string, request: Pick<ChatRequest, 'model' | 'prompt' | 'maximum'>): string =>
  [
    `curl -N ${origin}/v1/chat/completions \\`,
    `  -H "authorization: Bearer $CCX_KEY" \\`,
    `  -H 'content-type: application/json' \\`,
    `  -d '${JSON.stringify(chatBody({ ...request, key: '' })).replaceAll("'", "'\\''")}'`,
  ].join('\n');

/** The same request in the languages people paste from. */
export const typescriptOf = (origin: string, request: Pick<ChatRequest, 'model' | 'prompt' | 'maximum'>): string =>
  [
    `import OpenAI from 'openai';`,
    ``,
    `const client = new OpenAI({ baseURL: '${origin}/v1', apiKey: process.env.CCX_KEY });`,
    `const stream = await client.chat.completions.create({`,
    `  model: ${JSON.stringify(request.model)},`,
    `  messages: [{ role: 'user', content: ${JSON.stringify(request.prompt)} }],`,
    `  max_tokens: ${request.maximum},`,
    `  stream: true,`,
    `});`,
    `for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? '');`,
  ].join('\n');

export const pythonOf = (origin: string, request: Pick<ChatRequest, 'model' | 'prompt' | 'maximum'>): string =>
  [
    `import os`,
    `from openai import OpenAI`,
    ``,
    `client = OpenAI(base_url="${origin}/v1", api_key=os.environ["CCX_KEY"])`,
    `stream = client.chat.completions.create(`,
    `    model=${JSON.stringify(request.model)},`,
    `    messages=[{"role": "user", "content": ${JSON.stringify(request.prompt)}}],`,
    `    max_tokens=${request.maximum},`,
    `    stream=True,`,
    `)`,
    `for chunk in stream:`,
    `    if chunk.choices:`,
    `        print(chunk.choices[0].delta.content or "", end="")`,
  ].join('\n');
