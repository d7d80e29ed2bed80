/** What trading is to its own parts: amendments and blocks move orders through the market as it does. */
import type { MatchHost } from '../book/match_host.ts';
import type { Matcher } from '../book/matching.ts';
import type { OrderEvents } from '../book/order_events.ts';
import type { PlaceOrder } from '../commands.ts';
import type { CancelReason } from '../events.ts';
import type { CreditLimits } from '../lending/credit_limits.ts';
import type { Hour, Micro, Steps, Ticks } from '../numbers/units.ts';
import type { CompanyId, OrderId } from '../vocabulary.ts';
import type { Holds } from './holds.ts';
import type { HourBook } from './markets.ts';
import type { OrderChecks } from './order_checks.ts';

export interface TradingHost extends MatchHost {
  readonly holds: Holds;
  readonly events: OrderEvents;
  readonly checks: OrderChecks;
  readonly matcher: Matcher;
  readonly limits: CreditLimits;
  /** Whether buy blocks wait for asks. */
  blocksWait: boolean;

  // Credit.
  /** What of a hold must be there, and what `look` finds to be enough where it is not. */
  neededFor(company: CompanyId, hold: Micro, lastHour: Hour, look: () => Micro): Micro;
  drawFor(company: number, hold: Micro, lastHour: Hour): void;
  reserve(row: number, company: CompanyId, needed: Micro, hold: Micro): void;
  adjustHold(row: number): void;

  // Orders.
  /** Enters an ask of a sell block, which was checked as a whole. */
  admit(command: PlaceOrder, book: HourBook, price: Ticks, block: OrderId): void;
  cellFor(book: HourBook, company: number): number;
  countOrder(company: number): void;
  noteArrival(row: number): void;
  link(row: number): void;
  /** An ask wants so many steps more of its provider's capacity. */
  offer(row: number, change: Steps): void;
  cancelRow(row: number, reason: CancelReason): void;
  drop(row: number, reason: CancelReason): void;
  runStops(book: HourBook): void;
  ease(row: number): void;
}
