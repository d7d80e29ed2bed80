/**
 * Whether the market is whole: the ten conditions that hold after every fault. Reads nothing but the
 * journal and the public API, and executes the journal again from its first command.
 */
import pg from 'pg';
import { Auditor } from '../../db/projections/auditor.ts';
import { readRows, verifyJournal } from '../../db/journal_reader.ts';
import { GENESIS_HASH, verifyRow } from '../../db/journal_record.ts';
import type { JournalRow } from '../../db/journal_record.ts';
import { idOf } from '../../api/ids.ts';
import { replayRow } from '../../api/sequencer/recovery.ts';
import { decodeEnvelopes } from '../../engine/codec/command_codec.ts';
import { Engine } from '../../engine/engine.ts';
import { decodeEventBytes } from '../../engine/codec/event_codec.ts';
import { KIND, decodeEvent, forEachEvent } from '../../engine/events.ts';
import type { Acknowledged } from './order_load.ts';

export interface LiveState {
  ok: boolean;
  checks: { name: string; ok: boolean; detail: string }[];
  state_hash: string;
  sequence: number;
}

export const CONDITIONS = [
  'acknowledged and lost: 0', 'executed twice: 0', 'each ledger sums to 0', 'no negative available', 'replayed hash equals the live one', 'sequence gaps: 0',
  'no two eligible orders cross', 'fills never exceed their order', 'holds of closed orders: 0', 'sold never exceeds verified',
] as const;

export async function liveState(url: string, operatorKey: string): Promise<LiveState> {
  const response = await fetch(`${url}/api/v1/invariants`, { headers: { authorization: `Bearer ${operatorKey}` } });
  if (!response.ok) throw new Error(`invariants: ${response.status} ${await response.text()}`);
  return (await response.json()) as LiveState;
}

/** @returns what does not hold; empty when all ten conditions do */
export async function check(databaseUrl: string, live: LiveState, acknowledged: readonly Acknowledged[]): Promise<string[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await verifyJournal(client);
    const replay = new Replay(live.sequence);
    for await (const row of readRows(client, 1)) if (!replay.take(row)) break;
    return replay.findings(live, acknowledged);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  } finally {
    await client.end();
  }
}

class Replay {
  private readonly until: number;
  private readonly engine = Engine.spacious();
  private readonly auditor = new Auditor();
  private hash: Uint8Array = GENESIS_HASH;
  /** Number of the order by client order id, and how often the id was accepted. */
  private readonly accepted = new Map<string, { order: number; times: number }>();
  private readonly quantities = new Map<number, number>();
  private readonly amended = new Set<number>();
  private readonly filled = new Map<number, number>();

  constructor(until: number) {
    this.until = until;
  }

  /** @returns false when it has come as far as the live state */
  take(row: JournalRow): boolean {
    verifyRow(this.engine.sequence, this.hash, row);
    this.hash = row.hash;
    if (row.lastSequence <= this.until) replayRow(this.engine, row);
    else for (const envelope of decodeEnvelopes(row.commands)) if (this.engine.sequence < this.until) this.engine.apply(envelope);
    this.read(row);
    return this.engine.sequence < this.until;
  }

  /** What the events say, apart from what the engine makes of the commands. */
  private read(row: JournalRow): void {
    const batch = decodeEventBytes(row.events);
    this.auditor.add(batch);
    forEachEvent(batch, (kind, at) => {
      if (kind !== KIND.orderAccepted && kind !== KIND.fill && kind !== KIND.orderAmended) return;
      const event = decodeEvent(batch, at);
      if (event.kind === 'orderAmended') this.amended.add(event.order);
      if (event.kind === 'fill') for (const order of [event.maker, event.taker]) this.filled.set(order, (this.filled.get(order) ?? 0) + event.quantity);
      if (event.kind !== 'orderAccepted') return;
      this.quantities.set(event.order, event.quantity);
      if (event.clientOrderId === '') return;
      const key = `${event.company}:${event.clientOrderId}`;
      this.accepted.set(key, { order: event.order, times: (this.accepted.get(key)?.times ?? 0) + 1 });
    });
  }

  findings(live: LiveState, acknowledged: readonly Acknowledged[]): string[] {
    const found: string[] = [];
    const say = (condition: number, what: string): void => void found.push(`${CONDITIONS[condition - 1]}: ${what}`);
    const byId = new Map([...this.accepted].map(([key, { order }]) => [idOf('order', order), key.slice(key.indexOf(':') + 1)]));
    const lost = acknowledged.filter(({ key, order }) => byId.get(order) !== key);
    if (lost.length > 0) say(1, `${lost.length} orders are lost, ${lost[0].key} is one`);
    const twice = [...this.accepted].filter(([, { times }]) => times > 1);
    if (twice.length > 0) say(2, `${twice.length} orders, ${twice[0][0]} is one`);
    for (const [ledger, sum] of Object.entries(this.auditor.trialBalance())) if (sum !== 0n) say(3, `${ledger} sums to ${sum}`);
    for (const finding of this.auditor.findings) say(4, finding);
    if (this.engine.sequence !== live.sequence) say(6, `the journal ends at ${this.engine.sequence}, the market is at ${live.sequence}`);
    if (this.engine.stateHash() !== live.state_hash) say(5, `at sequence ${live.sequence}`);
    for (const [order, quantity] of this.quantities) {
      if (!this.amended.has(order) && (this.filled.get(order) ?? 0) > quantity) say(8, `order ${order} of ${quantity} filled ${this.filled.get(order)}`);
    }
    for (const { name, ok, detail } of [...live.checks, ...this.engine.checkInvariants()]) if (!ok) found.push(`${name}: ${detail}`);
    return found;
  }
}
