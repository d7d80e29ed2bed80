/** Cash in and out, and the credit that it buys. */
import type { Micro } from '../numbers/units.ts';
import type { CompanyId } from '../vocabulary.ts';

export interface Deposit {
  type: 'deposit';
  company: CompanyId;
  amount: Micro;
  reference: string;
  /** What the bank has told of it, by an id of its own, so that it is known to be booked for ever. */
  bankLine?: string;
}

export interface Withdraw {
  type: 'withdraw';
  company: CompanyId;
  amount: Micro;
}

/** Buys credits for cash of `unapplied:company`. */
export interface Prepay {
  type: 'prepay';
  company: CompanyId;
  amount: Micro;
}

/** A sponsor pays for another company's credit. */
export interface GrantCredits {
  type: 'grantCredits';
  company: CompanyId;
  recipient: CompanyId;
  amount: Micro;
}

export interface PostBond {
  type: 'postBond';
  company: CompanyId;
  amount: Micro;
}

/** Pays out what is due to a provider. */
export interface Payout {
  type: 'payout';
  company: CompanyId;
}
