/** What buyers own and what became of it; what providers sold and delivered by hour; metered use. */
import { ACCOUNT, accountOf } from '../../engine/ledger/accounts.ts';
import type { EngineEvent, EventOf } from '../../engine/events.ts';
import { MILLIS_PER_DAY } from '../../engine/numbers/units.ts';
import type { CommandEvents } from './commands_of.ts';
import { CopyBuffer } from './copy_buffer.ts';
import { SCHEMA } from './projection.ts';
import type { Projection, ProjectionWriter, Transaction } from './projection.ts';
import { RowBuffer, insertInto } from './row_buffer.ts';
import { isResale } from './trades.ts';

const ALLOCATIONS = `${SCHEMA}.allocations`;
const DELIVERIES = `${SCHEMA}.deliveries`;
const USAGE = `${SCHEMA}.usage`;
const USAGE_DAYS = `${SCHEMA}.usage_days`;

const BOUGHT = {
  allocation: 'bigint', sequence: 'bigint', fill: 'bigint', bid: 'bigint', company: 'int', provider: 'int', market: 'int', hour: 'int', price: 'bigint',
  quantity: 'bigint', bought_at: 'bigint', model: 'int',
} as const;
/**
 * Sums: micro-CR, micro-USD, 1e-6 GPU-seconds. undone_credits: of the failed ones, those that had been delivered; fault_gpu: of what
 * failed, what its provider is at fault for; replacement: what its bond paid for hours bought elsewhere.
 */
const SUMS = {
  used_gpu: 'bigint', used_credits: 'bigint', unused_credits: 'bigint', failed_credits: 'bigint', payable: 'bigint', commission: 'bigint', requests: 'bigint',
  prompt_tokens: 'bigint', completion_tokens: 'bigint', resold: 'bigint', failed_gpu: 'bigint', fault_gpu: 'bigint', undone_credits: 'bigint', damages: 'bigint', replacement: 'bigint',
} as const;
/** pending_gpu: what of the settled hour is still under way; null unless settled here. released_gpu comes off it. */
const DELIVERED = { allocation: 'bigint', ...SUMS, pending_gpu: 'bigint', released_gpu: 'bigint', settled_at: 'bigint' } as const;
const METERED = {
  sequence: 'bigint', at: 'bigint', company: 'int', provider: 'int', allocation: 'bigint', model: 'int', key: 'text', endpoint: 'text', request: 'text',
  prompt_tokens: 'bigint', completion_tokens: 'bigint', gpu: 'bigint', credits: 'bigint', spot_fees: 'bigint', payable: 'bigint', estimated: 'boolean',
} as const;
const DAY = {
  company: 'int', day: 'int', model: 'int', provider: 'int', key: 'text', requests: 'bigint', prompt_tokens: 'bigint', completion_tokens: 'bigint',
  gpu: 'bigint', credits: 'bigint', spot_fees: 'bigint', payable: 'bigint',
} as const;

const SUM_NAMES = Object.keys(SUMS) as (keyof typeof SUMS)[];
const columnsOf = (names: readonly string[]): string => names.map((name) => `${name} bigint not null default 0`).join(', ');
const DEFINITION = `
  create table ${ALLOCATIONS} (
    allocation bigint primary key, sequence bigint not null, fill bigint not null, bid bigint not null, company int not null, provider int not null,
    market int not null, hour int not null, price bigint not null, quantity bigint not null, bought_at bigint not null, model int not null,
    ${columnsOf(SUM_NAMES)}, pending_gpu bigint not null default 0, settled_at bigint
  ) with (fillfactor = 80);
  create unique index allocations_of_company on ${ALLOCATIONS} (company, fill);
  create table ${DELIVERIES} (
    provider int not null, market int not null, hour int not null, sold bigint not null default 0, notional bigint not null default 0,
    ${columnsOf(SUM_NAMES)}, primary key (provider, hour, market)
  ) with (fillfactor = 80);
  create table ${USAGE} (
    sequence bigint primary key, at bigint not null, company int not null, provider int not null, allocation bigint not null, model int not null,
    key text not null, endpoint text not null, request text not null, prompt_tokens bigint not null, completion_tokens bigint not null, gpu bigint not null,
    credits bigint not null, spot_fees bigint not null, payable bigint not null, estimated boolean not null
  );
  create index usage_of_company on ${USAGE} (company, sequence);
  create index usage_of_key on ${USAGE} (company, key, at);
  create table ${USAGE_DAYS} (
    company int not null, day int not null, model int not null, provider int not null, key text not null, requests bigint not null,
    prompt_tokens bigint not null, completion_tokens bigint not null, gpu bigint not null, credits bigint not null, spot_fees bigint not null,
    payable bigint not null, primary key (company, day, model, provider, key)
  ) with (fillfactor = 80);
`;

const DELIVER = (given: string): string => `
  update ${ALLOCATIONS} as a set ${SUM_NAMES.map((name) => `${name} = a.${name} + given.${name}`).join(', ')},
    pending_gpu = coalesce(given.pending_gpu, greatest(a.pending_gpu - given.released_gpu, 0)), settled_at = coalesce(given.settled_at, a.settled_at)
  from ${given} where a.allocation = given.allocation`;
/** The same sums, by the provider's hour that the allocation is of. */
const DELIVER_HOUR = (given: string): string => `
  insert into ${DELIVERIES} (provider, market, hour, ${SUM_NAMES.join(', ')})
  select a.provider, a.market, a.hour, ${SUM_NAMES.map((name) => `sum(given.${name})`).join(', ')}
  from ${given} join ${ALLOCATIONS} as a using (allocation) group by a.provider, a.market, a.hour
  on conflict (provider, hour, market) do update set ${SUM_NAMES.map((name) => `${name} = deliveries.${name} + excluded.${name}`).join(', ')}`;
/** What was bought, by the provider's hour. */
const SELL_HOUR = (given: string): string => `
  insert into ${DELIVERIES} (provider, market, hour, sold, notional)
  select provider, market, hour, sum(quantity), sum(price * quantity) from ${given} group by provider, market, hour
  on conflict (provider, hour, market) do update set sold = deliveries.sold + excluded.sold, notional = deliveries.notional + excluded.notional`;
const DAY_SUMS = ['requests', 'prompt_tokens', 'completion_tokens', 'gpu', 'credits', 'spot_fees', 'payable'] as const;
const MERGE_DAY = `on conflict (company, day, model, provider, key) do update set ${DAY_SUMS.map((name) => `${name} = usage_days.${name} + excluded.${name}`).join(', ')}`;

type Numbers<C> = { -readonly [N in keyof C]: number };
type Delivered = Numbers<typeof SUMS> & { allocation: number; pending_gpu: number | null; released_gpu: number; settled_at: number | null };
type Day = Numbers<Omit<typeof DAY, 'key'>> & { key: string };

class DeliveryWriter implements ProjectionWriter {
  private delivered = new Map<number, Delivered>();
  private days = new Map<string, Day>();
  private readonly bought = new CopyBuffer(ALLOCATIONS, BOUGHT);
  private readonly sold = new RowBuffer('deliveries_sell', BOUGHT, SELL_HOUR);
  private readonly deliveredRows = new RowBuffer('allocations_deliver', DELIVERED, DELIVER);
  private readonly deliveredHours = new RowBuffer('deliveries_deliver', DELIVERED, DELIVER_HOUR);
  private readonly metered = new CopyBuffer(USAGE, METERED);
  private readonly dayRows = new RowBuffer('usage_days_merge', DAY, insertInto(USAGE_DAYS, DAY, MERGE_DAY));

  apply(command: CommandEvents): void {
    command.events.forEach((event, index) => {
      if (event.kind === 'fill') this.buy(event, command.sequence);
      else if (event.kind === 'usageCaptured') this.capture(event, command, earned(command.events[index - 1]));
      else if (event.kind === 'allocationSettled') this.settle(event, command.at, earned(command.events[index - 1]));
      else if (event.kind === 'pendingReleased') this.release(event, earned(command.events[index - 1]));
      else if (event.kind === 'deliveryFailed') this.fail(event);
      else if (event.kind === 'replacementSought') this.deliveredOf(event.allocation).replacement += event.extra;
      else if (event.kind === 'allocationResold') this.deliveredOf(event.allocation).resold += event.quantity;
    });
  }

  private buy(event: EventOf<'fill'>, sequence: number): void {
    const { allocation, fill, maker, taker, takerSide, buyer, provider, market, hour, price, quantity, now, model } = event;
    const row = { allocation, sequence, fill, bid: takerSide === 'buy' ? taker : maker, company: buyer, provider, market, hour, price, quantity, bought_at: now, model };
    this.bought.add(row);
    // A resale sells nothing new of the provider's.
    if (!isResale(event)) this.sold.add(row);
  }

  private deliveredOf(allocation: number): Delivered {
    let found = this.delivered.get(allocation);
    if (found === undefined) {
      found = {
        allocation, used_gpu: 0, used_credits: 0, unused_credits: 0, failed_credits: 0, payable: 0, commission: 0, requests: 0, prompt_tokens: 0,
        completion_tokens: 0, resold: 0, failed_gpu: 0, fault_gpu: 0, undone_credits: 0, damages: 0, replacement: 0, pending_gpu: null, released_gpu: 0, settled_at: null,
      };
      this.delivered.set(allocation, found);
    }
    return found;
  }

  private earn(row: Delivered, { payable, commission, credits }: Earned): void {
    row.payable += payable;
    row.commission += commission;
    row.unused_credits += credits;
  }

  private capture(event: EventOf<'usageCaptured'>, command: CommandEvents, earnings: Earned): void {
    const row = this.deliveredOf(event.allocation);
    this.earn(row, { ...earnings, credits: 0 });
    row.used_gpu += event.gpu;
    row.used_credits += event.credits;
    row.requests++;
    row.prompt_tokens += event.promptTokens;
    row.completion_tokens += event.completionTokens;
    takeOffPending(row, event.gpu);
    this.meter(event, command.sequence);
  }

  private meter(event: EventOf<'usageCaptured'>, sequence: number): void {
    const { company, provider, allocation, model, request, promptTokens, completionTokens, gpu, credits, payable, detail, now } = event;
    const measures = { prompt_tokens: promptTokens, completion_tokens: completionTokens, gpu, credits, spot_fees: detail.spotFees, payable };
    this.metered.add({ sequence, at: now, company, provider, allocation, model, key: detail.key, endpoint: detail.endpoint, request, ...measures, estimated: detail.estimated });
    const day = Math.floor(now / MILLIS_PER_DAY);
    const key = `${company}:${day}:${model}:${provider}:${detail.key}`;
    const known = this.days.get(key);
    if (known === undefined) this.days.set(key, { company, day, model, provider, key: detail.key, requests: 1, ...measures });
    else for (const name of DAY_SUMS) known[name] += name === 'requests' ? 1 : measures[name];
  }

  private settle(event: EventOf<'allocationSettled'>, at: number, earnings: Earned): void {
    const row = this.deliveredOf(event.allocation);
    this.earn(row, { ...earnings, credits: event.unused });
    row.pending_gpu = event.pendingGpu;
    row.released_gpu = 0;
    row.settled_at = at;
  }

  private fail(event: EventOf<'deliveryFailed'>): void {
    const row = this.deliveredOf(event.allocation);
    row.failed_gpu += event.gpu;
    // What was bought elsewhere its provider did not deliver either.
    row.fault_gpu += event.reason === 'replaced' ? event.gpu : event.penal;
    row.failed_credits += event.credits;
    row.damages += event.damages;
    if (event.found === 'before_delivery') return;
    row.undone_credits += event.credits;
    row.payable -= event.clawedBack;
    row.commission -= event.commission;
  }

  private release(event: EventOf<'pendingReleased'>, earnings: Earned): void {
    const row = this.deliveredOf(event.allocation);
    this.earn(row, earnings);
    takeOffPending(row, event.gpu);
  }

  async write(transaction: Transaction): Promise<void> {
    for (const row of this.delivered.values()) {
      this.deliveredRows.add(row);
      this.deliveredHours.add(row);
    }
    for (const row of this.days.values()) this.dayRows.add(row);
    this.delivered = new Map();
    this.days = new Map();
    await this.bought.write(transaction);
    await this.sold.write(transaction);
    await this.deliveredRows.write(transaction);
    await this.deliveredHours.write(transaction);
    await this.metered.write(transaction);
    await this.dayRows.write(transaction);
  }
}

/** Before the hour is settled nothing is pending, and the table keeps it at zero. */
function takeOffPending(row: Delivered, gpu: number): void {
  if (row.pending_gpu === null) row.released_gpu += gpu;
  else row.pending_gpu -= gpu;
}

interface Earned {
  /** Micro-USD to the provider, and the commission it left; micro-CR retired. */
  payable: number;
  commission: number;
  credits: number;
}

/**
 * What the posting of a delivery, which stands before its event, brought its provider, and what the
 * allocation's holder retired. What it means to resellers stands after those.
 */
function earned(posting: EngineEvent | undefined): Earned {
  const found = { payable: 0, commission: 0, credits: 0 };
  if (posting?.kind !== 'posted') return found;
  for (let pair = 0; pair < posting.entries.length; pair += 2) {
    const account = accountOf(posting.entries[pair]);
    const amount = posting.entries[pair + 1];
    if (account === ACCOUNT['lot.issued'] && found.payable === 0) found.credits -= amount;
    else if (account === ACCOUNT['provider.payable'] && found.payable === 0) found.payable = -amount;
    else if (account === ACCOUNT['commission.seller'] && found.commission === 0) found.commission = -amount;
  }
  return found;
}

export const delivery: Projection = {
  name: 'delivery', version: 6, tables: ['allocations', 'deliveries', 'usage', 'usage_days'], definition: DEFINITION, open: () => new DeliveryWriter(),
};
