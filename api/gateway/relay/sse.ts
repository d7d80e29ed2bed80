/** Server-sent events from bytes that may be cut anywhere. */
import { StringDecoder } from 'node:string_decoder';
import { UpstreamError } from './endpoint_answer.ts';

export interface ServerSentEvent {
  /** '' when the event has no name. */
  event: string;
  data: string;
}

const EVENT_MAX = 8 * 1024 * 1024;
const END = '\n\n';
const LINE_END = 10;
const BYTE_ORDER_MARK = '\uFEFF';
/** Line ends that are no plain ones; the last character may be half of one. */
const RETURNS = /\r\n|\r(?=[^])/g;

/** Cuts a stream into its events. */
export class EventStreamParser {
  private readonly decoder = new StringDecoder('utf8');
  private rest = '';
  private begun = false;
  /** Whether the next byte begins an event. */
  between = false;

  /** @returns each event that has ended, as it was written, without the empty line after it. @throws UpstreamError broken for one longer than any can be */
  push(bytes: Buffer): string[] {
    const looked = Math.max(0, this.rest.length - END.length);
    let added = this.rest + this.decoder.write(bytes);
    if (!this.begun && added !== '') {
      this.begun = true;
      if (added.startsWith(BYTE_ORDER_MARK)) added = added.slice(1);
    }
    const text = added.includes('\r') ? added.replace(RETURNS, '\n') : added;
    const events: string[] = [];
    let from = 0;
    for (let end = text.indexOf(END, looked); end !== -1; end = text.indexOf(END, from)) {
      events.push(text.slice(from, end));
      from = end + END.length;
    }
    this.rest = text.slice(from);
    this.between = this.rest === '' && bytes.at(-1) === LINE_END;
    if (this.rest.length > EVENT_MAX) throw new UpstreamError('broken', 'an event has no end');
    return events;
  }

  /** What a last event without its empty line leaves. */
  end(): string[] {
    const last = (this.rest + this.decoder.end()).replace(/\r\n?/g, '\n');
    this.rest = '';
    return last === '' ? [] : [last];
  }
}

/** Where the event ends that begins at `from` or before; all of a text that has no such end. */
export function endOfEvent(text: string, from: number): number {
  const end = text.indexOf(END, from);
  return end === -1 ? text.length : end + END.length;
}

const ONLY_ASCII = /^[\0-\x7f]*$/;
/** The bytes of a text, one letter each. */
export const lettersOf = (text: string): string => (ONLY_ASCII.test(text) ? text : Buffer.from(text).toString('latin1'));
/** The text of such letters. */
export const textOf = (letters: string): string => (ONLY_ASCII.test(letters) ? letters : Buffer.from(letters, 'latin1').toString());

/** What an event says; undefined when it has no data, as a comment has none. */
export function eventIn(written: string): ServerSentEvent | undefined {
  let event = '';
  let data: string | undefined;
  for (const line of written.split('\n')) {
    if (line.startsWith('data:')) {
      const value = line.slice(line.charCodeAt(5) === 32 ? 6 : 5);
      data = data === undefined ? value : `${data}\n${value}`;
    } else if (line.startsWith('event:')) {
      event = line.slice(6).trim();
    }
  }
  return data === undefined ? undefined : { event, data };
}

export const writtenEvent = (event: string, data: string): string => (event === '' ? `data: ${data}\n\n` : `event: ${event}\ndata: ${data}\n\n`);
