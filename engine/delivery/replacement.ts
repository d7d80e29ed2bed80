/**
 * A provider that fails in the running hour: after three failed minutes its buyers' remaining time is
 * bought anew on the spot book. What it costs more comes from the provider's bond and never exceeds it;
 * what cannot be replaced stays with the provider, and is refunded as far as it fails.
 */
import { ALLOCATION } from '../trading/allocations.ts';
import { BUY, CANCEL_NEWEST, IOC, LIMIT, NONE } from '../vocabulary.ts';
import type { CompanyId, MarketId, ModelId } from '../vocabulary.ts';
import { ACCOUNT } from '../ledger/accounts.ts';
import type { EventOf } from '../events.ts';
import type { Failures } from './failures.ts';
import { NIL } from '../ledger/lot_amounts.ts';
import { mulDiv, mulDivCeil, mulDivFloor } from '../numbers/muldiv.ts';
import { minutesLeft } from '../numbers/calendar.ts';
import { BUYER_FEE_MAX, FEE_SCALE, PARAMETERS } from '../parameters.ts';
import type { Replacement } from './records.ts';
import type { State } from '../state.ts';
import type { HourBook } from '../trading/markets.ts';
import type { Sweeps } from '../time/sweeps.ts';
import type { Trading } from '../trading/trading.ts';
import { MICRO, MICRO_GPU_SECONDS_PER_STEP, MILLIS_PER_HOUR, MINUTES_PER_HOUR } from '../numbers/units.ts';
import type { Micro, MicroGpuSeconds, Steps, Ticks } from '../numbers/units.ts';

type Outcome = EventOf<'replacementSought'>['outcome'];

/** What failed: all that a provider sold on a market, or what named a model. */
interface Sought {
  readonly company: CompanyId;
  readonly market: MarketId;
  readonly model: ModelId;
}

/** What the spot book has for a buyer, and the limit that reaches it. */
interface Found {
  quantity: Steps;
  limit: Ticks;
  outcome: Outcome;
}

export class Replacements {
  private readonly state: State;
  private readonly trading: Trading;
  private readonly sweeps: Sweeps;
  private readonly failures: Failures;

  constructor(state: State, trading: Trading, sweeps: Sweeps, failures: Failures) {
    this.state = state;
    this.trading = trading;
    this.sweeps = sweeps;
    this.failures = failures;
  }

  /**
   * Replaces what the provider has still to deliver in the running hour.
   * @param heldOf GPU time of requests under way
   * @param isTold whether those who named this model know already that there is no offer
   */
  seek({ company: provider, market, model }: Sought, heldOf: (allocation: number) => MicroGpuSeconds, isTold: (model: ModelId) => boolean): void {
    const { state } = this;
    const bookRow = state.markets.get(market)?.books.get(state.hour);
    if (bookRow === undefined) return;
    const book = state.bookOf(bookRow);
    const cell = state.providerCells.get(book.row, provider);
    if (cell === NIL || (book.hour + 1) * MILLIS_PER_HOUR - state.now <= PARAMETERS.spotEndsBefore) return;
    if (model === NONE) this.sweeps.cancelAsksOf(book, cell, 'delivery_failed');
    const rows: number[] = [];
    for (let row = book.firstAllocation; row !== NIL; row = state.allocations.bookNext(row)) {
      if (state.allocations.cell(row) === cell && (model === NONE || state.allocations.model(row) === model)) rows.push(row);
    }
    // The first bought is the first served.
    for (const row of rows.reverse()) this.replace(book, row, heldOf(state.allocations.idOf(row)), isTold);
  }

  private replace(book: HourBook, row: number, held: MicroGpuSeconds, isTold: (model: ModelId) => boolean): void {
    const { allocations, replacements } = this.state;
    if (allocations.state(row) !== ALLOCATION.open || replacements.has(row)) return;
    const wanted = this.wanted(book, row, held);
    if (wanted === 0) return;
    const found = this.look(book, row, wanted);
    if (found.quantity === 0) {
      if (!isTold(allocations.model(row))) this.tell(row, wanted, 0, 0, 0, found.outcome);
      return;
    }
    const provider = allocations.provider(row);
    const company = allocations.company(row);
    const before = allocations.failedGpu(row);
    const replacement: Replacement = { minute: MINUTES_PER_HOUR - minutesLeft(book.hour, this.state.now), wanted, taken: found.quantity, penalGpu: 0 };
    replacements.set(row, replacement);
    const feesBefore = this.failures.feeBack(row);
    this.failures.beforeDelivery(row, { total: before + found.quantity * MICRO_GPU_SECONDS_PER_STEP, penal: allocations.penalGpu(row) }, 'replaced');
    const bought = this.buy(book, row, found);
    const missed = found.quantity - bought.quantity;
    const feeBack = mulDiv(this.failures.feeBack(row) - feesBefore, bought.quantity, found.quantity);
    const extra = bought.notional + bought.fee - allocations.price(row) * bought.quantity - feeBack;
    const paid = this.failures.payExtra(provider, company, mulDiv(Math.max(0, extra), allocations.redemptionRate(row), MICRO));
    if (missed > 0) replacement.penalGpu = this.failures.penalise(row, missed * MICRO_GPU_SECONDS_PER_STEP);
    const partly = bought.quantity < wanted ? 'partly_replaced' : 'replaced';
    this.tell(row, wanted, bought.quantity, bought.order, paid, bought.quantity === 0 ? 'refused' : partly);
  }

  /** What the provider could still have delivered in the minutes left: neither consumed nor held for requests under way. */
  private wanted(book: HourBook, row: number, held: MicroGpuSeconds): Steps {
    const { allocations, now } = this.state;
    const left = minutesLeft(book.hour, now);
    const open = allocations.quantity(row) * MICRO_GPU_SECONDS_PER_STEP - allocations.usedGpu(row) - allocations.failedGpu(row) - held;
    const time = mulDivFloor(allocations.quantity(row), left, MINUTES_PER_HOUR - allocations.fromMinute(row));
    return Math.max(0, Math.min(Math.floor(open / MICRO_GPU_SECONDS_PER_STEP) - allocations.offered(row), time));
  }

  /** Asks of other providers, the cheapest first, as far as the bond pays what they cost more. */
  private look(book: HourBook, row: number, wanted: Steps): Found {
    const { orders, allocations, standing, supply, ledger } = this.state;
    const model = allocations.model(row);
    const provider = allocations.provider(row);
    const bond = -ledger.balance(ACCOUNT['provider.bond'], provider);
    let spare: Micro = mulDivFloor(bond, MICRO, allocations.redemptionRate(row));
    const found: Found = { quantity: 0, limit: 0, outcome: 'no_offer' };
    book.asks.forEach(orders, (ask) => {
      const cell = orders.cell(ask);
      const own = standing.group(orders.company(ask)) === standing.group(allocations.company(row)) || supply.capacities[supply.capacityOf(cell)].company === provider;
      if (own || (model !== NONE && !supply.serves(cell, model))) return true;
      const more = Math.max(0, mulDivCeil(orders.price(ask), FEE_SCALE + BUYER_FEE_MAX, FEE_SCALE) - allocations.price(row));
      const reach = more === 0 ? wanted : Math.floor(spare / more);
      const take = Math.min(orders.remaining(ask), wanted - found.quantity, reach);
      spare -= take * more;
      found.quantity += take;
      if (take > 0) found.limit = orders.price(ask);
      if (reach === 0) found.outcome = 'bond_exhausted';
      return found.quantity < wanted && reach > take;
    });
    return found;
  }

  /** An ordinary bid of the buyer, at once or not at all. What was bought stands at the head of its allocations. */
  private buy(book: HourBook, row: number, { quantity, limit }: Found): { quantity: Steps; notional: Micro; fee: Micro; order: number } {
    const { allocations, standing, orders } = this.state;
    const company = allocations.company(row);
    const head = standing.firstAllocation(company);
    const order = orders.nextId();
    const refusal = this.trading.place({
      type: 'place', company, market: book.market, hour: book.hour, side: BUY, orderType: LIMIT, price: limit, quantity, timeInForce: IOC, postOnly: false,
      displayQuantity: 0, minimumQuantity: 0, stopPrice: 0, expiresAt: 0, model: allocations.model(row), resaleOf: 0, selfTradePrevention: CANCEL_NEWEST,
      cancelOnDisconnect: false, clientOrderId: '',
    });
    const bought = { quantity: 0, notional: 0, fee: 0, order: refusal === undefined ? order : 0 };
    for (let own = standing.firstAllocation(company); own !== head; own = allocations.companyNext(own)) {
      bought.quantity += allocations.quantity(own);
      bought.notional += allocations.price(own) * allocations.quantity(own);
      bought.fee += allocations.fee(own);
    }
    return bought;
  }

  private tell(row: number, wanted: Steps, replaced: Steps, order: number, extra: Micro, outcome: Outcome): void {
    const { allocations, buffer } = this.state;
    buffer.emit('replacementSought', { allocation: allocations.idOf(row), company: allocations.company(row), provider: allocations.provider(row), wanted, replaced, order, extra, outcome });
  }
}
