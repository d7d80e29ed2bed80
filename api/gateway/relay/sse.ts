/** Server-sent events from bytes that may be cut anywhere. */
import { StringDecoder } from 'node:string_decoder';
import { UpstreamError } from './upstream.ts';

export interface ServerSentEvent {
  /** '' when the event has no name. */
  event: string;
  data: string;
}

const LINE_MAX = 8 * 1024 * 1024;

export class EventStreamParser {
  private readonly decoder = new StringDecoder('utf8');
  private rest = '';
  private event = '';
  private data: string[] = [];

  /** @throws UpstreamError broken for a line longer than any event can be */
  push(bytes: Buffer): ServerSentEvent[] {
    const text = this.rest + this.decoder.write(bytes);
    const events: ServerSentEvent[] = [];
    let from = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      this.line(text.slice(from, text.charCodeAt(end - 1) === 13 && end > from ? end - 1 : end), events);
      from = end + 1;
    }
    this.rest = text.slice(from);
    if (this.rest.length > LINE_MAX) throw new UpstreamError('broken', 'an event has no end');
    return events;
  }

  /** What a last event without its empty line leaves. */
  end(): ServerSentEvent[] {
    const events: ServerSentEvent[] = [];
    this.line(this.rest + this.decoder.end(), events);
    this.line('', events);
    this.rest = '';
    return events;
  }

  private line(line: string, events: ServerSentEvent[]): void {
    if (line === '') {
      if (this.data.length > 0) events.push({ event: this.event, data: this.data.join('\n') });
      this.event = '';
      this.data = [];
    } else if (line.startsWith('data:')) {
      this.data.push(line.charCodeAt(5) === 32 ? line.slice(6) : line.slice(5));
    } else if (line.startsWith('event:')) {
      this.event = line.slice(6).trim();
    }
  }
}

export const writtenEvent = (event: string, data: string): string => (event === '' ? `data: ${data}\n\n` : `event: ${event}\ndata: ${data}\n\n`);
