/** Answers to the queries of queries.ts, read from the state. */
import { ACCOUNT } from './ledger/accounts.ts';
import { ALLOCATION } from './trading/allocations.ts';
import type { Block } from './trading/block.ts';
import { BUY, NONE } from './vocabulary.ts';
import type { PlaceBlock, PlaceOrder } from './commands.ts';
import type { CompanyId } from './vocabulary.ts';
import { isPayableHeld } from './delivery/delivery.ts';
import { plannedUse } from './credit/planned_use.ts';
import type { Facilities } from './lending/facilities.ts';
import { INVARIANTS, checkInvariantFrom, checkInvariants } from './invariants.ts';
import { NIL } from './ledger/lot_amounts.ts';
import { sharesWire } from './lending/mandates.ts';
import { FLAG } from './book/orders.ts';
import { PARAMETERS } from './parameters.ts';
import type {
  AllocationView, Answer, Ask, BalancesView, BlockView, DirectoryView, FacilityView, Foretelling, LotView, MandateView, MarketSnapshot, OrderView, PayableView, PayoffView,
  QueryName, RealisedView, SoldPlaceView,
} from './queries.ts';
import { ALL_BLOCKED } from './ledger/lots.ts';
import { debtOf, totalDebt } from './lending/debt.ts';
import { undrawn } from './lending/draws.ts';
import { exposureLimit, exposureOf, unspentCost } from './lending/exposure.ts';
import { isTagged } from './lending/facility.ts';
import type { Facility } from './lending/facility.ts';
import type { State } from './state.ts';
import { stateHash } from './codec/state_hash.ts';
import type { Trading } from './trading/trading.ts';
import { mulDiv } from './numbers/muldiv.ts';
import { MICRO, MICRO_GPU_SECONDS_PER_STEP, MILLIS_PER_HOUR } from './numbers/units.ts';

type Handlers = { [Q in QueryName]: (ask: Ask<Q>) => Answer<Q> };

export class Views {
  private readonly state: State;
  private readonly facilities: Facilities;
  private readonly handlers: Handlers;

  /** @param foretell tries an order out */
  constructor(state: State, facilities: Facilities, trading: Trading, foretell: (order: PlaceOrder | PlaceBlock) => Foretelling) {
    this.state = state;
    this.facilities = facilities;
    this.handlers = {
      directory: () => this.directory(),
      status: () => ({ now: state.now, sequence: state.sequence, stateHash: stateHash(state) }),
      balances: ({ company }) => this.balances(company),
      realised: ({ company }) => this.realised(company),
      lots: ({ company }) => this.lots(company),
      order: ({ order }) => this.order(order),
      allocations: ({ company }) => this.allocations(company),
      leftPending: () => this.leftPending(),
      deliverers: ({ allocations }) => allocations.map((id) => this.delivererOf(id)),
      facilities: (ask) => this.facilitiesOf(ask),
      facility: ({ facility }) => (state.facilities[facility] === undefined ? null : this.facilityView(state.facilities[facility])),
      mandates: ({ company }) => this.mandates(company),
      overruleRefusal: ({ command }) => this.facilities.offers.overruleRefusal(command) ?? null,
      refusal: ({ order }) => (order.type === 'placeBlock' ? trading.blocks.foresee(order) : trading.foresee(order)) ?? null,
      foretell: ({ order }) => foretell(order),
      soldPlaces: ({ fromHour, toHour }) => this.soldPlaces(fromHour, toHour),
      payables: ({ company }) => this.payables(company),
      suspended: () => state.companies.filter(({ suspendedAt }) => suspendedAt !== 0).map(({ company, suspendedAt }) => ({ company, since: suspendedAt })),
      keyUse: ({ key }) => state.idempotency.get(key)?.bodyHash ?? null,
      market: () => this.market(),
      payoff: ({ facility, day }) => this.payoff(facility, day),
      switches: () => ({ switches: structuredClone(state.switches), money: { ...state.money } }),
      bands: () => state.bands,
      invariants: () => ({ checks: checkInvariants(state), stateHash: stateHash(state), sequence: state.sequence }),
      invariantPart: ({ place, from }) => {
        const { next, ...check } = checkInvariantFrom(state, place, from);
        return { check, next, count: INVARIANTS };
      },
      stateHash: () => ({ stateHash: stateHash(state), sequence: state.sequence }),
    };
  }

  answer<Q extends QueryName>(name: Q, ask: Ask<Q>): Answer<Q> {
    return this.handlers[name](ask);
  }

  private directory(): DirectoryView {
    const { companies, classes, regions, models, supply } = this.state;
    return {
      companies: companies.map(({ company, name, role, group }) => ({ company, name, role, group })),
      classes: classes.map(({ class: id, name, chip, memoryGb, formFactor, listPrice, inputs, next }) => ({
        class: id, name, chip, memoryGb, formFactor, listPrice, inputs, next,
      })),
      regions: regions.map((name, region) => ({ region, name })),
      models: models.map((name, model) => ({ model, name })),
      capacities: supply.capacities.map(({ company, market, declared, models: served }, index) => ({ company, market, declared, verified: supply.verified(index), models: served })),
    };
  }

  private companyLots(company: CompanyId): number[] {
    return this.state.lots.rows.filter((lot) => lot.company === company).map(({ lot }) => lot);
  }

  private frozen(lot: number): number {
    const { lots } = this.state;
    const open = lots.available(lot) + lots.held(lot);
    return lots.rows[lot].blocked === ALL_BLOCKED ? open : Math.min(open, lots.rows[lot].blocked);
  }

  private balances(company: CompanyId): BalancesView {
    const { ledger, lots, companies } = this.state;
    const own = this.companyLots(company);
    const sum = (of: (lot: number) => number): number => own.reduce((total, lot) => total + of(lot), 0);
    return {
      usd: -ledger.balance(ACCOUNT.unapplied, company),
      available: sum((lot) => lots.available(lot)),
      held: sum((lot) => lots.held(lot)),
      contracted: sum((lot) => lots.contracted(lot)),
      frozen: sum((lot) => this.frozen(lot)),
      retired: companies[company].retired,
      payable: -ledger.balance(ACCOUNT['provider.payable'], company),
      receivable: ledger.balance(ACCOUNT['provider.receivable'], company),
      bond: -ledger.balance(ACCOUNT['provider.bond'], company),
      earned: companies[company].earned,
      paid: companies[company].paid,
      fund: companies[company].role === 'lender' ? this.facilities.fund.view(company) : null,
    };
  }

  private realised(company: CompanyId): RealisedView | null {
    const { listValue, retiredCost } = this.state.companies[company];
    const cost = retiredCost - this.feesAhead(company);
    return listValue === 0 || cost <= 0 ? null : { listValue, cost };
  }

  /** What the credit cost that paid the fees of hours still to be delivered: a fee is retired at the fill, its hour later. */
  private feesAhead(company: CompanyId): number {
    const { allocations, amounts, lots, standing } = this.state;
    let ahead = 0;
    for (let row = standing.firstAllocation(company); row !== NIL; row = allocations.companyNext(row)) {
      const kept = allocations.price(row) * allocations.bought(row) - allocations.refunded(row);
      if (allocations.contract(row) === 0 || kept <= 0) continue;
      for (let node = allocations.feeLots(row); node !== NIL; node = amounts.next(node)) {
        const lot = lots.rows[amounts.lot(node)];
        ahead += mulDiv(mulDiv(amounts.part(node, allocations.fee(row)), lot.usd, lot.credits), Math.min(allocations.contract(row), kept), kept);
      }
    }
    return ahead;
  }

  private lots(company: CompanyId): LotView[] {
    const { lots } = this.state;
    return this.companyLots(company).map((id) => {
      const lot = lots.rows[id];
      return {
        lot: id, company, facility: lot.facility, source: lot.source, usd: lot.usd, minted: lot.credits, conversionRate: lot.conversionRate,
        available: lots.available(id), held: lots.held(id), contracted: lots.contracted(id),
        retired: lot.credits + lot.reminted - lots.outstanding(id), frozen: this.frozen(id), expiresAt: lot.expiresAt,
      };
    });
  }

  private order(id: number): OrderView | null {
    const row = this.state.orders.rowOf(id);
    return row === NIL || (this.state.orders.flags(row) & FLAG.block) !== 0 ? null : this.orderView(row);
  }

  private orderView(row: number): OrderView {
    const { orders } = this.state;
    const book = this.state.bookOf(orders.book(row));
    const extra = orders.extra(row);
    const untriggered = (orders.flags(row) & FLAG.untriggered) !== 0;
    const open = orders.notional(row) > 0 ? 'partially_filled' : 'open';
    return {
      order: orders.idOf(row), company: orders.company(row), market: book.market, hour: book.hour, side: orders.isSell(row) ? 1 : BUY,
      orderType: orders.orderType(row), price: orders.price(row), quantity: orders.quantity(row), remaining: orders.remaining(row),
      visible: orders.visible(row), timeInForce: orders.timeInForce(row), postOnly: (orders.flags(row) & FLAG.postOnly) !== 0,
      displayQuantity: extra?.displayQuantity ?? 0, minimumQuantity: extra?.minimumQuantity ?? 0, stopPrice: extra?.stopPrice ?? 0,
      expiresAt: extra?.expiresAt ?? 0, model: orders.model(row), resaleOf: extra?.resaleOf ?? 0,
      selfTradePrevention: orders.selfTradePrevention(row), cancelOnDisconnect: (orders.flags(row) & FLAG.cancelOnDisconnect) !== 0,
      clientOrderId: extra?.clientOrderId ?? '', hold: orders.hold(row), fees: orders.feesCharged(row), notional: orders.notional(row),
      status: untriggered ? 'untriggered' : open, acceptedAt: orders.acceptedAt(row), sequence: orders.sequence(row),
    };
  }

  private blockView(block: Block): BlockView {
    const { orders } = this.state;
    const { asksLeft: _asksLeft, lacking: _lacking, wanted: _wanted, ...terms } = block;
    const asks = block.asks.map((ask) => orders.rowOf(ask));
    return {
      ...terms,
      // Of asks that left in block.filled, of those that stand in their rows.
      filled: block.filled + asks.reduce((sum, row) => sum + orders.quantity(row) - orders.remaining(row), 0),
      notional: block.notional + asks.reduce((sum, row) => sum + orders.notional(row), 0),
      hold: orders.hold(orders.rowOf(block.block)),
    };
  }

  private allocations(company: CompanyId): AllocationView[] {
    const { allocations, standing } = this.state;
    const found: AllocationView[] = [];
    for (let row = standing.firstAllocation(company); row !== NIL; row = allocations.companyNext(row)) found.push(this.allocationView(row));
    return found;
  }

  /** Of all rows: a market that has traded for long has millions of allocations, and most companies have many. */
  private leftPending(): Answer<'leftPending'> {
    const { allocations } = this.state;
    const found: Answer<'leftPending'> = [];
    for (let row = 0; row < allocations.used; row++) {
      if (allocations.state(row) !== ALLOCATION.settled || allocations.pendingGpu(row) === 0) continue;
      const { allocation, status, budgetGpu, usedGpu } = this.allocationView(row);
      if (status === 'delivered') found.push({ allocation, gpu: budgetGpu - usedGpu });
    }
    return found;
  }

  private delivererOf(allocation: number): CompanyId {
    const { allocations } = this.state;
    const row = allocations.rowOf(allocation);
    return row === NIL ? NONE : allocations.provider(row);
  }

  private allocationView(row: number): AllocationView {
    const { allocations, now } = this.state;
    const book = this.state.bookOf(allocations.book(row));
    const settled = allocations.state(row) === ALLOCATION.settled;
    const running = book.hour * MILLIS_PER_HOUR <= now;
    const bought = allocations.quantity(row) * MICRO_GPU_SECONDS_PER_STEP;
    const failed = bought > 0 && allocations.failedGpu(row) >= bought;
    return {
      allocation: allocations.idOf(row), company: allocations.company(row), provider: allocations.provider(row), market: book.market, hour: book.hour,
      model: allocations.model(row), price: allocations.price(row), quantity: allocations.quantity(row), usedGpu: allocations.usedGpu(row),
      budgetGpu: settled ? allocations.usedGpu(row) + allocations.pendingGpu(row) : bought - allocations.failedGpu(row),
      offeredGpu: allocations.offered(row) * MICRO_GPU_SECONDS_PER_STEP, credits: allocations.contract(row),
      status: settled && failed ? 'failed' : statusOf(settled, allocations.quantity(row), running), frozen: this.fundedByFrozen(row),
    };
  }

  /** Whether a wholly frozen facility funds any of what is still in contract. */
  private fundedByFrozen(row: number): boolean {
    const { allocations, amounts, lots, facilities } = this.state;
    for (let node = allocations.funding(row); node !== NIL; node = amounts.next(node)) {
      const { lot, facility } = lots.rows[amounts.lot(node)];
      if (facility !== NONE && facilities[facility].frozenFraction === MICRO && isTagged(facilities[facility], lot)) return true;
    }
    return false;
  }

  private facilitiesOf({ company, lender, from = 0, most = Infinity }: Ask<'facilities'>): FacilityView[] {
    const { facilities } = this.state;
    const views: FacilityView[] = [];
    for (let index = from; index < facilities.length && views.length < most; index++) {
      const row = facilities[index];
      const concerns = company === NONE || (lender ? row.shares.some((share) => share.lender === company) : row.company === company);
      if (concerns) views.push(this.facilityView(row));
    }
    return views;
  }

  private facilityView(row: Facility): FacilityView {
    const { ledger, spending } = this.state;
    const { loans } = this.facilities;
    const { principal, interest, fees } = debtOf(this.state, row);
    const debt = totalDebt(this.state, row);
    const exposure = exposureOf(this.state, row);
    const unspent = unspentCost(this.state, row);
    return {
      facility: row.facility, company: row.company, lender: row.lender, state: row.state, amount: row.amount, months: row.months, method: row.method,
      revenueShare: row.revenueShare === undefined ? null : { ...row.revenueShare },
      grade: row.grade, score: row.score, reasons: row.reasons, annualRate: row.annualRate, conversionRate: row.conversionRate,
      originationFee: row.originationFee, drawn: -ledger.balance(ACCOUNT['limit.drawn'], row.facility), undrawn: undrawn(this.state, row),
      principal, accruedInterest: interest, fees, frozenFraction: row.frozenFraction, frozenReason: row.frozenReason, freezes: { ...row.freezes },
      daysPastDue: loans.daysPastDue(row), acceptedAt: row.acceptedAt, maturesAt: row.maturesAt, schedule: loans.expectedSchedule(row),
      shares: sharesWire(row.shares), dayCount: row.dayCount, dueDateRoll: row.dueDateRoll, drawOnDemand: row.drawOnDemand, application: { ...row.application },
      decision: { ...row.decision }, offeredAt: row.offeredAt, offerExpiresAt: row.offeredAt + PARAMETERS.offerExpiry, payments: { ...row.payments },
      writtenOff: { ...row.writtenOff }, allowance: -ledger.balance(ACCOUNT['loan.allowance'], row.facility), exposure, exposureLimit: exposureLimit(row),
      unspentCost: unspent, hoursValue: debt - unspent - exposure, lent: row.lent, repaidPrincipal: row.repaidPrincipal, interestAccrued: row.accrualPosted,
      earnings: row.shares.map(({ lender, costPosted }) => ({ lender, amount: costPosted })),
      stage: loans.losses.stage(row), expectedLoss: loans.losses.expectedLoss(row, debt - exposure), spent30Days: spending.get(row.facility)?.total ?? 0,
      plannedUse: plannedUse(row, this.state.day), interestOnly: row.interestOnly ?? 0, refine: row.refine ?? false,
      covenants: row.covenants.map((covenant) => ({ ...covenant })), report: row.report,
    };
  }

  /** What pays a loan in full on a day: interest goes on until then. */
  private payoff(id: number, day: number): PayoffView | null {
    const facility = this.state.facilities[id];
    if (facility === undefined) return null;
    const { loans } = this.facilities;
    const { principal, fees } = debtOf(this.state, facility);
    const until = Math.max(day, facility.accruedTo);
    const interest = loans.interest.payoff(facility, loans.interest.unbilled(facility) + loans.interest.until(facility, until));
    return { facility: id, day: until, principal, interest, fees, total: principal + interest + fees };
  }

  private mandates(company: CompanyId): MandateView[] {
    return this.state.mandates.filter((mandate) => company === NONE || mandate.company === company).map((mandate) => ({ ...mandate }));
  }

  private payables(company: CompanyId): PayableView[] {
    const { payables } = this.state;
    return [...payables.values()].filter((row) => row.company === company).sort((a, b) => a.dueAt - b.dueAt || a.facility - b.facility)
      .map(({ dueAt, amount, facility }) => ({ dueAt, amount, financed: facility !== NIL, held: isPayableHeld(this.state, facility) }));
  }

  private soldPlaces(fromHour: number, toHour: number): SoldPlaceView[] {
    const { books, allocations } = this.state;
    const found = new Map<string, SoldPlaceView>();
    for (const book of books) {
      if (book === undefined || book.hour < fromHour || book.hour > toHour) continue;
      for (let row = book.firstAllocation; row !== NIL; row = allocations.bookNext(row)) {
        const company = allocations.provider(row);
        const key = `${company}:${book.row}`;
        const place = found.get(key) ?? { company, market: book.market, hour: book.hour, quantity: 0, models: [] };
        found.set(key, place);
        place.quantity += allocations.quantity(row);
        const model = allocations.model(row);
        if (model >= 0 && allocations.quantity(row) > 0 && !place.models.includes(model)) place.models.push(model);
      }
    }
    return [...found.values()].filter(({ quantity }) => quantity > 0);
  }

  /** Live orders in the order in which their queues have them, so that a reader can rebuild every queue. */
  private market(): MarketSnapshot {
    const { state } = this;
    const { orders } = state;
    const found: OrderView[] = [];
    const add = (row: number): boolean => found.push(this.orderView(row)) > 0;
    for (const book of state.books) {
      if (book === undefined) continue;
      book.bids.forEach(orders, add);
      book.asks.forEach(orders, add);
      book.stops.rows().forEach(add);
    }
    const blocks = [...state.blocks.values()].map((block) => this.blockView(block));
    return { sequence: state.sequence, now: state.now, orders: found, blocks, modes: this.modes(), bands: state.bands };
  }

  private modes(): MarketSnapshot['modes'] {
    const { state } = this;
    const found: MarketSnapshot['modes'] = [];
    const add = (classId: number, market: number, hour: number, scope: { mode: string; reason: string }): void => {
      if (scope.mode !== 'open') found.push({ class: classId, market, hour, mode: scope.mode, reason: scope.reason });
    };
    add(-1, -1, -1, state);
    for (const gpuClass of state.classes) add(gpuClass.class, -1, -1, gpuClass);
    for (const market of state.markets.values()) add(-1, market.market, -1, market);
    for (const book of state.books) if (book !== undefined) add(-1, book.market, book.hour, book);
    return found;
  }
}

function statusOf(settled: boolean, quantity: number, running: boolean): AllocationView['status'] {
  if (settled) return 'delivered';
  if (quantity === 0) return 'resold';
  return running ? 'delivering' : 'open';
}
