/**
 * What must hold after every batch (CREDIT.md section 5), as functions of the state. The running
 * system checks them on a schedule, tests and the simulation after each batch.
 */
import { ACCOUNT } from './ledger/accounts.ts';
import { ALLOCATION } from './trading/allocations.ts';
import { BUY } from './vocabulary.ts';
import { mayBuyFrom } from './lending/concentration.ts';
import { isSolvent } from './lending/finance.ts';
import { requiredHold } from './trading/holds.ts';
import { accrualScale } from './lending/interest.ts';
import { NIL } from './ledger/lot_amounts.ts';
import { minutesLeft } from './numbers/calendar.ts';
import type { BookSide } from './book/levels.ts';
import { FLAG } from './book/orders.ts';
import type { InvariantCheck } from './queries.ts';
import type { State } from './state.ts';
import type { HourBook } from './trading/markets.ts';
import { MICRO_GPU_SECONDS_PER_STEP } from './numbers/units.ts';

type Check = (state: State) => string | undefined;
/** The same of some of the rows that it is about: very many at once would take longer than trading may stand still. */
type PartCheck = (state: State, from: number, to: number) => string | undefined;

function ledgersBalance({ ledger }: State): string | undefined {
  const sums = Object.entries(ledger.trialBalance()).filter(([, sum]) => sum !== 0n);
  return sums.length === 0 ? undefined : sums.map(([name, sum]) => `${name} sums to ${sum}`).join('; ');
}

const accountsWithinBounds: Check = ({ ledger }) => ledger.outOfBound();
/** Of a lender's money no more is promised than it has brought, and what is free is there. */
function fundIsThere({ ledger, mandates, companies }: State): string | undefined {
  let free = 0n;
  const left = companies.map(({ company }) => -ledger.balance(ACCOUNT['fund.capital'], company));
  for (const { mandate, company, amount, committed } of mandates) {
    if (committed < 0 || committed > amount) return `mandate ${mandate}: ${committed} committed of ${amount}`;
    left[company] -= amount;
    free += BigInt(amount - committed);
  }
  for (const [company, idle] of left.entries()) {
    if (idle < 0) return `lender ${company}: its mandates are ${-idle} more than its capital`;
    free += BigInt(idle);
  }
  const owed = free - ledger.total(ACCOUNT.unapplied);
  const cash = ledger.total(ACCOUNT['cash.fund']);
  return owed > cash ? `the fund has ${cash} and owes ${owed} that may be taken out` : undefined;
}

const numbersAreWhole: Check = ({ ledger }) => ledger.outOfRange();

/** A key names one command of the past, and no command has two. */
function keysNameOneCommand({ idempotency, sequence }: State): string | undefined {
  const seen = new Set<number>();
  for (const [key, remembered] of idempotency) {
    if (remembered.sequence > sequence || seen.has(remembered.sequence)) return `key ${key} names command ${remembered.sequence}`;
    seen.add(remembered.sequence);
  }
  return undefined;
}

function lotsAddUp({ lots }: State): string | undefined {
  for (const lot of lots.rows) {
    const parts = lots.available(lot.lot) + lots.held(lot.lot) + lots.contracted(lot.lot);
    if (parts !== lots.outstanding(lot.lot)) return `lot ${lot.lot}: ${parts} in its parts, ${lots.outstanding(lot.lot)} issued`;
    if (lots.outstanding(lot.lot) > lot.credits + lot.reminted) return `lot ${lot.lot}: more outstanding than minted`;
  }
  return undefined;
}

function holdsAreExact({ orders, amounts, lots }: State): string | undefined {
  let held = 0n;
  for (let row = 0; row < orders.used; row++) {
    if ((orders.flags(row) & FLAG.live) === 0 || orders.isSell(row)) continue;
    const worst = requiredHold(orders.price(row) * orders.remaining(row), orders.feesFloor(row), orders.feeFraction(row), orders.feesCharged(row));
    if (orders.hold(row) !== worst) return `order ${orders.idOf(row)}: holds ${orders.hold(row)}, its worst case is ${worst}`;
    if (amounts.sum(orders.holdList(row), worst) !== worst) return `order ${orders.idOf(row)}: its lots do not add up to its hold`;
    held += BigInt(worst);
  }
  const sum = lots.rows.reduce((total, lot) => total + BigInt(lots.held(lot.lot)), 0n);
  return sum === held ? undefined : `lots hold ${sum}, orders ${held}`;
}

/** A waiting buy block still wants what it holds for; a sell block names its asks, and they name it. */
function blocksAreWhole({ blocks, orders }: State): string | undefined {
  for (const block of blocks.values()) {
    const row = orders.rowOf(block.block);
    if (row === NIL) return `block ${block.block}: has no row`;
    const left = orders.remaining(row);
    if (block.side === BUY && left !== block.wanted * (block.toHour - block.fromHour)) return `block ${block.block}: ${left} left of it, it wants ${block.wanted} in each hour`;
    if (block.asks.length !== block.asksLeft) return `block ${block.block}: ${block.asks.length} asks known, ${block.asksLeft} in the market`;
    if (block.asks.some((ask) => orders.extra(orders.rowOf(ask))?.block !== block.block)) return `block ${block.block}: an ask is not its own`;
  }
  return undefined;
}

function facilitiesReconcile({ facilities, ledger }: State, from: number, to: number): string | undefined {
  for (let index = from; index < to; index++) {
    const row = facilities[index];
    const name = `facility ${row.facility}`;
    const principal = ledger.balance(ACCOUNT['loan.principal'], row.facility);
    if (principal !== row.lent - row.repaidPrincipal - row.writtenOff.principal) return `${name}: principal ${principal}, lent ${row.lent} less repaid ${row.repaidPrincipal}`;
    let [scheduled, fees, billed] = [0, 0, 0];
    for (const instalment of row.schedule) {
      scheduled += instalment.principal;
      fees += instalment.fee;
      if (instalment.billed) billed += instalment.interest;
    }
    if (scheduled !== principal) return `${name}: schedule repays ${scheduled} of ${principal}`;
    if (fees !== ledger.balance(ACCOUNT['fee.receivable'], row.facility)) return `${name}: instalments name ${fees} of late fees`;
    if (billed > ledger.balance(ACCOUNT['interest.receivable'], row.facility) + (row.interestToRound ?? 0)) return `${name}: instalments ask for interest that has not accrued`;
    const control = ledger.balance(ACCOUNT['limit.control'], row.facility);
    const used = -ledger.balance(ACCOUNT['limit.undrawn'], row.facility) - ledger.balance(ACCOUNT['limit.drawn'], row.facility);
    if (control !== used) return `${name}: drawn and undrawn are ${used}, the commitment is ${control}`;
  }
  return undefined;
}

/** A payment is what it paid and what it left. */
function paymentsAddUp({ facilities }: State, from: number, to: number): string | undefined {
  for (let index = from; index < to; index++) {
    const { facility, payments } = facilities[index];
    const { received, principal, interest, fees, recovered, unapplied } = payments;
    if (received !== principal + interest + fees + recovered + unapplied) return `facility ${facility}: received ${received}, which is not what was paid and left`;
  }
  return undefined;
}

const escrowIsWhole: Check = (state) => (isSolvent(state) ? undefined : 'escrow does not hold what it owes');

function lotsAreBacked({ lots, ledger }: State): string | undefined {
  for (const lot of lots.rows) {
    const backing = -ledger.balance(ACCOUNT['credit.backing'], lot.lot);
    const due = lots.backing(lot, lots.outstanding(lot.lot));
    if (Math.abs(backing - due) > 1) return `lot ${lot.lot}: backed by ${backing} instead of ${due}`;
  }
  return undefined;
}

function supplyIsReal(state: State): string | undefined {
  for (const book of state.books) {
    if (book === undefined) continue;
    for (const cell of state.providerCells.values(book.row)) {
      const wrong = cellFault(state, book, cell);
      if (wrong !== undefined) return wrong;
    }
  }
  return undefined;
}

/** What cells and allocations have on offer is what live asks still offer of them; no allocation offers what is consumed. */
function offersAreCounted({ orders, supply, allocations }: State): string | undefined {
  const ofCell = new Float64Array(supply.used);
  const ofAllocation = new Float64Array(allocations.used);
  for (let row = 0; row < orders.used; row++) {
    if ((orders.flags(row) & (FLAG.live | FLAG.block)) !== FLAG.live || !orders.isSell(row)) continue;
    const resells = (orders.flags(row) & FLAG.resale) !== 0;
    if (!resells && orders.cell(row) === NIL) return `order ${orders.idOf(row)}: offers of no cell`;
    if (resells) ofAllocation[allocations.rowOf(orders.extra(row)?.resaleOf ?? 0)] += orders.remaining(row);
    else ofCell[orders.cell(row)] += orders.remaining(row);
  }
  for (let cell = 0; cell < supply.used; cell++) if (ofCell[cell] > 0 && supply.offered(cell) !== ofCell[cell]) return `cell ${cell}: ${supply.offered(cell)} counted, ${ofCell[cell]} on offer`;
  for (let row = 0; row < allocations.used; row++) {
    if (allocations.state(row) !== ALLOCATION.open) continue;
    if (allocations.offered(row) !== ofAllocation[row]) return `allocation ${allocations.idOf(row)}: ${allocations.offered(row)} counted, ${ofAllocation[row]} on offer`;
    if (allocations.usedGpu(row) + allocations.failedGpu(row) > (allocations.quantity(row) - allocations.offered(row)) * MICRO_GPU_SECONDS_PER_STEP) return `allocation ${allocations.idOf(row)}: on offer and consumed`;
  }
  return undefined;
}

function cellFault({ supply, ledger, now }: State, book: HourBook, cell: number): string | undefined {
  const sum =
    ledger.balance(ACCOUNT['capacity.source'], cell) + ledger.balance(ACCOUNT['capacity.entitled'], cell) +
    ledger.balance(ACCOUNT['capacity.delivered'], cell) + ledger.balance(ACCOUNT['capacity.failed'], cell);
  const name = (): string => `provider ${supply.capacities[supply.capacityOf(cell)].company}, market ${book.market}, hour ${book.hour}`;
  if (sum !== 0) return `${name()}: source is not entitled + delivered + failed`;
  const left = minutesLeft(book.hour, now);
  if (left > 0 && !supply.covers(cell, 0, left)) return `${name()}: sold and offered exceed verified`;
  return undefined;
}

function fundingMatchesContracts({ allocations, amounts, lots, chains }: State): string | undefined {
  let contracted = 0n;
  for (let row = 0; row < allocations.used; row++) {
    if (allocations.state(row) === ALLOCATION.free) continue;
    const funded = amounts.sum(allocations.funding(row), allocations.contract(row));
    if (funded !== allocations.contract(row)) return `allocation ${allocations.idOf(row)}: ${allocations.contract(row)} in contract, ${funded} funded`;
    contracted += BigInt(funded);
  }
  for (const [row, chain] of chains) {
    for (const leg of chain.legs) {
      const left = amounts.sum(leg.funding);
      if (left !== Math.max(0, -leg.gain) * allocations.quantity(row) - (leg.gain < 0 ? leg.retired + leg.refunded : 0)) return `allocation ${allocations.idOf(row)}: a reseller has ${left} in contract`;
      contracted += BigInt(left);
    }
  }
  const sum = lots.rows.reduce((total, lot) => total + BigInt(lots.contracted(lot.lot)), 0n);
  return sum === contracted ? undefined : `lots have ${sum} in contract, allocations ${contracted}`;
}

/** Of what was delivered, the cost of its credits is what the provider, the market and resellers had of it. */
function deliveriesAreShared({ companies }: State): string | undefined {
  let cost = 0n;
  let shared = 0n;
  for (const { delivered, earned } of companies) {
    cost += BigInt(delivered.cost);
    shared += BigInt(delivered.spread) + BigInt(delivered.commission) + BigInt(earned);
  }
  return cost === shared ? undefined : `deliveries cost ${cost}, of which ${shared} is accounted for`;
}

/** Nobody was paid more than it earned, but for what it owes back. */
function payoutsAreEarned({ companies, ledger, payables }: State): string | undefined {
  const noted = new Map<number, bigint>();
  for (const { company, amount } of payables.values()) noted.set(company, (noted.get(company) ?? 0n) + BigInt(amount));
  for (const { company, earned, paid, name } of companies) {
    const payable = -BigInt(ledger.balance(ACCOUNT['provider.payable'], company));
    const owes = BigInt(ledger.balance(ACCOUNT['provider.receivable'], company));
    if (BigInt(earned) + owes !== BigInt(paid) + payable) return `${name}: earned ${earned} and owes ${owes}, was paid ${paid} and has ${payable} to come`;
    if ((noted.get(company) ?? 0n) > payable) return `${name}: more falls due than is payable`;
  }
  return undefined;
}

function accrualsAreCumulative({ facilities, ledger }: State, from: number, to: number): string | undefined {
  for (let index = from; index < to; index++) {
    const row = facilities[index];
    const scale = accrualScale(row);
    const twice = 2n * (row.accrualExact.value - BigInt(row.accrualPosted) * scale);
    if (twice > scale || twice < -scale) return `facility ${row.facility}: posted interest is off its exact sum`;
    const known = ledger.balance(ACCOUNT['interest.receivable'], row.facility) + row.payments.interest + row.writtenOff.interest;
    const asked = row.accrualPosted + (row.interestRounded ?? 0);
    if (known !== asked) return `facility ${row.facility}: ${asked} of interest posted, ${known} owed, paid or given up`;
  }
  return undefined;
}

function blockedCreditIsNotHeld({ lots }: State): string | undefined {
  const lot = lots.rows.find((row) => row.blocked > 0 && lots.held(row.lot) > Math.max(0, lots.available(row.lot) + lots.held(row.lot) - row.blocked));
  return lot === undefined ? undefined : `lot ${lot.lot}: blocked credit is held`;
}

/**
 * No two orders that may trade with each other cross; orders of one group, unserved models and post-only orders may: who could
 * not take when it became eligible waits, crossed, behind an own order or for who takes.
 */
function booksDoNotCross(state: State): string | undefined {
  for (const book of state.books) {
    if (book === undefined || !state.isTrading(book) || book.bids.best() === NIL || book.asks.best() === NIL) continue;
    if (book.bids.best() >= book.asks.best() && eligiblePairCrosses(state, book)) return `market ${book.market}, hour ${book.hour}: crossed`;
  }
  return undefined;
}

function eligiblePairCrosses(state: State, { bids, asks }: HourBook): boolean {
  const { orders, standing, supply } = state;
  // Only few may be asked who they could trade with: any number may stand crossed for a minimum, or for who takes.
  const unboundOf = (side: BookSide, reaches: (price: number) => boolean): number[] => {
    const found: number[] = [];
    side.forEach(orders, (row) => {
      const bound = (orders.extra(row)?.minimumQuantity ?? 0) > 0 || (orders.flags(row) & FLAG.postOnly) !== 0;
      return reaches(orders.price(row)) && (bound || found.push(row) > 0);
    });
    return found;
  };
  const unboundAsks = unboundOf(asks, (price) => price <= bids.best());
  const mayTrade = (bid: number, ask: number): boolean => {
    if (standing.group(orders.company(bid)) === standing.group(orders.company(ask))) return false;
    if (orders.model(bid) >= 0 && !supply.serves(orders.cell(ask), orders.model(bid))) return false;
    return (orders.flags(bid) & FLAG.limited) === 0 || mayBuyFrom(state, bid, ask);
  };
  return unboundOf(bids, (price) => price >= asks.best()).some((bid) => {
    for (const ask of unboundAsks) {
      if (orders.price(ask) > orders.price(bid)) return false;
      if (mayTrade(bid, ask)) return true;
    }
    return false;
  });
}

interface Invariant {
  number: number;
  name: string;
  check: PartCheck;
  /** How many rows it is about, when it may be looked at part by part. */
  rows?: (state: State) => number;
  /** How many rows it goes through, when it must see all of a market at one moment. */
  walks?: (state: State) => number;
}

const facilities = (state: State): number => state.facilities.length;

const CHECKS: readonly Invariant[] = [
  { number: 1, name: 'every ledger sums to zero', check: ledgersBalance },
  { number: 2, name: 'no account below its bound', check: (state) => accountsWithinBounds(state) ?? fundIsThere(state) },
  { number: 3, name: 'each lot: available + held + contracted = issued = minted - retired', check: (state) => lotsAddUp(state) ?? fundingMatchesContracts(state), walks: ({ allocations }) => allocations.used },
  { number: 4, name: 'holds equal the worst cases of open orders', check: (state) => holdsAreExact(state) ?? blocksAreWhole(state), walks: ({ orders }) => orders.used },
  { number: 5, name: 'facilities reconcile with principal, schedule and limit', check: facilitiesReconcile, rows: facilities },
  { number: 6, name: 'solvency: escrow = backing + deferred spread + payables + bonds', check: escrowIsWhole },
  { number: 7, name: 'backing = redemption rate x outstanding', check: lotsAreBacked },
  { number: 8, name: 'no phantom supply', check: (state) => supplyIsReal(state) ?? offersAreCounted(state), walks: ({ orders, allocations, supply }) => orders.used + allocations.used + supply.used },
  { number: 9, name: 'payment = allocations + unapplied', check: paymentsAddUp, rows: facilities },
  { number: 10, name: 'posted accrual = round(exact cumulative)', check: accrualsAreCumulative, rows: facilities },
  { number: 11, name: 'spread + commissions + payable = cost of the credits retired', check: deliveriesAreShared },
  { number: 12, name: 'an idempotency key names one command', check: keysNameOneCommand },
  { number: 13, name: 'no hold on blocked credit', check: blockedCreditIsNotHeld },
  { number: 14, name: 'payouts never exceed what was delivered, less claw-backs', check: payoutsAreEarned },
  { number: 16, name: 'every balance is a whole number within range', check: numbersAreWhole },
  { number: 17, name: 'no two eligible orders cross', check: booksDoNotCross },
];

export const INVARIANTS = CHECKS.length;

/** Rows of one look. */
const ROWS_AT_ONCE = 5_000;

const rowsOf = ({ rows }: Invariant, state: State): number => rows?.(state) ?? 0;

function checkRows({ number, name, check }: Invariant, state: State, from: number, to: number): InvariantCheck {
  const detail = check(state, from, to);
  return { number, name, ok: detail === undefined, detail: detail ?? '' };
}

/** One of them alone, so much at once as takes no longer than trading may stand still. @param place from 0 to INVARIANTS - 1 @returns also the row that the next look begins with; 0 when all were seen */
export function checkInvariantFrom(state: State, place: number, from: number): InvariantCheck & { next: number } {
  const count = rowsOf(CHECKS[place], state);
  const to = Math.min(count, from + ROWS_AT_ONCE);
  return { ...checkRows(CHECKS[place], state, from, to), next: to < count ? to : 0 };
}

/** Rows that a look at one of them goes through at once where it cannot be looked at part by part: millions take longer than trading may stand still. @param place from 0 to INVARIANTS - 1 */
export const walkedAtOnce = (state: State, place: number): number => CHECKS[place].walks?.(state) ?? 0;

export const checkInvariants = (state: State): InvariantCheck[] => CHECKS.map((invariant) => checkRows(invariant, state, 0, rowsOf(invariant, state)));
