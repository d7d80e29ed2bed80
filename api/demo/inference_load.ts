/**
 * Replays the recorded requests against the gateway, as any client would: each arrives at its recorded
 * time after the start of the hour, with its token counts, every hour anew.
 */
import { MILLIS_PER_HOUR } from '../../engine/numbers/units.ts';
import type { Millis } from '../../engine/numbers/units.ts';
import { traceRequests } from '../../db/seed/llm_trace.ts';
import type { TraceRequest } from '../../db/seed/llm_trace.ts';
import type { Services } from '../services.ts';
import { hashOf } from './random.ts';

/** More than this at once is not recorded load any more but a queue in front of something slow. */
const AT_ONCE_MAX = 16;
const REQUEST_MILLIS_MAX = 60_000;
const REPORT_EVERY = 60_000;

export interface LoadOptions {
  /** Of the server, without a path. */
  url: string;
  key: string;
  /** That chat. */
  models: readonly string[];
  /** Every n-th recorded request is sent. */
  every: number;
  log: Services['log'];
  /** Asked before each request; one that may not be sent is left out. */
  maySend?: () => boolean;
  /** Milliseconds since 1970. */
  now?: () => Millis;
}

/** The next request after `now`, and when it is due. @param trace by offset, not empty */
export function nextRequest(trace: readonly TraceRequest[], now: Millis): { request: TraceRequest; at: Millis } {
  const start = now - (now % MILLIS_PER_HOUR);
  const request = trace.find((candidate) => start + candidate.offset > now);
  if (request !== undefined) return { request, at: start + request.offset };
  return { request: trace[0], at: start + MILLIS_PER_HOUR + trace[0].offset };
}

export interface ChatBody {
  model: string;
  messages: { role: 'user'; content: string }[];
  max_tokens: number;
  stream: boolean;
}

/** About as many tokens as were recorded: a short word is one. Half of the requests stream. */
export function bodyOf(request: TraceRequest, models: readonly string[]): ChatBody {
  const words = Array.from({ length: request.promptTokens }, (_, index) => WORDS[hashOf(request.index, index) % WORDS.length]);
  return {
    model: models[hashOf(request.index) % models.length],
    messages: [{ role: 'user', content: words.join(' ') }],
    max_tokens: request.completionTokens,
    stream: request.index % 2 === 1,
  };
}
const WORDS = ['def', 'return', 'value', 'index', 'for', 'in', 'range', 'if', 'else', 'class', 'self', 'list', 'map', 'key', 'sum', 'test'];

export class InferenceLoad {
  private readonly options: LoadOptions;
  private readonly trace: readonly TraceRequest[];
  private readonly now: () => Millis;
  private readonly ending = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private pending = 0;
  private sent = 0;
  private readonly failures = new Map<string, number>();
  private reportedAt: Millis;

  constructor(options: LoadOptions) {
    this.options = options;
    this.trace = traceRequests(options.every);
    this.now = options.now ?? Date.now;
    this.reportedAt = this.now();
  }

  start(): void {
    this.schedule(this.now());
  }

  stop(): void {
    clearTimeout(this.timer);
    this.ending.abort();
  }

  private schedule(after: Millis): void {
    const { request, at } = nextRequest(this.trace, after);
    this.timer = setTimeout(() => {
      this.send(request);
      // What was missed while the process was held up is left out, not made up for.
      this.schedule(Math.max(at, this.now()));
    }, at - this.now());
  }

  private send(request: TraceRequest): void {
    if (this.ending.signal.aborted || this.pending >= AT_ONCE_MAX || this.options.maySend?.() === false) return;
    this.pending += 1;
    this.sent += 1;
    this.complete(request)
      .catch((error: unknown) => this.count(error instanceof Error ? error.name : 'unknown'))
      .finally(() => {
        this.pending -= 1;
        this.report();
      });
  }

  private async complete(request: TraceRequest): Promise<void> {
    const { url, key, models } = this.options;
    const answer = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(bodyOf(request, models)),
      signal: AbortSignal.any([this.ending.signal, AbortSignal.timeout(REQUEST_MILLIS_MAX)]),
    });
    await answer.arrayBuffer();
    if (!answer.ok) this.count(String(answer.status));
  }

  private count(failure: string): void {
    if (!this.ending.signal.aborted) this.failures.set(failure, (this.failures.get(failure) ?? 0) + 1);
  }

  /** One line a minute when something failed. */
  private report(): void {
    const now = this.now();
    if (this.failures.size === 0 || now - this.reportedAt < REPORT_EVERY) return;
    this.options.log.warn({ sent: this.sent, failures: Object.fromEntries(this.failures) }, 'requests of the demo load failed');
    this.reportedAt = now;
    this.sent = 0;
    this.failures.clear();
  }
}
