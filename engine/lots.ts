/**
 * Credit lots: what was minted together, what it cost, what it is backed with. The amounts live in
 * the ledger's accounts of the lot; here stand the rates, as reduced fractions so that amount x rate
 * stays within exact double arithmetic.
 */
import { ACCOUNT } from './accounts.ts';
import type { CompanyId, FacilityId, LotId } from './commands.ts';
import type { Ledger } from './ledger.ts';
import { gcd, mulDiv } from './muldiv.ts';
import type { Micro, Millis, Ppm } from './units.ts';
import { MICRO } from './units.ts';

const BACKING = ACCOUNT['credit.backing'];
const DEFERRED = ACCOUNT['spread.deferred'];

export const LOT_SOURCES = ['facility', 'prepayment', 'grant'] as const;
export type LotSource = (typeof LOT_SOURCES)[number];

export interface Lot {
  readonly lot: LotId;
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
  /** usd / credits and the redemption rate in lowest terms. */
  readonly costNumerator: number;
  readonly costDenominator: number;
  readonly backingNumerator: number;
  readonly backingDenominator: number;
  /** Micro-CR that may not be newly held; Infinity: nothing may. Kept as ALL_BLOCKED in snapshots. */
  blocked: Micro;
  /** Re-minted by refunds, so that minted = credits + reminted. */
  reminted: Micro;
}

/** More than any lot can hold. */
export const ALL_BLOCKED: Micro = Number.MAX_SAFE_INTEGER;

export type LotTerms = Pick<Lot, 'company' | 'facility' | 'source' | 'usd' | 'credits' | 'conversionRate' | 'redemptionRate' | 'expiresAt' | 'mintedAt'>;

export class Lots {
  readonly rows: Lot[] = [];
  /** Per company, lots that may have available credit: first-expiring first, then oldest. */
  readonly usable: LotId[][] = [];
  private readonly ledger: Ledger;

  constructor(ledger: Ledger) {
    this.ledger = ledger;
  }

  create(terms: LotTerms): Lot {
    const lot = this.rows.length;
    const cost = gcd(terms.usd, terms.credits);
    const backing = gcd(terms.redemptionRate, MICRO);
    const row: Lot = {
      ...terms,
      lot,
      costNumerator: terms.usd / cost,
      costDenominator: terms.credits / cost,
      backingNumerator: terms.redemptionRate / backing,
      backingDenominator: MICRO / backing,
      blocked: 0,
      reminted: 0,
    };
    this.rows.push(row);
    this.ledger.openOwner('lot', lot);
    this.makeUsable(row);
    return row;
  }

  /** Lists a lot among its company's usable ones, in order. */
  makeUsable(row: Lot): void {
    const list = this.usable[row.company];
    if (list.includes(row.lot)) return;
    list.push(row.lot);
    list.sort((a, b) => this.rows[a].expiresAt - this.rows[b].expiresAt || a - b);
  }

  /** Its credit cannot be newly held. */
  makeUnusable(row: Lot): void {
    const list = this.usable[row.company];
    const place = list.indexOf(row.lot);
    if (place !== -1) list.splice(place, 1);
  }

  /** Gives a lot a later date. */
  extend(row: Lot, expiresAt: Millis): void {
    row.expiresAt = expiresAt;
    this.usable[row.company].sort((a, b) => this.rows[a].expiresAt - this.rows[b].expiresAt || a - b);
  }

  available(lot: LotId): Micro {
    return -this.ledger.balances[ACCOUNT['lot.available']][lot];
  }
  held(lot: LotId): Micro {
    return -this.ledger.balances[ACCOUNT['lot.held']][lot];
  }
  contracted(lot: LotId): Micro {
    return -this.ledger.balances[ACCOUNT['lot.contracted']][lot];
  }
  /** available + held + contracted. */
  outstanding(lot: LotId): Micro {
    return this.ledger.balances[ACCOUNT['lot.issued']][lot];
  }
  /** Available and not blocked. */
  spendable(lot: LotId): Micro {
    const free = this.available(lot) - this.rows[lot].blocked;
    return free > 0 ? free : 0;
  }

  /** What `outstanding` micro-CR of the lot cost: round(usd x outstanding / credits). */
  cost(row: Lot, outstanding: Micro): Micro {
    return mulDiv(outstanding, row.costNumerator, row.costDenominator);
  }
  /** What stands behind `outstanding` micro-CR of the lot: round(redemption rate x outstanding). */
  backing(row: Lot, outstanding: Micro): Micro {
    return mulDiv(outstanding, row.backingNumerator, row.backingDenominator);
  }

  /**
   * Posts the fall of backing and deferred spread when `credits` of the lot leave circulation; call
   * before the credit itself is posted. Returns the sum, the cost of those credits.
   */
  postRelease(row: Lot, credits: Micro): Micro {
    const { ledger } = this;
    const { lot } = row;
    const after = this.outstanding(lot) - credits;
    // What stands in the ledger is the rounded amount for what is outstanding now.
    const backingBefore = -ledger.balances[BACKING][lot];
    const cost = backingBefore - ledger.balances[DEFERRED][lot] - this.cost(row, after);
    const backing = backingBefore - this.backing(row, after);
    ledger.post(BACKING, lot, backing);
    ledger.post(DEFERRED, lot, cost - backing);
    return cost;
  }
}
