/** The journal as a follower reads it: the events of the next rows, as many as fit into one transaction. */
import { decodeEventBytes } from '../../engine/codec/event_codec.ts';
import type { EventBatch } from '../../engine/events.ts';
import type { Transaction } from './projection.ts';

export interface JournalEvents {
  firstSequence: number;
  lastSequence: number;
  engineTime: number;
  events: EventBatch;
}

export interface JournalPages {
  /** Durable rows after `sequence`, in order, up to `until`; none when there are none yet. */
  after(sequence: number, until: number): Promise<JournalEvents[]>;
}

/** Rows and bytes of events of one page. A row alone is always read. */
const PAGE_ROWS = 500;
const PAGE_BYTES = 2 << 20;

const PAGE = `
  select first_sequence, last_sequence, engine_time, events from (
    select first_sequence, last_sequence, engine_time, events, sum(octet_length(events)) over (order by first_sequence) - octet_length(events) as before
    from (select * from journal where first_sequence > $1 and last_sequence <= $2 order by first_sequence limit ${PAGE_ROWS}) as next
  ) as measured where before < ${PAGE_BYTES} order by first_sequence`;

/** 64-bit integers arrive as text. */
interface RawRow {
  first_sequence: string;
  last_sequence: string;
  engine_time: string;
  events: Buffer;
}

export class PostgresPages implements JournalPages {
  private readonly connection: Transaction;

  constructor(connection: Transaction) {
    this.connection = connection;
  }

  async after(sequence: number, until: number): Promise<JournalEvents[]> {
    const { rows } = await this.connection.query<RawRow>({ name: 'projections_page', text: PAGE, values: [sequence, until] });
    return rows.map((row) => ({
      firstSequence: Number(row.first_sequence), lastSequence: Number(row.last_sequence), engineTime: Number(row.engine_time), events: decodeEventBytes(row.events),
    }));
  }
}
