/** Who and what takes part, and the acts of those who control the market. */
import type { EngineEvent, EventOf } from '../../engine/events.ts';
import type { CommandEvents } from './commands_of.ts';
import { SCHEMA } from './projection.ts';
import type { Projection, ProjectionWriter, Transaction } from './projection.ts';
import { RowBuffer, insertInto } from './row_buffer.ts';

const COMPANY = { company: 'int', sequence: 'bigint', name: 'text', role: 'text', owner_group: 'text', at: 'bigint' } as const;
const CLASS = { class: 'int', name: 'text', chip: 'text', memory_gb: 'int', form_factor: 'text' } as const;
const REGION = { region: 'int', name: 'text' } as const;
const MODEL = { model: 'int', name: 'text' } as const;
const LIST_PRICE = { class: 'int', sequence: 'bigint', place: 'int', kind: 'text', price: 'bigint', effective_at: 'bigint', inputs: 'jsonb' } as const;
/** Null where it has not been said yet. */
const CAPACITY = { company: 'int', market: 'int', declared: 'bigint', verified: 'bigint', models: 'jsonb', updated_at: 'bigint' } as const;
/** actor: the company that acted, NONE for the house itself. */
const ACT = { sequence: 'bigint', place: 'int', kind: 'text', actor: 'int', reason: 'text', detail: 'jsonb', at: 'bigint' } as const;

const TABLES = ['companies', 'classes', 'regions', 'models', 'list_prices', 'capacities', 'acts'] as const;
const [COMPANIES, CLASSES, REGIONS, MODELS, LIST_PRICES, CAPACITIES, ACTS] = TABLES.map((table) => `${SCHEMA}.${table}`);

const DEFINITION = `
  create table ${COMPANIES} (company int primary key, sequence bigint not null, name text not null, role text not null, owner_group text not null, at bigint not null);
  create table ${CLASSES} (class int primary key, name text not null, chip text not null, memory_gb int not null, form_factor text not null);
  create table ${REGIONS} (region int primary key, name text not null);
  create table ${MODELS} (model int primary key, name text not null);
  -- kind: announced, with its inputs, or effective.
  create table ${LIST_PRICES} (
    class int not null, sequence bigint not null, place int not null, kind text not null, price bigint not null, effective_at bigint not null, inputs jsonb not null,
    primary key (class, sequence, place)
  );
  create table ${CAPACITIES} (
    company int not null, market int not null, declared bigint, verified bigint, models jsonb, updated_at bigint not null, primary key (company, market)
  );
  create table ${ACTS} (
    sequence bigint not null, place int not null, kind text not null, actor int not null, reason text not null, detail jsonb not null, at bigint not null,
    primary key (sequence, place)
  );
`;
const MERGE_CAPACITY = `on conflict (company, market) do update set declared = coalesce(excluded.declared, capacities.declared),
  verified = coalesce(excluded.verified, capacities.verified), models = coalesce(excluded.models, capacities.models), updated_at = excluded.updated_at`;

interface Capacity {
  company: number;
  market: number;
  declared: number | null;
  verified: number | null;
  models: string | null;
  updated_at: number;
}
type CapacityEvent = EventOf<'capacityDeclared'> | EventOf<'capacityVerified'> | EventOf<'eligibilitySet'>;

class RegistryWriter implements ProjectionWriter {
  private changedCapacities = new Map<string, Capacity>();
  private readonly companies = new RowBuffer('companies_insert', COMPANY, insertInto(COMPANIES, COMPANY));
  private readonly classes = new RowBuffer('classes_insert', CLASS, insertInto(CLASSES, CLASS));
  private readonly regions = new RowBuffer('regions_insert', REGION, insertInto(REGIONS, REGION));
  private readonly models = new RowBuffer('models_insert', MODEL, insertInto(MODELS, MODEL));
  private readonly listPrices = new RowBuffer('list_prices_insert', LIST_PRICE, insertInto(LIST_PRICES, LIST_PRICE));
  private readonly capacities = new RowBuffer('capacities_merge', CAPACITY, insertInto(CAPACITIES, CAPACITY, MERGE_CAPACITY));
  private readonly acts = new RowBuffer('acts_insert', ACT, insertInto(ACTS, ACT));

  apply(command: CommandEvents): void {
    command.events.forEach((event, place) => {
      this.name(event, command);
      this.price(event, command, place);
      this.act(event, command, place);
    });
  }

  private name(event: EngineEvent, { sequence, at }: CommandEvents): void {
    switch (event.kind) {
      case 'companyRegistered':
        this.companies.add({ company: event.company, sequence, name: event.name, role: event.role, owner_group: event.group, at });
        break;
      case 'classAdded':
        this.classes.add({ class: event.class, name: event.name, chip: event.chip, memory_gb: event.memoryGb, form_factor: event.formFactor });
        break;
      case 'regionAdded':
        this.regions.add({ region: event.region, name: event.name });
        break;
      case 'modelAdded':
        this.models.add({ model: event.model, name: event.name });
        break;
      case 'capacityDeclared':
      case 'capacityVerified':
      case 'eligibilitySet':
        this.changeCapacity(event, at);
        break;
    }
  }

  private changeCapacity(event: CapacityEvent, at: number): void {
    const { company, market } = event;
    const key = `${company}:${market}`;
    const capacity = this.changedCapacities.get(key) ?? { company, market, declared: null, verified: null, models: null, updated_at: at };
    capacity.updated_at = at;
    if (event.kind === 'capacityDeclared') capacity.declared = event.gpus;
    else if (event.kind === 'capacityVerified') capacity.verified = event.gpus;
    else capacity.models = JSON.stringify(event.models);
    this.changedCapacities.set(key, capacity);
  }

  private price(event: EngineEvent, { sequence, at }: CommandEvents, place: number): void {
    if (event.kind === 'listPriceAnnounced') {
      const { class: classId, price, effectiveAt, inputs } = event;
      this.listPrices.add({ class: classId, sequence, place, kind: 'announced', price, effective_at: effectiveAt, inputs: JSON.stringify(inputs) });
    } else if (event.kind === 'listPriceEffective') {
      this.listPrices.add({ class: event.class, sequence, place, kind: 'effective', price: event.price, effective_at: at, inputs: '[]' });
    }
  }

  private act(event: EngineEvent, { sequence, at }: CommandEvents, place: number): void {
    if (event.kind !== 'tradingModeSet' && event.kind !== 'facilityFrozen' && event.kind !== 'facilityStateChanged') return;
    const { kind, by, reason, ...detail } = event;
    this.acts.add({ sequence, place, kind, actor: by, reason, detail: JSON.stringify(detail), at });
  }

  async write(transaction: Transaction): Promise<void> {
    for (const capacity of this.changedCapacities.values()) this.capacities.add(capacity);
    this.changedCapacities = new Map();
    const { companies, classes, regions, models, listPrices, capacities, acts } = this;
    for (const rows of [companies, classes, regions, models, listPrices, capacities, acts]) await rows.write(transaction);
  }
}

export const registry: Projection = { name: 'registry', version: 1, tables: TABLES, definition: DEFINITION, open: () => new RegistryWriter() };
