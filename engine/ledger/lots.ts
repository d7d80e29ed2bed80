/**
 * Credit lots: what was minted together, what it cost, what it is backed with. The amounts live in
 * the ledger's accounts of the lot; here stand the rates, as reduced fractions so that amount x rate
 * stays within exact double arithmetic.
 */
import { ACCOUNT } from './accounts.ts';
import type { CompanyId, FacilityId, LotId } from '../vocabulary.ts';
import type { Ledger } from './ledger.ts';
import { NIL } from './lot_amounts.ts';
import type { LotRows } from './lot_rows.ts';
import { gcd, mulDiv } from '../numbers/muldiv.ts';
import type { Standing } from '../trading/standing.ts';
import type { Micro, Millis, Ppm } from '../numbers/units.ts';
import { MICRO } from '../numbers/units.ts';

const AVAILABLE = ACCOUNT['lot.available'];
const HELD = ACCOUNT['lot.held'];
const CONTRACTED = ACCOUNT['lot.contracted'];
const ISSUED = ACCOUNT['lot.issued'];
const BACKING = ACCOUNT['credit.backing'];
const DEFERRED = ACCOUNT['spread.deferred'];

export const LOT_SOURCES = ['facility', 'prepayment', 'grant'] as const;
export type LotSource = (typeof LOT_SOURCES)[number];

export interface LotTerms {
  readonly company: CompanyId;
  /** NONE unless financed. */
  readonly facility: FacilityId;
  readonly source: LotSource;
  readonly usd: Micro;
  readonly credits: Micro;
  readonly conversionRate: Ppm;
  readonly redemptionRate: Ppm;
  expiresAt: Millis;
  readonly mintedAt: Millis;
  /** Whom what is left goes back to when it was a gift; NONE. */
  readonly sponsor: CompanyId;
  /** Origination fee of the draw that minted it. */
  readonly fee: Micro;
}

/** A lot as it is kept in snapshots. */
export interface LotImage extends LotTerms {
  readonly lot: LotId;
  /** usd / credits and the redemption rate in lowest terms. */
  readonly costNumerator: number;
  readonly costDenominator: number;
  readonly backingNumerator: number;
  readonly backingDenominator: number;
  /** Micro-CR that may not be newly held; ALL_BLOCKED: nothing may. */
  blocked: Micro;
  /** Re-minted by refunds, so that minted = credits + reminted. */
  reminted: Micro;
  /** What of the origination fee came back. */
  feeRefunded: Micro;
  /** Credit given back so far, and what its return before the commitment's end has cost. */
  returned: Micro;
  deducted: Micro;
}

/** A lot by its terms; what changes with every order stands in LotRows. */
export class Lot implements LotTerms {
  readonly lot: LotId;
  readonly company: CompanyId;
  readonly facility: FacilityId;
  readonly source: LotSource;
  readonly usd: Micro;
  readonly credits: Micro;
  readonly conversionRate: Ppm;
  readonly redemptionRate: Ppm;
  expiresAt: Millis;
  readonly mintedAt: Millis;
  readonly sponsor: CompanyId;
  readonly fee: Micro;
  reminted: Micro;
  feeRefunded: Micro;
  returned: Micro;
  deducted: Micro;
  private readonly image: LotImage;
  private readonly numbers: LotRows;

  constructor(image: LotImage, numbers: LotRows) {
    this.lot = image.lot;
    this.company = image.company;
    this.facility = image.facility;
    this.source = image.source;
    this.usd = image.usd;
    this.credits = image.credits;
    this.conversionRate = image.conversionRate;
    this.redemptionRate = image.redemptionRate;
    this.expiresAt = image.expiresAt;
    this.mintedAt = image.mintedAt;
    this.sponsor = image.sponsor;
    this.fee = image.fee;
    this.reminted = image.reminted;
    this.feeRefunded = image.feeRefunded;
    this.returned = image.returned;
    this.deducted = image.deducted;
    this.image = image;
    this.numbers = numbers;
  }

  /** Micro-CR that may not be newly held; ALL_BLOCKED: nothing may. */
  get blocked(): Micro {
    return this.numbers.blocked(this.lot);
  }
  set blocked(value: Micro) {
    this.numbers.setBlocked(this.lot, value);
  }

  toJSON(): LotImage {
    const { expiresAt, blocked, reminted, feeRefunded, returned, deducted } = this;
    return { ...this.image, expiresAt, blocked, reminted, feeRefunded, returned, deducted };
  }
}

/** More than any lot can hold. */
export const ALL_BLOCKED: Micro = Number.MAX_SAFE_INTEGER;

const NO_LOTS: readonly Lot[] = [];

export class Lots {
  readonly rows: Lot[] = [];
  /** Per company, lots that may have available credit: first-expiring first, then oldest. The same order is chained through their numbers. */
  readonly usable: LotId[][] = [];
  private readonly numbers: LotRows;
  /** Per facility, the lots that it has minted; derived. */
  private readonly minted: Lot[][] = [];
  private readonly ledger: Ledger;
  private readonly standing: Standing;

  constructor(ledger: Ledger, standing: Standing, numbers: LotRows) {
    this.ledger = ledger;
    this.numbers = numbers;
    this.standing = standing;
  }

  create(terms: LotTerms): Lot {
    const lot = this.rows.length;
    const cost = gcd(terms.usd, terms.credits);
    const backing = gcd(terms.redemptionRate, MICRO);
    const row = this.add({
      ...terms,
      lot,
      costNumerator: terms.usd / cost,
      costDenominator: terms.credits / cost,
      backingNumerator: terms.redemptionRate / backing,
      backingDenominator: MICRO / backing,
      blocked: 0,
      reminted: 0,
      feeRefunded: 0,
      returned: 0,
      deducted: 0,
    });
    this.makeUsable(row);
    return row;
  }

  /** Lists a lot (also when a snapshot is restored). */
  add(image: LotImage): Lot {
    const { lot } = image;
    const row = new Lot(image, this.numbers);
    this.ledger.openOwner('lot', lot);
    this.numbers.setBlocked(lot, image.blocked);
    this.numbers.setNext(lot, NIL);
    this.numbers.setRates(lot, image.costNumerator, image.costDenominator, image.backingNumerator, image.backingDenominator);
    this.rows.push(row);
    if (row.facility >= 0) (this.minted[row.facility] ??= []).push(row);
    return row;
  }

  /** Has another market's lots: those of `owners` as its own, the others only to be read. */
  adopt(from: Lots, owners: ReadonlySet<CompanyId>): void {
    this.numbers.adopt(from.numbers, from.rows.length);
    for (const lot of from.rows) {
      const isOwned = owners.has(lot.company);
      const row = isOwned ? new Lot(lot.toJSON(), this.numbers) : lot;
      this.rows.push(row);
      if (isOwned && row.facility >= 0) (this.minted[row.facility] ??= []).push(row);
    }
    from.usable.forEach((list, company) => (this.usable[company] = owners.has(company) ? [...list] : list));
  }

  of(facility: FacilityId): readonly Lot[] {
    return this.minted[facility] ?? NO_LOTS;
  }

  /** Lists a lot among its company's usable ones, in order. */
  makeUsable(row: Lot): void {
    const list = this.usable[row.company];
    if (list.includes(row.lot)) return;
    list.push(row.lot);
    this.order(row.company);
  }

  /** Its credit cannot be newly held. */
  makeUnusable(row: Lot): void {
    const list = this.usable[row.company];
    const place = list.indexOf(row.lot);
    if (place !== -1) list.splice(place, 1);
    this.chain(row.company);
  }

  /** Gives a lot a later date. */
  extend(row: Lot, expiresAt: Millis): void {
    row.expiresAt = expiresAt;
    this.order(row.company);
  }

  private order(company: CompanyId): void {
    this.usable[company].sort((a, b) => this.rows[a].expiresAt - this.rows[b].expiresAt || a - b);
    this.chain(company);
  }

  /** Links the company's usable lots in the order of their list. */
  chain(company: CompanyId): void {
    let next: number = NIL;
    for (const lot of this.usable[company].toReversed()) {
      this.numbers.setNext(lot, next);
      next = lot;
    }
    this.standing.setFirstLot(company, next);
  }

  /** The company's next usable lot after this one; NIL when there is none. */
  nextUsable(lot: LotId): LotId {
    return this.numbers.next(lot);
  }

  available(lot: LotId): Micro {
    return -this.ledger.balance(AVAILABLE, lot);
  }
  held(lot: LotId): Micro {
    return -this.ledger.balance(HELD, lot);
  }
  contracted(lot: LotId): Micro {
    return -this.ledger.balance(CONTRACTED, lot);
  }
  /** available + held + contracted. */
  outstanding(lot: LotId): Micro {
    return this.ledger.balance(ISSUED, lot);
  }
  /** Available and not blocked. */
  spendable(lot: LotId): Micro {
    const free = this.available(lot) - this.numbers.blocked(lot);
    return free > 0 ? free : 0;
  }

  /** What `outstanding` micro-CR of the lot cost: round(usd x outstanding / credits). */
  cost(row: Lot, outstanding: Micro): Micro {
    return this.costOf(row.lot, outstanding);
  }
  private costOf(lot: LotId, outstanding: Micro): Micro {
    return mulDiv(outstanding, this.numbers.costNumerator(lot), this.numbers.costDenominator(lot));
  }
  private backingOf(lot: LotId, outstanding: Micro): Micro {
    return mulDiv(outstanding, this.numbers.backingNumerator(lot), this.numbers.backingDenominator(lot));
  }
  /** What stands behind `outstanding` micro-CR of the lot: round(redemption rate x outstanding). */
  backing(row: Lot, outstanding: Micro): Micro {
    return this.backingOf(row.lot, outstanding);
  }

  /**
   * Posts the fall of backing and deferred spread when `credits` of the lot leave circulation; call
   * before the credit itself is posted. Returns the sum, the cost of those credits.
   */
  postRelease({ lot }: Lot, credits: Micro): Micro {
    return this.postReleaseOf(lot, credits);
  }

  postReleaseOf(lot: LotId, credits: Micro): Micro {
    const { ledger } = this;
    const after = this.outstanding(lot) - credits;
    // What stands in the ledger is the rounded amount for what is outstanding now.
    const backingBefore = -ledger.balance(BACKING, lot);
    const cost = backingBefore - ledger.balance(DEFERRED, lot) - this.costOf(lot, after);
    const backing = backingBefore - this.backingOf(lot, after);
    ledger.post(BACKING, lot, backing);
    ledger.post(DEFERRED, lot, cost - backing);
    return cost;
  }
}
