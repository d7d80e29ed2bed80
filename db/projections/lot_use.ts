/** Of each lot of credits, how much has paid for hours that were used, and how much for hours that were delivered and not used. */
import { ACCOUNT, accountOf, ownerOf } from '../../engine/ledger/accounts.ts';
import { KIND } from '../../engine/events.ts';
import type { CommandEvents } from './commands_of.ts';
import { causeOf } from './ledger.ts';
import { SCHEMA } from './projection.ts';
import type { Projection, ProjectionWriter, Transaction } from './projection.ts';
import { RowBuffer, insertInto } from './row_buffer.ts';

const LOTS = `${SCHEMA}.lot_use`;
const LOT = { lot: 'bigint', used: 'bigint', unused: 'bigint' } as const;
const DEFINITION = `create table ${LOTS} (lot bigint primary key, used bigint not null, unused bigint not null);`;

/** What is retired by such an event was used, or not. */
const USES: ReadonlyMap<number, 'used' | 'unused'> = new Map([[KIND.usageCaptured, 'used'], [KIND.allocationSettled, 'unused'], [KIND.pendingReleased, 'unused']]);

class LotUseWriter implements ProjectionWriter {
  private sums = new Map<number, { lot: number; used: number; unused: number }>();
  private readonly rows = new RowBuffer('lot_use_merge', LOT, insertInto(LOTS, LOT, 'on conflict (lot) do update set used = lot_use.used + excluded.used, unused = lot_use.unused + excluded.unused'));

  apply({ events }: CommandEvents): void {
    events.forEach((event, index) => {
      if (event.kind !== 'posted') return;
      const use = USES.get(causeOf(events, index));
      if (use === undefined) return;
      const { entries } = event;
      for (let at = 0; at < entries.length; at += 2) if (accountOf(entries[at]) === ACCOUNT['lot.issued']) this.add(ownerOf(entries[at]), use, -entries[at + 1]);
    });
  }

  private add(lot: number, use: 'used' | 'unused', credits: number): void {
    const sum = this.sums.get(lot) ?? { lot, used: 0, unused: 0 };
    sum[use] += credits;
    this.sums.set(lot, sum);
  }

  async write(transaction: Transaction): Promise<void> {
    for (const sum of this.sums.values()) this.rows.add(sum);
    this.sums = new Map();
    await this.rows.write(transaction);
  }
}

export const lotUse: Projection = { name: 'lot_use', version: 1, tables: ['lot_use'], definition: DEFINITION, open: () => new LotUseWriter() };
