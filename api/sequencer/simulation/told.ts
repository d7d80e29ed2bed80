/**
 * What clients of the simulation were told, held against what the journal says when it is executed again:
 * every answer, every published batch, every balance read on the way.
 */
import type { Engine } from '../../../engine/engine.ts';
import { decodeEventBytes, encodeEvents } from '../../../engine/codec/event_codec.ts';
import { decodeEvent, decodeEvents, forEachEvent, KIND } from '../../../engine/events.ts';
import type { EngineEvent } from '../../../engine/events.ts';
import type { JournalRow } from '../../../db/journal_record.ts';
import type { Ack, CommittedBatch } from '../port.ts';

interface Answer {
  sequence: number;
  now: number;
  events: string;
}
interface Published {
  lastSequence: number;
  events: Uint8Array;
}

export class Told {
  readonly findings: string[] = [];
  private readonly answers = new Map<string, Answer>();
  private readonly published = new Map<number, Published>();
  /** By company whose balance only grows: deposits of 1 that were sent, that were acknowledged, and the most that was read. */
  private readonly sent: number[];
  private readonly acknowledged: number[];
  private readonly seen: number[];
  /** Deposits in the rows up to `counted`. */
  private readonly durable: number[];
  private counted = 0;

  constructor(companies: number) {
    this.sent = Array<number>(companies).fill(0);
    this.acknowledged = [...this.sent];
    this.seen = [...this.sent];
    this.durable = [...this.sent];
  }

  get size(): number {
    return this.answers.size;
  }
  has(key: string): boolean {
    return this.answers.has(key);
  }
  find(what: string): void {
    this.findings.push(what);
  }

  /** A deposit of 1 may be under way from now on. */
  begun(company: number): void {
    this.sent[company]++;
  }

  /** @param durable the rows that are on the disk when the answer arrives */
  answered(key: string, company: number, ack: Ack, durable: readonly JournalRow[]): void {
    const reached = durable.at(-1)?.lastSequence ?? 0;
    if (ack.sequence > reached) this.find(`${key} was acknowledged at ${ack.sequence} when ${reached} was durable`);
    const answer = { sequence: ack.sequence, now: ack.now, events: JSON.stringify(ack.events) };
    const first = this.answers.get(key);
    if (first === undefined) {
      this.answers.set(key, answer);
      if (company < this.acknowledged.length) this.acknowledged[company]++;
      return;
    }
    if (JSON.stringify(first) !== JSON.stringify(answer)) this.find(`${key} was answered with ${JSON.stringify(first)}, its repeat with ${JSON.stringify(answer)}`);
    if (!ack.repeated) this.find(`${key} was executed again, at ${ack.sequence}`);
  }

  /** @returns what to call with the balance that was read: it holds all that was known when it was asked for */
  asks(company: number): (balance: number, durable: readonly JournalRow[]) => void {
    const least = Math.max(this.acknowledged[company], this.seen[company]);
    return (balance, durable) => {
      this.count(durable);
      if (balance > this.durable[company]) this.find(`company ${company} was told ${balance} when ${this.durable[company]} were durable`);
      if (balance < least) this.find(`company ${company} was told ${balance} after ${least}`);
      this.seen[company] = Math.max(this.seen[company], balance);
    };
  }

  committed({ firstSequence, lastSequence, events }: CommittedBatch): void {
    const bytes = encodeEvents(events);
    const known = this.published.get(firstSequence);
    if (known !== undefined && (known.lastSequence !== lastSequence || Buffer.compare(known.events, bytes) !== 0)) this.find(`two batches were published at ${firstSequence}`);
    this.published.set(firstSequence, { lastSequence, events: bytes });
  }

  /** Against the rows of the journal and the state that they lead to. */
  compare(rows: readonly JournalRow[], engine: Engine): void {
    const bySequence = new Map<number, Answer>();
    const times = new Map<string, number>();
    for (const row of rows) this.readRow(row, bySequence, times);
    const byFirst = new Map(rows.map((row) => [row.firstSequence, row]));
    for (const [key, answer] of this.answers) {
      const rebuilt = bySequence.get(answer.sequence);
      if (rebuilt === undefined) this.find(`${key} was acknowledged at ${answer.sequence} and is lost`);
      else if (JSON.stringify(rebuilt) !== JSON.stringify(answer)) this.find(`${key} was told ${JSON.stringify(answer)}, the journal says ${JSON.stringify(rebuilt)}`);
    }
    if (new Set([...this.answers.values()].map(({ sequence }) => sequence)).size !== this.answers.size) this.find('two commands have one sequence');
    for (const [reference, count] of times) if (count > 1) this.find(`${reference} was executed ${count} times`);
    for (const [first, { lastSequence, events }] of this.published) {
      const row = byFirst.get(first);
      if (row?.lastSequence !== lastSequence || Buffer.compare(row.events, events) !== 0) this.find(`the batch published at ${first} is not in the journal`);
    }
    this.acknowledged.forEach((acknowledged, company) => {
      const { usd } = engine.query('balances', { company });
      if (usd !== acknowledged || usd !== this.sent[company]) this.find(`company ${company} has ${usd}; ${acknowledged} were acknowledged, ${this.sent[company]} sent`);
    });
  }

  /** What is durable stays so: each row is read once. */
  private count(durable: readonly JournalRow[]): void {
    for (const { firstSequence, lastSequence, events } of durable.slice(durable.findLastIndex(({ lastSequence: last }) => last <= this.counted) + 1)) {
      if (firstSequence <= this.counted) continue;
      this.counted = lastSequence;
      for (const event of decodeEvents(decodeEventBytes(events))) if (event.kind === 'deposited' && event.company < this.durable.length) this.durable[event.company]++;
    }
  }

  private readRow(row: JournalRow, bySequence: Map<number, Answer>, times: Map<string, number>): void {
    const batch = decodeEventBytes(row.events);
    let events: EngineEvent[] = [];
    let sequence = 0;
    const close = (): void => void (sequence !== 0 && bySequence.set(sequence, { sequence, now: row.engineTime, events: JSON.stringify(events) }));
    forEachEvent(batch, (kind, at) => {
      if (kind === KIND.command) {
        close();
        sequence = batch.words[at + 2];
        events = [];
        return;
      }
      const event = decodeEvent(batch, at);
      events.push(event);
      if (event.kind === 'deposited') times.set(event.reference, (times.get(event.reference) ?? 0) + 1);
    });
    close();
  }
}
