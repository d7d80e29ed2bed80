/** Every projection there is. */
import { bank } from './bank.ts';
import { credit } from './credit.ts';
import { delivery } from './delivery.ts';
import { ledger } from './ledger.ts';
import { life } from './life_events.ts';
import { lotUse } from './lot_use.ts';
import { orders } from './orders.ts';
import type { Projection } from './projection.ts';
import { registry } from './registry.ts';
import { trades } from './trades.ts';

export const PROJECTIONS = [orders, trades, ledger, delivery, credit, registry, life, bank, lotUse] as const satisfies readonly Projection[];
/** Names of the projections, for who waits for one of them. */
export const PROJECTION_NAMES = ['orders', 'trades', 'ledger', 'delivery', 'credit', 'registry', 'life', 'bank', 'lot_use'] as const;
export type ProjectionName = (typeof PROJECTION_NAMES)[number];
