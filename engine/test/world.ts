/** A small market for tests: commands by name, results as decoded events. */
import { BUY, CANCEL_NEWEST, GTC, LIMIT, NONE, SELL } from '../vocabulary.ts';
import type { Command, FacilityApplication, PlaceOrder } from '../commands.ts';
import type { Role } from '../vocabulary.ts';
import { Engine } from '../engine.ts';
import type { State } from '../state.ts';
import { decodeEvents } from '../events.ts';
import type { EngineEvent, EventKind, EventOf } from '../events.ts';
import type { RejectCode } from '../catalogue.ts';
import { MICRO, MILLIS_PER_HOUR, TICKS_PER_CREDIT } from '../numbers/units.ts';

export const START = Date.UTC(2026, 11, 1, 14, 0, 0);
export const HOUR = START / MILLIS_PER_HOUR + 24;
export const usd = (amount: number): number => Math.round(amount * MICRO);
export const price = (credits: number): number => Math.round(credits * TICKS_PER_CREDIT);
export const gpuHours = (hours: number): number => Math.round(hours * 100);

export interface Result {
  events: EngineEvent[];
  rejected: RejectCode | undefined;
}

export class World {
  engine: Engine;

  constructor(start: number = START, state?: State) {
    this.engine = new Engine(state);
    this.run({ type: 'tick', now: start });
    this.run({ type: 'addRegion', name: 'us-east' });
    this.run({ type: 'addClass', name: 'H100-SXM-80', chip: 'H100', memoryGb: 80, formFactor: 'SXM', listPrice: price(3), listInputs: [] });
  }

  run(command: Command, idempotencyKey = '', bodyHash = ''): Result {
    this.engine.apply({ command, idempotencyKey, bodyHash });
    const events = decodeEvents(this.engine.buffer.take());
    const rejected = events.find((event): event is EngineEvent & EventOf<'rejected'> => event.kind === 'rejected');
    return { events, rejected: rejected?.code };
  }

  company(role: Role, name: string = role, group = ''): number {
    return one(this.run({ type: 'registerCompany', name, role, group }).events, 'companyRegistered').company;
  }

  /** A provider with verified capacity and a bond. */
  provider(gpus = 100_000, name = 'provider', group = ''): number {
    const company = this.company('provider', name, group);
    this.run({ type: 'declareCapacity', company, market: 0, gpus });
    this.run({ type: 'verifyCapacity', company, market: 0, gpus });
    this.run({ type: 'deposit', company, amount: usd(1_000_000), reference: '' });
    this.run({ type: 'postBond', company, amount: usd(1_000_000) });
    return company;
  }

  /** A borrower with prepaid credit. */
  buyer(dollars = 100_000, name = 'buyer', group = ''): number {
    const company = this.company('borrower', name, group);
    this.run({ type: 'deposit', company, amount: usd(dollars), reference: '' });
    this.run({ type: 'prepay', company, amount: usd(dollars) });
    return company;
  }

  order(company: number, side: 0 | 1, credits: number, hours: number, more: Partial<PlaceOrder> = {}): Result {
    return this.run({
      type: 'place', company, market: 0, hour: HOUR, side, orderType: LIMIT, price: price(credits), quantity: gpuHours(hours), timeInForce: GTC,
      postOnly: false, displayQuantity: 0, minimumQuantity: 0, stopPrice: 0, expiresAt: 0, model: NONE, resaleOf: 0,
      selfTradePrevention: CANCEL_NEWEST, cancelOnDisconnect: false, clientOrderId: '', ...more,
    });
  }
  bid(company: number, credits: number, hours: number, more: Partial<PlaceOrder> = {}): Result {
    return this.order(company, BUY, credits, hours, more);
  }
  ask(company: number, credits: number, hours: number, more: Partial<PlaceOrder> = {}): Result {
    return this.order(company, SELL, credits, hours, more);
  }
}

export function all<K extends EventKind>(events: EngineEvent[], kind: K): EventOf<K>[] {
  return events.filter((event): event is EngineEvent & EventOf<K> => event.kind === kind);
}
export function one<K extends EventKind>(events: EngineEvent[], kind: K): EventOf<K> {
  const found = all(events, kind);
  if (found.length !== 1) throw new Error(`${found.length} ${kind} events in ${JSON.stringify(events)}`);
  return found[0];
}

/** Sums of the posted amounts by account name, in micro. */
export function postings(events: EngineEvent[], nameOf: (ref: number) => string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { entries } of all(events, 'posted')) {
    for (let at = 0; at < entries.length; at += 2) sums[nameOf(entries[at])] = (sums[nameOf(entries[at])] ?? 0) + entries[at + 1];
  }
  return Object.fromEntries(Object.entries(sums).filter(([, sum]) => sum !== 0));
}

/** Of a borrower that gets grade A. */
export const APPLICATION: FacilityApplication = {
  cash: usd(12_000_000), monthlyBurn: usd(400_000), monthlyRevenue: usd(900_000), cashTrend3m: 50_000, revenueGrowth: 1_500_000,
  grossMargin: 700_000, computeShare: 300_000, forecastError: 50_000, topCustomer: 100_000, pastDaysOverdue: 0,
};

/** A borrower that has drawn 400,000 USD of a facility of 1,000,000. */
export const financed = (world: World): Loan => loan(world, 12);

export interface Loan {
  borrower: number;
  lender: number;
  facility: number;
  lot: number;
}

/** The same for so many months: 6 of them mint at 1.40. */
export function loan(world: World, months: number, group = ''): Loan {
  const lender = world.company('lender');
  const borrower = world.company('borrower', 'borrower', group);
  world.run({ type: 'createMandate', bankCovers: true, company: lender, amount: usd(50_000_000), grades: ['A', 'B', 'C'], maximumPerBorrower: usd(10_000_000), minimumAnnualRate: 50_000 });
  const { facility } = one(world.run({ type: 'applyFacility', company: borrower, amount: usd(1_000_000), months, method: 'annuity', application: APPLICATION }).events, 'facilityOffered');
  world.run({ type: 'acceptFacility', company: borrower, facility });
  const { lot } = one(world.run({ type: 'draw', company: borrower, facility, amount: usd(400_000) }).events, 'lotMinted');
  return { borrower, lender, facility, lot };
}
