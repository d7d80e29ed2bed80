/** Clients of the gateway: every kind of request, some whose client goes away, some that nobody can serve, half of them under a key that is kept until it is answered. */
import { pause } from './server_process.ts';

const CLIENTS = 24;
const RETRY_MILLIS = 50;
const AWAY_MILLIS = 500;
const ANSWER_MILLIS_MAX = 60_000;
/** A request under a key that failed is sent again so often. */
const TRIES_MAX = 40;

/** What a client was told that its answer cost. */
export interface Told {
  allocation: string;
  gpu: string;
  credits: string;
}

interface Kind {
  path: string;
  body: object;
  /** The client goes away after the first bytes. */
  leaves?: boolean;
}

const WORDS = ['price', 'hour', 'credit', 'region', 'book', 'order', 'fill', 'hold'];
const textOf = (index: number): string => Array.from({ length: 5 + (index % 40) }, (_, at) => WORDS[(index * 7 + at * 3) % WORDS.length]).join(' ');

function kindOf(index: number, { chat, embedding }: { chat: string; embedding: string }): Kind {
  const messages = [{ role: 'user', content: textOf(index) }];
  const chatting = { model: chat, messages, max_tokens: 4 + (index % 60) };
  switch (index % 10) {
    case 0: case 1: case 2:
      return { path: '/v1/chat/completions', body: chatting };
    case 3: case 4:
      return { path: '/v1/chat/completions', body: { ...chatting, stream: true } };
    case 5:
      return { path: '/v1/embeddings', body: { model: embedding, input: [textOf(index), textOf(index + 1)] } };
    case 6:
      return { path: '/v1/responses', body: { model: chat, input: textOf(index), max_output_tokens: 20 } };
    case 7:
      return { path: '/v1/responses', body: { model: chat, input: textOf(index), max_output_tokens: 20, stream: true } };
    case 8:
      return { path: '/v1/chat/completions', body: { ...chatting, max_tokens: 400, stream: true }, leaves: true };
    default:
      return { path: '/v1/chat/completions', body: { ...chatting, ...(index % 20 === 9 ? { temperature: 9 } : { model: 'nobody/has-this' }) } };
  }
}

export class InferenceLoad {
  /** Of every answer that came to its end. */
  readonly told: Told[] = [];
  /** Keys whose request was answered with 200. */
  readonly answered = new Set<string>();
  /** How requests ended: a status, or why there was none. */
  readonly ends = new Map<string, number>();
  done = 0;
  private next = 0;
  private readonly parts: { url: () => string; apiKey: string; models: { chat: string; embedding: string }; provider: string; count: number };

  constructor(parts: InferenceLoad['parts']) {
    this.parts = parts;
  }

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: CLIENTS }, () => this.client()));
  }

  private async client(): Promise<void> {
    for (let index = this.next++; index < this.parts.count; index = this.next++) {
      await this.request(index);
      this.done++;
    }
  }

  private async request(index: number): Promise<void> {
    const kind = kindOf(index, this.parts.models);
    // Who goes away does not come back for an answer.
    const key = index % 2 === 0 && kind.leaves !== true ? `inference-${index}` : '';
    for (let time = 0; time < TRIES_MAX; time++) {
      const end = await this.send(kind, key, index % 3 === 0 ? this.parts.provider : '').catch((error: unknown) => (error instanceof Error && error.name === 'AbortError' ? 'left' : 'no answer'));
      this.ends.set(end, (this.ends.get(end) ?? 0) + 1);
      const away = end === 'no answer' || end.startsWith('503');
      // While nobody is there, no client hurries.
      if (away) await pause(AWAY_MILLIS);
      if (key === '' || end === '200' || end.startsWith('4')) return;
      if (!away) await pause(RETRY_MILLIS);
    }
  }

  private async send({ path, body, leaves }: Kind, key: string, provider: string): Promise<string> {
    const leaving = new AbortController();
    const answer = await fetch(this.parts.url() + path, {
      method: 'POST', body: JSON.stringify(body), signal: AbortSignal.any([leaving.signal, AbortSignal.timeout(ANSWER_MILLIS_MAX)]),
      headers: { authorization: `Bearer ${this.parts.apiKey}`, 'content-type': 'application/json', ...(key === '' ? {} : { 'idempotency-key': key }), ...(provider === '' ? {} : { 'x-ccx-provider': provider }) },
    });
    if (leaves === true && answer.status === 200) {
      await answer.body?.getReader().read();
      leaving.abort();
      return 'left';
    }
    const text = await answer.text();
    if (answer.status !== 200) return `${answer.status} ${/"code":"([a-z_]+)"/.exec(text)?.[1] ?? ''}`;
    const receipt = receiptIn(text);
    if (receipt === undefined) return 'broken stream';
    // A kept answer tells what the first one told.
    if (answer.headers.get('idempotent-replayed') === null) this.told.push(receipt);
    if (key !== '') this.answered.add(key);
    return '200';
  }
}

/** From JSON or from events; undefined when the answer has no end. */
function receiptIn(text: string): Told | undefined {
  const found = /"x_ccx":(\{[^}]*\})/.exec(text)?.[1];
  if (found === undefined) return undefined;
  const { allocation_id: allocation, gpu_seconds: gpu, credits_used: credits } = JSON.parse(found) as Record<string, string>;
  return { allocation, gpu, credits };
}
