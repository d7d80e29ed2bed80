/** What happens in the lives of loans, lots and money, and what is not delivered, one row for each event: the log of a company, and what its webhooks tell. */
import { NONE } from '../../engine/vocabulary.ts';
import type { EngineEvent, EventKind, EventOf } from '../../engine/events.ts';
import type { CommandEvents } from './commands_of.ts';
import { SCHEMA } from './projection.ts';
import type { Projection, ProjectionWriter, Transaction } from './projection.ts';
import { RowBuffer, insertInto } from './row_buffer.ts';

const EVENTS = `${SCHEMA}.life_events`;
const PARTIES = `${SCHEMA}.life_event_parties`;
const FACILITIES = `${SCHEMA}.life_facilities`;
const LOTS = `${SCHEMA}.life_lots`;
/** data: the event's own fields; facility: null for what belongs to none. */
const EVENT = { sequence: 'bigint', place: 'int', kind: 'text', facility: 'bigint', at: 'bigint', data: 'jsonb' } as const;
/** Who may see it; NONE: everybody. */
const PARTY = { company: 'int', sequence: 'bigint', place: 'int' } as const;
const FACILITY = { facility: 'bigint', company: 'int', lenders: 'jsonb' } as const;
const LOT = { lot: 'bigint', company: 'int', facility: 'bigint' } as const;

const DEFINITION = `
  create table ${EVENTS} (
    sequence bigint not null, place int not null, kind text not null, facility bigint, at bigint not null, data jsonb not null, primary key (sequence, place)
  );
  create table ${PARTIES} (company int not null, sequence bigint not null, place int not null, primary key (company, sequence, place));
  create table ${FACILITIES} (facility bigint primary key, company int not null, lenders jsonb not null);
  create table ${LOTS} (lot bigint primary key, company int not null, facility bigint not null);
`;

export const LIFE_EVENT_KINDS = [
  'deposited', 'withdrawn', 'bondPosted', 'payoutMade', 'mandateCreated', 'facilityOffered', 'facilityDeclined', 'facilityStateChanged', 'facilityFrozen', 'facilityReassigned',
  'facilityOptionSet', 'facilityNotice', 'facilityDrawn', 'lotMinted', 'lotExpiring', 'lotExpired', 'lotExtended', 'creditsReturned', 'returnSettled', 'creditsGranted', 'repaid',
  'instalmentDue', 'instalmentPaid', 'lateFeeCharged', 'provisioned', 'facilityWrittenOff', 'recovered', 'financialsReported', 'covenantTested', 'resaleForced', 'switchSet',
  'moneyRulesSet', 'providerSuspended', 'providerReinstated', 'revenueShareSet', 'bandsSet', 'repaymentTermsSet',
  'minuteFailed', 'boughtMinuteFailed', 'deliveryFailed', 'deliveryAnnulled', 'replacementSought', 'mandateChanged', 'fundWithdrawn', 'eligibilitySet',
] as const satisfies readonly EventKind[];
export type LifeEventKind = (typeof LIFE_EVENT_KINDS)[number];
type LifeEvent = { [K in LifeEventKind]: EventOf<K> }[LifeEventKind];
const KINDS: ReadonlySet<string> = new Set(LIFE_EVENT_KINDS);
const isLifeEvent = (event: EngineEvent): event is EngineEvent & LifeEvent => KINDS.has(event.kind);

interface Pending {
  event: EngineEvent;
  sequence: number;
  place: number;
  at: number;
}

class LifeWriter implements ProjectionWriter {
  private pending: Pending[] = [];
  /** Borrower and lenders of each facility, company and facility of each lot; undefined until they are read from their tables. */
  private facilities: Map<number, { company: number; lenders: number[] }> | undefined;
  private lots = new Map<number, { company: number; facility: number }>();
  private readonly events = new RowBuffer('life_events_insert', EVENT, insertInto(EVENTS, EVENT));
  private readonly parties = new RowBuffer('life_event_parties_insert', PARTY, insertInto(PARTIES, PARTY));
  private readonly facilityRows = new RowBuffer('life_facilities_merge', FACILITY, insertInto(FACILITIES, FACILITY, 'on conflict (facility) do update set lenders = excluded.lenders'));
  private readonly lotRows = new RowBuffer('life_lots_insert', LOT, insertInto(LOTS, LOT));

  apply({ sequence, at, events }: CommandEvents): void {
    events.forEach((event, place) => {
      if (isLifeEvent(event) || event.kind === 'facilityTerms') this.pending.push({ event, sequence, place, at });
    });
  }

  async write(transaction: Transaction): Promise<void> {
    if (this.pending.length === 0) return;
    if (this.facilities === undefined) await this.load(transaction);
    const changed = new Set<number>();
    for (const { event, sequence, place, at } of this.pending) {
      this.learn(event, changed);
      if (!isLifeEvent(event)) continue;
      const { kind, ...data } = event;
      this.events.add({ sequence, place, kind, facility: this.facilityOf(event), at, data: JSON.stringify(data) });
      for (const company of this.partiesOf(event)) this.parties.add({ company, sequence, place });
    }
    this.pending = [];
    for (const facility of changed) {
      const row = this.facilities?.get(facility);
      if (row !== undefined) this.facilityRows.add({ facility, company: row.company, lenders: JSON.stringify(row.lenders) });
    }
    for (const rows of [this.facilityRows, this.lotRows, this.events, this.parties]) await rows.write(transaction);
  }

  private async load(transaction: Transaction): Promise<void> {
    const facilities = await transaction.query<{ facility: string; company: number; lenders: number[] }>(`select facility, company, lenders from ${FACILITIES}`);
    const lots = await transaction.query<{ lot: string; company: number; facility: string }>(`select lot, company, facility from ${LOTS}`);
    this.facilities = new Map(facilities.rows.map(({ facility, company, lenders }) => [Number(facility), { company, lenders }]));
    this.lots = new Map(lots.rows.map(({ lot, company, facility }) => [Number(lot), { company, facility: Number(facility) }]));
  }

  private learn(event: EngineEvent, changed: Set<number>): void {
    if (event.kind === 'lotMinted') {
      const { lot, company, facility } = event;
      this.lots.set(lot, { company, facility });
      this.lotRows.add({ lot, company, facility });
    } else if (event.kind === 'facilityOffered') {
      this.facilities?.set(event.facility, { company: event.company, lenders: [event.lender] });
      changed.add(event.facility);
    } else if (event.kind === 'facilityTerms' || event.kind === 'facilityReassigned') {
      const known = this.facilities?.get(event.facility);
      if (known !== undefined) known.lenders = [...new Set(event.shares.map(({ lender }) => lender))];
      changed.add(event.facility);
    }
  }

  private facilityOf(event: LifeEvent): number | null {
    const facility = 'facility' in event ? event.facility : 'lot' in event ? (this.lots.get(event.lot)?.facility ?? NONE) : NONE;
    return facility === NONE ? null : facility;
  }

  private partiesOf(event: LifeEvent): Iterable<number> {
    const parties = new Set<number>();
    const facility = this.facilityOf(event);
    const known = facility === null ? undefined : this.facilities?.get(facility);
    if ('company' in event) parties.add(event.company);
    // The provider hears of its minutes once, however many had bought them.
    if ('provider' in event && event.kind !== 'boughtMinuteFailed') parties.add(event.provider);
    if ('sponsor' in event) parties.add(event.sponsor);
    if (known !== undefined) for (const company of [known.company, ...known.lenders]) parties.add(company);
    if ('lot' in event) parties.add(this.lots.get(event.lot)?.company ?? NONE);
    if (parties.size === 0) parties.add(NONE);
    return parties;
  }
}

export const life: Projection = {
  name: 'life', version: 2, tables: ['life_events', 'life_event_parties', 'life_facilities', 'life_lots'], definition: DEFINITION, open: () => new LifeWriter(),
};
