/**
 * Counts that hold over all processes: each tells the others ten times a second what it has counted, and adds
 * what it is told. So a limit is kept to within a tenth of a second's requests (those of keys are exact: redis_limits.ts); while Redis is
 * away each process keeps it by itself.
 */
import type { Tallies, Tally } from '../http/middleware/rate_limit.ts';
import { Broadcast } from './broadcast.ts';
import type { BroadcastOptions, Message } from './broadcast.ts';

const TELL_MILLIS = 100;
/** Names told at once; what is beyond is not told. */
const NAMES_MAX = 10_000;

interface Told {
  /** By kind: names and amounts. */
  counts: Map<string, Map<string, number>>;
}

export class SharedTallies implements Tallies {
  private readonly broadcast: Broadcast<Told>;
  private readonly listeners = new Map<string, (name: string, amount: number) => void>();
  /** The last message heard, by client. */
  private readonly heard = new Map<string, number>();
  private counts = new Map<string, Map<string, number>>();
  private names = 0;

  constructor(options: BroadcastOptions) {
    this.broadcast = new Broadcast<Told>('tallies', options, (message) => this.hear(message), () => this.tell(), TELL_MILLIS);
  }

  of(kind: string): Tally {
    return {
      counted: (name, amount) => this.count(kind, name, amount),
      onOthers: (listener) => void this.listeners.set(kind, listener),
    };
  }

  close(): void {
    this.broadcast.close();
  }

  private count(kind: string, name: string, amount: number): void {
    let counts = this.counts.get(kind);
    if (counts === undefined) this.counts.set(kind, (counts = new Map<string, number>()));
    const known = counts.get(name);
    if (known === undefined && ++this.names > NAMES_MAX) return;
    counts.set(name, (known ?? 0) + amount);
  }

  private tell(): void {
    if (this.names === 0) return;
    this.broadcast.tell({ counts: this.counts });
    this.counts = new Map();
    this.names = 0;
  }

  private hear({ client, number, counts: told }: Message & Told): void {
    if (client === this.broadcast.client || number <= (this.heard.get(client) ?? 0)) return;
    if (this.heard.size > NAMES_MAX) this.heard.clear();
    this.heard.set(client, number);
    for (const [kind, counts] of told) for (const [name, amount] of counts) this.listeners.get(kind)?.(name, amount);
  }
}
