/** Lots, facilities with their history, mandates, and money in and out. */
import type { EngineEvent, EventKind, EventOf } from '../../engine/events.ts';
import type { CommandEvents } from './commands_of.ts';
import { SCHEMA } from './projection.ts';
import type { Projection, ProjectionWriter, Transaction } from './projection.ts';
import { RowBuffer, insertInto } from './row_buffer.ts';

const LOTS = `${SCHEMA}.lots`;
const FACILITIES = `${SCHEMA}.facilities`;
const HISTORY = `${SCHEMA}.facility_history`;
const DECLINES = `${SCHEMA}.facility_declines`;
const MANDATES = `${SCHEMA}.mandates`;
const PAYMENTS = `${SCHEMA}.payments`;

const LOT = {
  lot: 'bigint', sequence: 'bigint', company: 'int', facility: 'bigint', source: 'text', usd: 'bigint', credits: 'bigint', conversion_rate: 'bigint',
  redemption_rate: 'bigint', expires_at: 'bigint', minted_at: 'bigint',
} as const;
/** What was burnt since; expires_at: null unless it changed. */
const LOT_CHANGE = { lot: 'bigint', returned: 'bigint', expired: 'bigint', expires_at: 'bigint' } as const;
const FACILITY = {
  facility: 'bigint', sequence: 'bigint', company: 'int', lender: 'int', amount: 'bigint', months: 'int', grade: 'text', annual_rate: 'bigint',
  conversion_rate: 'bigint', origination_fee: 'bigint', method: 'text', score: 'bigint', reasons: 'jsonb', application: 'jsonb', offered_at: 'bigint',
} as const;
/** Null where nothing changed. */
const CHANGE = { facility: 'bigint', state: 'text', state_reason: 'text', accepted_at: 'bigint', frozen_fraction: 'bigint', schedule: 'jsonb', lender: 'int' } as const;
/** One line of a statement: micro-USD, and for what; `actor` is who did it, NONE when nobody. */
const LINE = {
  facility: 'bigint', sequence: 'bigint', place: 'int', kind: 'text', at: 'bigint', amount: 'bigint', interest: 'bigint', principal: 'bigint', fees: 'bigint',
  actor: 'int', text: 'text', detail: 'jsonb',
} as const;
const DECLINE = {
  sequence: 'bigint', company: 'int', amount: 'bigint', months: 'int', grade: 'text', score: 'bigint', reasons: 'jsonb', application: 'jsonb', at: 'bigint',
} as const;
const MANDATE = {
  mandate: 'bigint', sequence: 'bigint', company: 'int', amount: 'bigint', grades: 'jsonb', maximum_per_borrower: 'bigint', minimum_annual_rate: 'bigint', at: 'bigint',
} as const;
const MANDATE_CHANGE = { mandate: 'bigint', amount: 'bigint' } as const;
const PAYMENT = { sequence: 'bigint', place: 'int', kind: 'text', company: 'int', amount: 'bigint', reference: 'text', at: 'bigint' } as const;

const DEFINITION = `
  create table ${LOTS} (
    lot bigint primary key, sequence bigint not null, company int not null, facility bigint not null, source text not null, usd bigint not null,
    credits bigint not null, conversion_rate bigint not null, redemption_rate bigint not null, expires_at bigint not null, minted_at bigint not null,
    returned bigint not null default 0, expired bigint not null default 0
  );
  create index lots_of_company on ${LOTS} (company, lot);
  create table ${FACILITIES} (
    facility bigint primary key, sequence bigint not null, company int not null, lender int not null, amount bigint not null, months int not null,
    grade text not null, annual_rate bigint not null, conversion_rate bigint not null, origination_fee bigint not null, method text not null,
    score bigint not null, reasons jsonb not null, application jsonb not null, offered_at bigint not null, state text not null default 'offered',
    state_reason text not null default '', accepted_at bigint, frozen_fraction bigint not null default 0, schedule jsonb not null default '[]'
  );
  create index facilities_of_company on ${FACILITIES} (company, facility);
  create index facilities_of_lender on ${FACILITIES} (lender, facility);
  create table ${HISTORY} (
    facility bigint not null, sequence bigint not null, place int not null, kind text not null, at bigint not null, amount bigint not null,
    interest bigint not null, principal bigint not null, fees bigint not null, actor int not null, text text not null, detail jsonb not null,
    primary key (facility, sequence, place)
  );
  create table ${DECLINES} (
    sequence bigint primary key, company int not null, amount bigint not null, months int not null, grade text not null, score bigint not null,
    reasons jsonb not null, application jsonb not null, at bigint not null
  );
  create table ${MANDATES} (
    mandate bigint primary key, sequence bigint not null, company int not null, amount bigint not null, grades jsonb not null,
    maximum_per_borrower bigint not null, minimum_annual_rate bigint not null, at bigint not null
  );
  create table ${PAYMENTS} (
    sequence bigint not null, place int not null, kind text not null, company int not null, amount bigint not null, reference text not null, at bigint not null,
    primary key (sequence, place)
  );
  create index payments_of_company on ${PAYMENTS} (company, sequence, place);
`;

const UPDATE_MANDATE = (given: string): string => `update ${MANDATES} as mandate set amount = given.amount from ${given} where mandate.mandate = given.mandate`;
const UPDATE_LOT = (given: string): string => `
  update ${LOTS} as l set returned = l.returned + given.returned, expired = l.expired + given.expired,
    expires_at = coalesce(given.expires_at, l.expires_at) from ${given} where l.lot = given.lot`;
const UPDATE = (given: string): string => `
  update ${FACILITIES} as f set state = coalesce(given.state, f.state), state_reason = coalesce(given.state_reason, f.state_reason),
    accepted_at = coalesce(f.accepted_at, given.accepted_at), frozen_fraction = coalesce(given.frozen_fraction, f.frozen_fraction),
    schedule = coalesce(given.schedule, f.schedule), lender = coalesce(given.lender, f.lender)
  from ${given} where f.facility = given.facility`;

interface Change {
  facility: number;
  state: string | null;
  state_reason: string | null;
  accepted_at: number | null;
  frozen_fraction: number | null;
  schedule: string | null;
  lender: number | null;
}
interface LotChange {
  lot: number;
  returned: number;
  expired: number;
  expires_at: number | null;
}
/** Of a line what its event does not say stays at these. */
const NOTHING = { amount: 0, interest: 0, principal: 0, fees: 0, actor: -1, text: '', detail: '{}' };

class CreditWriter implements ProjectionWriter {
  private lotChanges = new Map<number, LotChange>();
  private changes = new Map<number, Change>();
  /** What mandates amount to after the last change of each. */
  private sizes = new Map<number, number>();
  private readonly lots = new RowBuffer('lots_insert', LOT, insertInto(LOTS, LOT));
  private readonly lotUpdates = new RowBuffer('lots_update', LOT_CHANGE, UPDATE_LOT);
  private readonly facilities = new RowBuffer('facilities_insert', FACILITY, insertInto(FACILITIES, FACILITY));
  private readonly updates = new RowBuffer('facilities_update', CHANGE, UPDATE);
  private readonly lines = new RowBuffer('facility_history_insert', LINE, insertInto(HISTORY, LINE));
  private readonly declines = new RowBuffer('facility_declines_insert', DECLINE, insertInto(DECLINES, DECLINE));
  private readonly mandates = new RowBuffer('mandates_insert', MANDATE, insertInto(MANDATES, MANDATE));
  private readonly mandateUpdates = new RowBuffer('mandates_update', MANDATE_CHANGE, UPDATE_MANDATE);
  private readonly payments = new RowBuffer('payments_insert', PAYMENT, insertInto(PAYMENTS, PAYMENT));

  apply(command: CommandEvents): void {
    command.events.forEach((event, place) => {
      const handle = this.handlers[event.kind] as Handler<EventKind> | undefined;
      handle?.(event as never, command, place);
    });
  }

  private readonly handlers: { [K in EventKind]?: Handler<K> } = {
    lotMinted: ({ lot, company, facility, source, usd, credits, conversionRate, redemptionRate, expiresAt }, { sequence, at }) =>
      this.lots.add({
        lot, sequence, company, facility, source, usd, credits, conversion_rate: conversionRate, redemption_rate: redemptionRate, expires_at: expiresAt, minted_at: at,
      }),
    lotExpired: ({ lot, credits }) => {
      this.lotChangeOf(lot).expired += credits;
    },
    lotExtended: ({ lot, expiresAt }) => {
      this.lotChangeOf(lot).expires_at = expiresAt;
    },
    creditsReturned: (event, command, place) => {
      // Expiry of financed credit returns it too; what follows then says so.
      if (!expires(command.events, place)) this.lotChangeOf(event.lot).returned += event.credits;
      this.line(event, command, place, { principal: event.principal, amount: event.principal, detail: JSON.stringify({ lot: event.lot, credits: event.credits }) });
    },
    mandateChanged: ({ mandate, amount }) => this.sizes.set(mandate, amount),
    mandateCreated: ({ mandate, company, amount, grades, maximumPerBorrower, minimumAnnualRate }, { sequence, at }) =>
      this.mandates.add({
        mandate, sequence, company, amount, grades: JSON.stringify(grades), maximum_per_borrower: maximumPerBorrower, minimum_annual_rate: minimumAnnualRate, at,
      }),
    facilityDeclined: ({ company, amount, months, grade, score, reasons, application }, { sequence, at }) =>
      this.declines.add({ sequence, company, amount, months, grade, score, reasons: JSON.stringify(reasons), application: JSON.stringify(application), at }),
    facilityOffered: (event, command, place) => this.offer(event, command, place),
    facilityStateChanged: (event, command, place) => {
      const change = this.changeOf(event.facility);
      change.state = event.state;
      change.state_reason = event.reason;
      if (command.type === 'acceptFacility') change.accepted_at = command.at;
      this.line(event, command, place, { actor: event.by, text: event.reason, detail: JSON.stringify({ state: event.state }) });
    },
    facilityFrozen: (event, command, place) => {
      this.changeOf(event.facility).frozen_fraction = event.fraction;
      this.line(event, command, place, { actor: event.by, text: event.reason, detail: JSON.stringify({ fraction: event.fraction }) });
    },
    facilityDrawn: (event, command, place) =>
      this.line(event, command, place, { amount: event.amount, principal: event.amount + event.fee, fees: event.fee, detail: JSON.stringify({ lot: event.lot }) }),
    scheduleSet: (event) => {
      this.changeOf(event.facility).schedule = JSON.stringify(event.rows);
    },
    interestAccrued: (event, command, place) =>
      this.line(event, command, place, { amount: event.amount, interest: event.amount, detail: JSON.stringify({ day: event.day }) }),
    repaid: (event, command, place) => {
      const { amount, interest, principal, fees, unapplied } = event;
      this.line(event, command, place, { amount, interest, principal, fees, detail: JSON.stringify({ unapplied }) });
    },
    returnSettled: (event, command, place) =>
      this.line(event, command, place, { amount: event.feeRefund, principal: event.feeRefund, fees: event.deduction, detail: JSON.stringify({ lot: event.lot, deduction: event.deduction }) }),
    lateFeeCharged: (event, command, place) => this.line(event, command, place, { amount: event.amount, fees: event.amount, detail: JSON.stringify({ number: event.number }) }),
    facilityWrittenOff: (event, command, place) => {
      const { principal, interest, fees } = event;
      this.line(event, command, place, { amount: principal + interest + fees, principal, interest, fees });
    },
    recovered: (event, command, place) => this.line(event, command, place, { amount: event.amount }),
    instalmentDue: (event, command, place) =>
      this.line(event, command, place, { amount: event.principal + event.interest, detail: JSON.stringify({ number: event.number, due: event.due }) }),
    facilityNotice: (event, command, place) => this.line(event, command, place, { text: event.text, detail: JSON.stringify({ notice: event.notice, days: event.days }) }),
    covenantTested: (event, command, place) => {
      const { covenant, value, threshold, kept } = event;
      this.line(event, command, place, { text: covenant, detail: JSON.stringify({ value, threshold, kept }) });
    },
    facilityReassigned: (event, command, place) => {
      this.changeOf(event.facility).lender = event.lender;
      this.line(event, command, place, { detail: JSON.stringify({ lender: event.lender, shares: event.shares }) });
    },
    deposited: (event, command, place) => this.pay(event, command, place, event.reference),
    withdrawn: (event, command, place) => this.pay(event, command, place),
    bondPosted: (event, command, place) => this.pay(event, command, place),
    payoutMade: (event, command, place) => this.pay(event, command, place),
  };

  private offer(event: EventOf<'facilityOffered'>, command: CommandEvents, place: number): void {
    const { facility, company, lender, amount, months, grade, annualRate, conversionRate, originationFee, method, score, reasons, application } = event;
    this.facilities.add({
      facility, sequence: command.sequence, company, lender, amount, months, grade, annual_rate: annualRate, conversion_rate: conversionRate,
      origination_fee: originationFee, method, score, reasons: JSON.stringify(reasons), application: JSON.stringify(application), offered_at: command.at,
    });
    this.line(event, command, place, { detail: JSON.stringify({ amount, grade }) });
  }

  private line(event: EngineEvent & { facility: number }, { sequence, at }: CommandEvents, place: number, values: Partial<typeof NOTHING>): void {
    this.lines.add({ facility: event.facility, sequence, place, kind: event.kind, at, ...NOTHING, ...values });
  }

  private pay(event: EngineEvent & { company: number; amount: number }, { sequence, at }: CommandEvents, place: number, reference = ''): void {
    this.payments.add({ sequence, place, kind: event.kind, company: event.company, amount: event.amount, reference, at });
  }

  private lotChangeOf(lot: number): LotChange {
    const known = this.lotChanges.get(lot) ?? { lot, returned: 0, expired: 0, expires_at: null };
    this.lotChanges.set(lot, known);
    return known;
  }

  private changeOf(facility: number): Change {
    const known = this.changes.get(facility) ?? { facility, state: null, state_reason: null, accepted_at: null, frozen_fraction: null, schedule: null, lender: null };
    this.changes.set(facility, known);
    return known;
  }

  async write(transaction: Transaction): Promise<void> {
    for (const change of this.lotChanges.values()) this.lotUpdates.add(change);
    for (const change of this.changes.values()) this.updates.add(change);
    this.lotChanges = new Map();
    this.changes = new Map();
    for (const [mandate, amount] of this.sizes) this.mandateUpdates.add({ mandate, amount });
    this.sizes = new Map();
    for (const rows of [this.lots, this.lotUpdates, this.facilities, this.updates, this.lines, this.declines, this.mandates, this.mandateUpdates, this.payments]) await rows.write(transaction);
  }
}

type Handler<K extends EventKind> = (event: EventOf<K>, command: CommandEvents, place: number) => void;

/** Whether the lot that returns credit does so because its date has come. */
function expires(events: readonly EngineEvent[], place: number): boolean {
  const returned = events[place] as EventOf<'creditsReturned'>;
  return events.slice(place + 1).some((event) => event.kind === 'lotExpired' && event.lot === returned.lot && event.credits === returned.credits);
}

export const credit: Projection = {
  name: 'credit', version: 3, tables: ['lots', 'facilities', 'facility_history', 'facility_declines', 'mandates', 'payments'], definition: DEFINITION,
  open: () => new CreditWriter(),
};
