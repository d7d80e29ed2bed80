/** What is kept of a block of which something is left. */
import type { CompanyId, MarketId, OrderId, Side } from '../vocabulary.ts';
import type { Hour, Micro, Millis, Ppm, Steps, Ticks } from '../numbers/units.ts';

export interface Block {
  readonly block: OrderId;
  readonly company: CompanyId;
  readonly market: MarketId;
  readonly fromHour: Hour;
  readonly toHour: Hour;
  readonly side: Side;
  readonly price: Ticks;
  /** Steps in each hour, as placed. */
  readonly quantity: Steps;
  readonly timeInForce: number;
  readonly minimumAcceptanceRatio: Ppm;
  readonly model: number;
  readonly clientOrderId: string;
  readonly acceptedAt: Millis;
  readonly sequence: number;
  /** Buy blocks: what is still wanted in each hour. */
  wanted: Steps;
  /** Micro-CR of its executions, and steps over all hours, of asks that have left. */
  notional: Micro;
  filled: Steps;
  /** Sell blocks: asks still in the market, and how many have not left yet. */
  asks: OrderId[];
  asksLeft: number;
  /** The hour that had too little when it was last tried: it is looked at first. */
  lacking: number;
}
