/**
 * An answer that streams: every event goes on at once, but the last ones, which wait until the request
 * has been charged. A stream that fails after it began ends with one error event and without `[DONE]`.
 */
import type { ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { GatewayError } from '../errors.ts';
import { Unavailable } from '../sequencer/port.ts';
import { asGatewayError } from './attempts.ts';
import type { Attempt } from './attempts.ts';
import type { Call } from './call.ts';
import { isObject } from './dialects/dialect.ts';
import type { JsonObject } from './dialects/dialect.ts';
import { Meter } from './meter.ts';
import type { Metered } from './meter.ts';
import type { Settlement } from './settlement.ts';
import { EventStreamParser, writtenEvent } from './sse.ts';
import type { ServerSentEvent } from './sse.ts';
import { UpstreamError } from './upstream.ts';

const HEAD = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache', 'x-accel-buffering': 'no' };
const DONE = '[DONE]';

interface HeldEvent {
  event: string;
  data: JsonObject;
}

export interface StreamParts {
  response: ServerResponse;
  settlement: Settlement;
  log: Logger;
}

export class StreamRelay {
  private readonly call: Call;
  private readonly attempt: Attempt;
  private readonly parts: StreamParts;
  private readonly meter: Meter;
  private readonly parser = new EventStreamParser();
  /** What waits for the commit. */
  private held: HeldEvent[] = [];
  /** The last event that went on at once. */
  private latest: HeldEvent | undefined;
  private hasTerminal = false;
  private hasUsage = false;
  private ended = false;
  private begun = false;

  constructor(call: Call, attempt: Attempt, parts: StreamParts) {
    this.call = call;
    this.attempt = attempt;
    this.parts = parts;
    this.meter = new Meter(call.demand.promptTokens, call.demand.completionTokens);
  }

  /** @throws UpstreamError while nothing has been sent; nothing is charged then */
  async run(): Promise<void> {
    const { answer } = this.attempt;
    if (answer.contentType !== 'text/event-stream') {
      answer.abort();
      throw new UpstreamError('broken', 'the answer is not a stream');
    }
    const pieces = answer.pieces();
    try {
      await this.relay(pieces);
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      answer.abort();
      if (!this.begun) throw error;
      return this.breakOff(error);
    }
    // What an endpoint still says is of no interest, but its connection is.
    void drain(pieces);
    return this.finish();
  }

  private async relay(pieces: AsyncGenerator<Buffer>): Promise<void> {
    for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) {
      await this.passOn(this.parser.push(next.value));
      if (this.ended) return this.requireEnd();
    }
    await this.passOn(this.parser.end());
    if (!this.ended && !this.hasTerminal) throw new UpstreamError('broken', 'the stream ended before the answer did');
    this.requireEnd();
  }

  /** Something must be left to carry the receipt, whatever the endpoint sent last. @throws UpstreamError */
  private requireEnd(): void {
    if (this.held.length > 0) return;
    const { latest } = this;
    const data = latest === undefined ? undefined : this.call.dialect.ending(latest.data);
    if (latest === undefined || data === undefined) throw new UpstreamError('broken', 'the stream ended before the answer did');
    this.held.push({ event: latest.event, data });
  }

  /** Sends what may go on of some events; what has been counted is sent even if the next event is unusable. */
  private async passOn(events: readonly ServerSentEvent[]): Promise<void> {
    let out = '';
    try {
      for (const event of events) if (!this.ended) out += this.take(event);
    } finally {
      if (out !== '') await this.send(out);
    }
  }

  /** What goes on at once because of an event. @throws UpstreamError */
  private take({ event, data }: ServerSentEvent): string {
    const { dialect, modelName } = this.call;
    if (data === DONE) {
      this.ended = true;
      return '';
    }
    const value = parsed(data);
    const role = dialect.readEvent(value, this.meter);
    if (role === 'failure') throw new UpstreamError('broken', 'the endpoint reported an error');
    if (role === 'empty') return '';
    if (role === 'content' && !this.hasTerminal) {
      this.latest = { event, data: value };
      const named = value.model === undefined || value.model === modelName ? data : this.renamed(value);
      return writtenEvent(event, named);
    }
    // After an end of one choice, the content of another may be the last event, which carries the receipt.
    const out = role === 'content' ? this.releaseHeld() : '';
    if (role === 'usage') {
      this.hasUsage = true;
      if (!dialect.wantsUsage(this.call.body)) return '';
    } else if (role === 'terminal') {
      this.hasTerminal = true;
      this.ended = !dialect.endsWithDone;
    }
    this.held.push({ event, data: value });
    return out;
  }

  private renamed(value: JsonObject): string {
    this.call.dialect.rename(value, this.call.modelName);
    return JSON.stringify(value);
  }

  /** One of several choices had ended; the answer goes on. */
  private releaseHeld(): string {
    if (this.held.length === 0) return '';
    const out = this.held.map(({ event, data }) => writtenEvent(event, this.renamed(data))).join('');
    this.held = [];
    return out;
  }

  private async send(text: string): Promise<void> {
    const { response } = this.parts;
    if (!this.begun) response.writeHead(200, HEAD);
    this.begun = true;
    if (response.write(text) || response.destroyed) return;
    await writable(response);
  }

  /** The answer is complete: charge it, then send its end. */
  private async finish(): Promise<void> {
    const { dialect, body } = this.call;
    const metered = this.meter.result();
    const out: string[] = [];
    try {
      const receipt = await this.parts.settlement.settle(this.call, this.attempt, metered);
      if (!this.hasUsage && dialect.wantsUsage(body)) this.held.push(this.usageEvent());
      const last = this.held.at(-1);
      if (last !== undefined) last.data.x_ccx = receipt;
      for (const { event, data } of this.held) out.push(writtenEvent(event, this.corrected(data, metered)));
      if (dialect.endsWithDone) out.push(writtenEvent('', DONE));
    } catch (error) {
      out.push(this.errorEvent(error));
    }
    await this.send(out.join(''));
    this.parts.response.end();
  }

  private corrected(data: JsonObject, metered: Metered): string {
    const { dialect } = this.call;
    if (isObject(data.usage) || isObject(data.response)) dialect.correctUsage(data, metered);
    return this.renamed(data);
  }

  /** An event with figures only, where the endpoint sent none. */
  private usageEvent(): HeldEvent {
    const { choices: _choices, usage: _usage, ...head } = this.held.at(-1)?.data ?? {};
    return { event: '', data: { ...head, choices: [], usage: {} } };
  }

  /** The answer broke off: what was delivered is charged, and the client is told. */
  private async breakOff(error: UpstreamError): Promise<void> {
    let shown: unknown = asGatewayError(error);
    try {
      await this.parts.settlement.settle(this.call, this.attempt, this.meter.result(true));
    } catch (settling) {
      shown = settling;
    }
    if (this.parts.response.destroyed) return;
    await this.send(this.releaseHeld() + this.errorEvent(shown));
    this.parts.response.end();
  }

  private errorEvent(error: unknown): string {
    if (!(error instanceof GatewayError)) this.parts.log.error({ err: error, request: this.call.id }, 'a stream could not be charged');
    const shown = error instanceof GatewayError ? error : new GatewayError(error instanceof Unavailable ? 'provider_unavailable' : 'provider_error');
    return writtenEvent('', JSON.stringify(shown.body()));
  }
}

function parsed(data: string): JsonObject {
  try {
    const value: unknown = JSON.parse(data);
    if (isObject(value)) return value;
  } catch {
    // Said below.
  }
  throw new UpstreamError('broken', 'an event is not a JSON object');
}

/** Resolves when more can be written, or never again. */
function writable(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

async function drain(pieces: AsyncGenerator<Buffer>): Promise<void> {
  try {
    while ((await pieces.next()).done !== true);
  } catch {
    // The answer had ended.
  }
}
