/** Lots, facilities, their statements, a lender's portfolio. Micro-USD, micro-CR, ppm. Reads the projections `credit` and `ledger`. */
import type { Knex } from 'knex';
import { ACCOUNT } from '../../engine/ledger/accounts.ts';
import type { AccountName } from '../../engine/ledger/accounts.ts';
import type { ScheduleRow } from '../../engine/events.ts';
import { json, number, numberOrNull, text } from './fields.ts';
import type { Field, RowOf } from './fields.ts';
import { readAll, readOne, readPage } from './pages.ts';
import type { Page, PageAsk } from './pages.ts';

const LOT = {
  lot: number('lot'), sequence: number('sequence'), company: number('company'), facility: number('facility'), source: text('source'), usd: number('usd'),
  minted: number('credits'), conversionRate: number('conversion_rate'), redemptionRate: number('redemption_rate'), expiresAt: number('expires_at'),
  mintedAt: number('minted_at'), returned: number('returned'), expired: number('expired'),
} as const;
export type LotRecord = RowOf<typeof LOT>;

/** Every lot a company ever had, newest first. @throws InvalidCursor */
export const listLots = (db: Knex, { company, ...page }: PageAsk & { company: number }): Promise<Page<LotRecord>> =>
  readPage(db('projections.lots').where({ company }), LOT, ['lot'], page);

/** The balance of one of the facility's accounts, as a subquery; what is owed is positive. */
const balanceOf = (account: AccountName): string =>
  `coalesce((select balance from projections.ledger_balances where account = ${ACCOUNT[account]} and owner = f.facility), 0)`;
const OWED = { principal: balanceOf('loan.principal'), interest: balanceOf('interest.receivable'), feesOwed: balanceOf('fee.receivable'), drawn: `-${balanceOf('limit.drawn')}` };

const FACILITY = {
  facility: number('f.facility'), sequence: number('f.sequence'), company: number('f.company'), lender: number('f.lender'), amount: number('f.amount'),
  months: number('f.months'), grade: text('f.grade'), annualRate: number('f.annual_rate'), conversionRate: number('f.conversion_rate'),
  originationFee: number('f.origination_fee'), method: text('f.method'), score: number('f.score'), reasons: json<string[]>('f.reasons'),
  application: json<Record<string, number>>('f.application'), offeredAt: number('f.offered_at'), state: text('f.state'), stateReason: text('f.state_reason'),
  acceptedAt: numberOrNull('f.accepted_at'), frozenFraction: number('f.frozen_fraction'), schedule: json<ScheduleRow[]>('f.schedule'),
} as const;
type Owed = { [N in keyof typeof OWED]: Field<number> };
const FACILITY_WITH_OWED = { ...FACILITY, ...(Object.fromEntries(Object.keys(OWED).map((name) => [name, number(`owed.${name}`)])) as Owed) } as const;
/** principal, interest, feesOwed: what is owed now; drawn: of the commitment. */
export type FacilityRecord = RowOf<typeof FACILITY_WITH_OWED>;

const facilities = (db: Knex): Knex.QueryBuilder =>
  db('projections.facilities as f').joinRaw(`cross join lateral (select ${Object.entries(OWED).map(([name, sql]) => `${sql} as "${name}"`).join(', ')}) as owed`);

/** A borrower's, newest first. @throws InvalidCursor */
export const listFacilities = (db: Knex, { company, ...page }: PageAsk & { company: number }): Promise<Page<FacilityRecord>> =>
  readPage(facilities(db).where({ 'f.company': company }), FACILITY_WITH_OWED, ['facility'], page);

/** Of any company: the caller checks whose it is. */
export const getFacility = (db: Knex, facility: number): Promise<FacilityRecord | undefined> =>
  readOne(facilities(db).where({ 'f.facility': facility }), FACILITY_WITH_OWED);

const MANDATE = {
  mandate: number('mandate'), company: number('company'), amount: number('amount'), grades: json<string[]>('grades'),
  maximumPerBorrower: number('maximum_per_borrower'), minimumAnnualRate: number('minimum_annual_rate'), at: number('at'),
} as const;
export type MandateRecord = RowOf<typeof MANDATE>;

export interface Portfolio {
  mandates: MandateRecord[];
  /** Newest first. */
  facilities: FacilityRecord[];
  /** Over all facilities that were accepted and are not closed. */
  committed: number;
  drawn: number;
  principal: number;
  interest: number;
}

/** All a lender has given and is owed. */
export async function portfolio(db: Knex, lender: number): Promise<Portfolio> {
  const mandates = await readAll(db('projections.mandates').where({ company: lender }).orderBy('mandate'), MANDATE);
  const found = await readAll(facilities(db).where({ 'f.lender': lender }).orderBy('f.facility', 'desc'), FACILITY_WITH_OWED);
  const running = found.filter(({ acceptedAt, state }) => acceptedAt !== null && state !== 'closed');
  const sum = (of: (facility: FacilityRecord) => number): number => running.reduce((total, facility) => total + of(facility), 0);
  return {
    mandates, facilities: found, committed: sum(({ amount }) => amount), drawn: sum(({ drawn }) => drawn), principal: sum(({ principal }) => principal),
    interest: sum(({ interest }) => interest),
  };
}

const LINE = {
  sequence: number('sequence'), place: number('place'), kind: text('kind'), at: number('at'), amount: number('amount'), interest: number('interest'),
  principal: number('principal'), fees: number('fees'), actor: number('actor'), text: text('text'), detail: json<Record<string, unknown>>('detail'),
} as const;
/**
 * What happened to a facility: kind is the event's. `facilityDrawn` adds principal (fees included),
 * `interestAccrued` interest, `lateFeeCharged` fees; `repaid`, `creditsReturned`, `returnSettled` (a fee that came back)
 * and `facilityWrittenOff` take them off. Notices, tests and due dates carry no money.
 */
export type StatementLine = RowOf<typeof LINE>;

/** Newest first. @throws InvalidCursor */
export const statement = (db: Knex, { facility, ...page }: PageAsk & { facility: number }): Promise<Page<StatementLine>> =>
  readPage(db('projections.facility_history').where({ facility }), LINE, ['sequence', 'place'], page);

const DECLINE = {
  sequence: number('sequence'), company: number('company'), amount: number('amount'), months: number('months'), grade: text('grade'), score: number('score'),
  reasons: json<string[]>('reasons'), application: json<Record<string, number>>('application'), at: number('at'),
} as const;
export type DeclineRecord = RowOf<typeof DECLINE>;

/** Applications that were declined, newest first; of one company, or without it of all. @throws InvalidCursor */
export const listDeclines = (db: Knex, { company, ...page }: PageAsk & { company?: number }): Promise<Page<DeclineRecord>> =>
  readPage(db('projections.facility_declines').where(company === undefined ? {} : { company }), DECLINE, ['sequence'], page);

/** Of any company: the caller checks whose it is. */
export const getDecline = (db: Knex, sequence: number): Promise<DeclineRecord | undefined> => readOne(db('projections.facility_declines').where({ sequence }), DECLINE);
