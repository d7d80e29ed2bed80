/** Collects what a batch changes, for those who follow. While nobody does, collecting costs next to nothing. */
import type { LiveOrder } from './live_orders.ts';
import type { FacilityStep, FillEvent, MarketChange } from './market_data.ts';

export class MarketChanges implements MarketChange {
  sequence = 0;
  now = 0;
  readonly instruments = new Set<number>();
  readonly fills: FillEvent[] = [];
  readonly orders = new Set<LiveOrder>();
  readonly companies = new Set<number>();
  readonly facilities: FacilityStep[] = [];
  reference = false;
  /** True while somebody follows. */
  active = false;
  private readonly watched = new Map<number, number>();

  watch(company: number): () => void {
    this.watched.set(company, (this.watched.get(company) ?? 0) + 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const left = (this.watched.get(company) ?? 1) - 1;
      if (left === 0) this.watched.delete(company);
      else this.watched.set(company, left);
    };
  }

  get watching(): boolean {
    return this.watched.size > 0;
  }

  addCompany(company: number): void {
    if (this.watched.has(company)) this.companies.add(company);
  }

  addAllCompanies(): void {
    for (const company of this.watched.keys()) this.companies.add(company);
  }

  addOrder(order: LiveOrder): void {
    if (!this.watched.has(order.company)) return;
    this.orders.add(order);
    this.companies.add(order.company);
  }

  clear(): void {
    this.instruments.clear();
    this.fills.length = 0;
    this.orders.clear();
    this.companies.clear();
    this.facilities.length = 0;
    this.reference = false;
  }
}
