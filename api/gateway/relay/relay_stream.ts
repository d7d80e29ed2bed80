/**
 * An answer that streams: every event goes on at once, but the last ones, which wait until the request
 * has been charged. A stream that fails after it began ends with one error event and without `[DONE]`.
 */
import type { Logger } from 'pino';
import { GatewayError } from '../../errors.ts';
import { Unavailable } from '../../sequencer/port.ts';
import { asGatewayError } from './attempts.ts';
import type { Answered, Settle } from './attempts.ts';
import type { Call } from './call.ts';
import type { Departure } from './departure.ts';
import { isObject } from '../dialects/dialect.ts';
import type { EventTranslator, JsonObject } from '../dialects/dialect.ts';
import { Meter, echoedMost } from '../metering/meter.ts';
import type { Metered } from '../metering/meter.ts';
import type { Outgoing } from './outgoing.ts';
import { EventStreamParser, endOfEvent, eventIn, lettersOf, textOf, writtenEvent } from './sse.ts';
import type { ServerSentEvent } from './sse.ts';
import { SameButText } from './same_but_text.ts';
import { ANSWER_LIMIT_BYTES, written } from './relay_whole.ts';
import { beginningOf, kindOf } from './answer_kind.ts';
import type { AnswerKind } from './answer_kind.ts';
import { UpstreamError } from './endpoint_answer.ts';

const DONE = '[DONE]';
/** An endpoint that says so much more than it was asked for will not end by itself. */
const BEYOND = { times: 4, tokens: 256 };

interface HeldEvent {
  event: string;
  data: JsonObject;
}

export interface StreamParts {
  out: Outgoing;
  settle: Settle;
  log: Logger;
  gone: Departure;
  /** Keeps all that the client was sent, before it is sent the end. */
  keep?: (text: string) => Promise<void>;
}

export class StreamRelay {
  private readonly call: Call;
  private readonly answered: Answered;
  private readonly parts: StreamParts;
  private readonly meter: Meter;
  private readonly parser = new EventStreamParser();
  private readonly same = new SameButText();
  private readonly translator: EventTranslator | undefined;
  private readonly tokensMost: number;
  /** What waits for the commit. */
  private held: HeldEvent[] = [];
  /** The last event that went on at once. */
  private latest: HeldEvent | undefined;
  private hasTerminal = false;
  private ended = false;
  private begun = false;
  /** The bytes of all that was sent, where it is to be kept, one letter each. */
  private sent = '';

  constructor(call: Call, answered: Answered, parts: StreamParts) {
    this.call = call;
    this.answered = answered;
    this.parts = parts;
    this.meter = new Meter(call.demand);
    this.translator = answered.detour?.events(call.shown.fallbackId);
    this.tokensMost = echoedMost(call.demand) + call.demand.completionTokens * BEYOND.times + BEYOND.tokens;
  }

  /** @throws UpstreamError while nothing has been sent; nothing is charged then */
  async run(): Promise<void> {
    const { answer } = this.answered;
    try {
      if ((await this.kind()) === 'whole') await this.relayWhole();
      else await this.relay();
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      answer.abort();
      if (!this.begun) throw error;
      return await this.breakOff(error);
    }
    answer.drain();
    return this.finish();
  }

  /** @throws UpstreamError when it is no answer */
  private async kind(): Promise<AnswerKind> {
    const { answer } = this.answered;
    const pieces: Buffer[] = [];
    for (;;) {
      const piece = await answer.read();
      if (piece !== undefined) pieces.push(piece);
      const begin = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
      const kind = kindOf(beginningOf(begin), answer.contentType);
      if (kind === 'neither' || (kind === undefined && piece === undefined)) throw new UpstreamError('broken', 'the answer is not a stream');
      if (kind === undefined) continue;
      answer.putBack(begin);
      return kind;
    }
  }

  /** An answer that came whole is told as a stream. */
  private async relayWhole(): Promise<void> {
    const { answer, detour } = this.answered;
    const { dialect, shown, body } = this.call;
    const events = (detour ?? dialect).eventsOf(parsed(await answer.text(ANSWER_LIMIT_BYTES)), shown, body);
    if (events === undefined) throw new UpstreamError('broken', "the answer is not of OpenAI's shape");
    for (const event of events) this.send(lettersOf(this.takeValue(event, undefined)));
    this.passOnRead([writtenEvent('', DONE)]);
    this.requireEnd();
  }

  private async relay(): Promise<void> {
    const { answer } = this.answered;
    for (let piece = await answer.read(); piece !== undefined; piece = await answer.read()) {
      this.passOn(piece);
      if (this.ended) return this.requireEnd();
      if (this.meter.delivered > this.tokensMost) throw new UpstreamError('broken', 'the endpoint says more than it was asked for');
      // What a client takes at once is not waited for.
      if (this.parts.out.response.writableNeedDrain) await writable(this.parts.out);
    }
    this.passOnRead(this.parser.end());
    if (this.ended) return this.requireEnd();
    // An endpoint that just ends has not said that it is done, unless its answer has an end.
    this.passOnRead([writtenEvent('', DONE)]);
    if (!this.hasTerminal) throw new UpstreamError('broken', 'the stream ended before the answer did');
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

  /** Sends what may go on of what has come; what has been counted is sent even if the next event is unusable. */
  private passOn(piece: Buffer): void {
    const { parser, same } = this;
    const letters = piece.toString('latin1');
    let out = '';
    try {
      for (let at = 0; at < piece.length && !this.ended; ) {
        // Events like others before them need not be read.
        const alike = this.hasTerminal || !parser.between ? at : same.skim(letters, at, this.count);
        out += letters.slice(at, alike);
        if (alike === letters.length) break;
        at = endOfEvent(letters, alike);
        for (const event of parser.push(piece.subarray(alike, at))) out += lettersOf(this.take(event));
      }
    } finally {
      this.send(out);
    }
  }

  /** The same for events that are read already. */
  private passOnRead(events: readonly string[]): void {
    for (const event of events) if (!this.ended) this.send(lettersOf(this.take(event)));
  }

  private readonly count = (choice: number, text: string): void => this.meter.add(choice, text);

  /** What goes on at once because of an event of the endpoint's. @throws UpstreamError */
  private take(event: string): string {
    const told = this.ended ? undefined : eventIn(event);
    return told === undefined ? '' : this.takeTold(told);
  }

  private takeTold({ event, data }: ServerSentEvent): string {
    if (event === 'error') throw new UpstreamError('broken', 'the endpoint reported an error');
    if (data === DONE) {
      const rest = this.translator?.end().map((told) => this.takeEvent(told.data, undefined)).join('') ?? '';
      this.ended = true;
      return rest;
    }
    return this.takeValue(parsed(data), data);
  }

  /** @param text as it came; undefined: it did not come so */
  private takeValue(value: JsonObject, text: string | undefined): string {
    const { translator } = this;
    if (translator === undefined) return this.takeEvent(value, text);
    return translator.next(value).map((told) => this.takeEvent(told.data, undefined)).join('');
  }

  /** @param text as it came, when it came in the client's own protocol */
  private takeEvent(value: JsonObject, text: string | undefined): string {
    const { dialect, shown, body } = this.call;
    const event = dialect.eventName(value);
    const role = dialect.readEvent(value, this.meter);
    if (role === 'failure') throw new UpstreamError('broken', 'the endpoint reported an error');
    if (role === 'empty') return '';
    // Figures have an event of their own, at the end; that others have none is said only to one who asked for them.
    const hadUsage = 'usage' in value && role !== 'usage' && !(value.usage === null && dialect.wantsUsage(body));
    if (hadUsage) delete value.usage;
    if (role === 'content' && !this.hasTerminal) {
      const changed = dialect.shapeEvent(value, shown, body) || hadUsage;
      this.latest = { event, data: value };
      if (changed || text === undefined || text.includes('\n')) return writtenEvent(event, written(value));
      const plain = dialect.plainText?.(value);
      if (plain !== undefined && event === '') this.same.learn(`data: ${text}`, plain);
      return writtenEvent(event, text);
    }
    // After an end of one choice, the content of another may be the last event, which carries the receipt.
    const out = role === 'content' ? this.releaseHeld() : '';
    if (role === 'usage') return '';
    if (role === 'terminal') {
      this.hasTerminal = true;
      this.ended = !dialect.endsWithDone;
    }
    dialect.shapeEvent(value, shown, body);
    // What could not be written when it is due is no end.
    written(value);
    this.held.push({ event, data: value });
    return out;
  }

  /** One of several choices had ended; the answer goes on. */
  private releaseHeld(): string {
    if (this.held.length === 0) return '';
    const out = this.held.map(({ event, data }) => writtenEvent(event, JSON.stringify(data))).join('');
    this.held = [];
    return out;
  }

  /** @param letters the bytes of a piece, one letter each */
  private send(letters: string): void {
    if (letters === '') return;
    const { out, keep } = this.parts;
    if (!this.begun) out.streamHead();
    this.begun = true;
    if (keep !== undefined) this.sent += letters;
    out.piece(letters);
  }

  /** The answer is complete: charge it, then send its end. */
  private async finish(): Promise<void> {
    const { dialect, body } = this.call;
    const metered = this.meter.result();
    const out: string[] = [];
    try {
      const receipt = await this.parts.settle(metered);
      if (dialect.wantsUsage(body)) this.held.push(this.usageEvent());
      const last = this.held.at(-1);
      if (last !== undefined) last.data.x_ccx = receipt;
      if (isObject(last?.data.response)) last.data.response.x_ccx = receipt;
      for (const { event, data } of this.held) out.push(writtenEvent(event, this.corrected(data, metered)));
      if (dialect.endsWithDone) out.push(writtenEvent('', DONE));
    } catch (error) {
      out.push(this.errorEvent(error));
    }
    await this.end(out.join(''));
  }

  private async end(text: string): Promise<void> {
    const { out, keep } = this.parts;
    await keep?.(textOf(this.sent) + text);
    if (out.response.destroyed) return;
    if (!this.begun) out.streamHead();
    out.lastPiece(text);
  }

  private corrected(data: JsonObject, metered: Metered): string {
    if (isObject(data.usage) || isObject(data.response)) this.call.dialect.correctUsage(data, metered);
    return JSON.stringify(data);
  }

  /** An event with figures only. */
  private usageEvent(): HeldEvent {
    const { choices: _choices, usage: _usage, ...head } = this.held.at(-1)?.data ?? {};
    return { event: '', data: { ...head, choices: [], usage: {} } };
  }

  /** The answer broke off: what was delivered is charged, and the client is told. */
  private async breakOff(error: UpstreamError): Promise<void> {
    let shown: unknown = error.fault === 'aborted' ? (this.parts.gone.reason ?? leftByClient()) : asGatewayError(error);
    if (error.fault !== 'aborted') this.answered.brokeOff();
    try {
      await this.parts.settle(this.meter.result(true));
    } catch (settling) {
      shown = settling;
    }
    await this.end(this.releaseHeld() + this.errorEvent(shown));
  }

  private errorEvent(error: unknown): string {
    if (!(error instanceof GatewayError)) this.parts.log.error({ err: error, request: this.call.id }, 'a stream could not be charged');
    return failureEvent(this.call, error);
  }
}

/** The one event by which a stream tells that it has failed. */
export function failureEvent({ dialect, shown }: Call, error: unknown): string {
  const known = error instanceof GatewayError ? error : new GatewayError(error instanceof Unavailable ? 'provider_unavailable' : 'provider_error');
  const body = known.body();
  const told = dialect.failure?.(body.error, shown);
  return writtenEvent(told?.event ?? '', JSON.stringify({ ...body, ...told?.data }));
}

/** Nobody is there to hear it, but who repeats the request is told why its answer ends there. */
const leftByClient = (): GatewayError => new GatewayError('invalid_request_error', { values: { detail: 'The client ended this stream before its end; a new Idempotency-Key asks again.' } });

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
function writable({ response }: Outgoing): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}
