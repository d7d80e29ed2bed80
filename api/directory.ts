/**
 * Names and numbers. The engine knows companies, classes, regions and models by number, the wire by
 * name; this is the one place that translates. Loaded once from the engine, then kept current from
 * committed events.
 */
import { NONE, REGIONS_PER_CLASS, classOf, marketOf, regionOf } from '../engine/vocabulary.ts';
import type { Role } from '../engine/vocabulary.ts';
import { KIND, decodeEvent, forEachEvent } from '../engine/events.ts';
import type { EngineEvent, EventBatch } from '../engine/events.ts';
import type { CapacityView, DirectoryView } from '../engine/queries.ts';
import { MILLIS_PER_HOUR } from '../engine/numbers/units.ts';
import type { SequencerPort } from './sequencer/port.ts';

export interface CompanyEntry {
  company: number;
  name: string;
  role: Role;
  group: string;
}
export type ClassEntry = DirectoryView['classes'][number];
export interface InstrumentRef {
  market: number;
  hour: number;
}

/** One named table: by number and by name. */
class Table<Entry extends { name: string }> {
  readonly byId: Entry[] = [];
  private readonly byName = new Map<string, number>();
  set(id: number, entry: Entry): void {
    this.byId[id] = entry;
    this.byName.set(entry.name, id);
  }
  idOf(name: string): number {
    return this.byName.get(name) ?? NONE;
  }
}

const NAMES_KEPT = 10_000;
const INSTRUMENT = /^([^.]+)\.([^.]+)\.([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})Z$/;
const FOLLOWED = new Set<number>([
  KIND.companyRegistered, KIND.classAdded, KIND.regionAdded, KIND.modelAdded, KIND.listPriceAnnounced, KIND.listPriceEffective,
  KIND.capacityDeclared, KIND.capacityVerified, KIND.eligibilitySet,
]);

export class Directory {
  /** Grows with each change. */
  version = 0;
  private readonly companyTable = new Map<number, CompanyEntry>();
  private readonly classTable = new Table<ClassEntry>();
  private readonly regionTable = new Table<{ region: number; name: string }>();
  private readonly modelTable = new Table<{ model: number; name: string }>();
  private readonly capacityTable = new Map<string, CapacityView>();
  /** `hour` -> its text; the running market uses a few thousand. */
  private readonly hourTexts = new Map<number, string>();
  /** Names that were asked for, and what they name. */
  private readonly instruments = new Map<string, InstrumentRef>();

  /** Follows the committed events and fills itself from the engine. */
  static async load(sequencer: SequencerPort): Promise<{ directory: Directory; stop: () => void }> {
    const directory = new Directory();
    const early: EventBatch[] = [];
    let accept = (batch: EventBatch): void => void early.push(batch);
    const stop = sequencer.onCommitted((batch) => accept(batch.events));
    directory.fill(await sequencer.query('directory', {}));
    accept = (batch) => directory.follow(batch);
    early.forEach(accept);
    return { directory, stop };
  }

  fill(view: DirectoryView): void {
    for (const entry of view.companies) this.companyTable.set(entry.company, { ...entry, role: entry.role as Role });
    for (const entry of view.classes) this.classTable.set(entry.class, { ...entry });
    for (const entry of view.regions) this.regionTable.set(entry.region, entry);
    for (const entry of view.models) this.modelTable.set(entry.model, entry);
    for (const entry of view.capacities) this.capacityTable.set(`${entry.company}:${entry.market}`, { ...entry });
  }

  follow(batch: EventBatch): void {
    forEachEvent(batch, (kind, at) => {
      if (FOLLOWED.has(kind)) this.apply(decodeEvent(batch, at));
    });
  }

  /** One committed event; those that name nothing are ignored. */
  apply(event: EngineEvent): void {
    this.version += 1;
    switch (event.kind) {
      case 'companyRegistered':
        this.companyTable.set(event.company, { company: event.company, name: event.name, role: event.role as Role, group: event.group });
        break;
      case 'classAdded':
        this.addClass(event);
        break;
      case 'regionAdded':
        this.regionTable.set(event.region, { region: event.region, name: event.name });
        break;
      case 'modelAdded':
        this.modelTable.set(event.model, { model: event.model, name: event.name });
        break;
      case 'listPriceAnnounced':
        this.changeClass(event.class, (entry) => ({ ...entry, next: { price: event.price, effectiveAt: event.effectiveAt, inputs: event.inputs } }));
        break;
      case 'listPriceEffective':
        this.changeClass(event.class, (entry) => ({ ...entry, listPrice: event.price, inputs: entry.next?.inputs ?? entry.inputs, next: null }));
        break;
      case 'capacityDeclared':
        this.capacityOf(event.company, event.market).declared = event.gpus;
        break;
      case 'capacityVerified':
        this.capacityOf(event.company, event.market).verified = event.gpus;
        break;
      case 'eligibilitySet':
        this.capacityOf(event.company, event.market).models = event.models;
        break;
    }
  }

  company(company: number): CompanyEntry | undefined {
    return this.companyTable.get(company);
  }
  companies(): CompanyEntry[] {
    return [...this.companyTable.values()];
  }
  /** The same company, or two of one group: they never trade with each other. */
  isOfOneOwner(a: number, b: number): boolean {
    const group = this.company(a)?.group ?? '';
    return a === b || (group !== '' && group === this.company(b)?.group);
  }
  companyName(company: number): string {
    return this.companyTable.get(company)?.name ?? '';
  }

  classes(): ClassEntry[] {
    return this.classTable.byId.filter((entry) => entry !== undefined);
  }
  class(classId: number): ClassEntry | undefined {
    return this.classTable.byId[classId];
  }
  /** NONE when there is none of that name; so for regions and models. */
  classId(name: string): number {
    return this.classTable.idOf(name);
  }
  className(classId: number): string {
    return this.classTable.byId[classId]?.name ?? '';
  }

  regions(): { region: number; name: string }[] {
    return this.regionTable.byId.filter((entry) => entry !== undefined);
  }
  regionId(name: string): number {
    return this.regionTable.idOf(name);
  }
  regionName(region: number): string {
    return this.regionTable.byId[region]?.name ?? '';
  }

  models(): { model: number; name: string }[] {
    return this.modelTable.byId.filter((entry) => entry !== undefined);
  }
  modelId(name: string): number {
    return this.modelTable.idOf(name);
  }
  /** '' for NONE. */
  modelName(model: number): string {
    return this.modelTable.byId[model]?.name ?? '';
  }

  /** Declared and verified GPUs and served models, of one provider or of all. */
  capacities(company?: number): CapacityView[] {
    return [...this.capacityTable.values()].filter((entry) => company === undefined || entry.company === company);
  }

  /** Every market there can be: each class in each region. */
  markets(): number[] {
    return this.classes().flatMap((entry) => this.regions().map((region) => marketOf(entry.class, region.region)));
  }
  /** NONE when either name is unknown. */
  marketId(className: string, regionName: string): number {
    const classId = this.classId(className);
    const region = this.regionId(regionName);
    return classId === NONE || region === NONE || region >= REGIONS_PER_CLASS ? NONE : marketOf(classId, region);
  }
  /** `H100-SXM-80.us-east` */
  marketName(market: number): string {
    return `${this.className(classOf(market))}.${this.regionName(regionOf(market))}`;
  }

  /** `H100-SXM-80.us-east.20261201T14Z` */
  instrumentName(market: number, hour: number): string {
    return `${this.marketName(market)}.${this.hourText(hour)}`;
  }
  /** undefined when the text names no class, region or hour. Whether the hour is listed is the engine's to say. */
  instrument(name: string): InstrumentRef | undefined {
    const known = this.instruments.get(name);
    if (known !== undefined) return known;
    const match = INSTRUMENT.exec(name);
    if (match === null) return undefined;
    const market = this.marketId(match[1], match[2]);
    const hour = parseHour(match[3], match[4], match[5], match[6]);
    if (market === NONE || hour === undefined) return undefined;
    const instrument = { market, hour };
    if (this.instruments.size > NAMES_KEPT) this.instruments.clear();
    this.instruments.set(name, instrument);
    return instrument;
  }

  private addClass(event: { class: number; name: string; chip: string; memoryGb: number; formFactor: string }): void {
    const known = this.classTable.byId[event.class];
    const { class: classId, name, chip, memoryGb, formFactor } = event;
    const price = known ?? { listPrice: 0, inputs: [], next: null };
    this.classTable.set(classId, { ...price, class: classId, name, chip, memoryGb, formFactor });
  }

  private changeClass(classId: number, change: (entry: ClassEntry) => ClassEntry): void {
    const entry = this.classTable.byId[classId];
    if (entry !== undefined) this.classTable.set(classId, change(entry));
  }

  private capacityOf(company: number, market: number): CapacityView {
    const key = `${company}:${market}`;
    let entry = this.capacityTable.get(key);
    if (entry === undefined) this.capacityTable.set(key, (entry = { company, market, declared: 0, verified: 0, models: [] }));
    return entry;
  }

  private hourText(hour: number): string {
    let text = this.hourTexts.get(hour);
    if (text !== undefined) return text;
    text = formatHour(hour);
    if (this.hourTexts.size > NAMES_KEPT) this.hourTexts.clear();
    this.hourTexts.set(hour, text);
    return text;
  }
}

/** `20261201T14Z` */
export function formatHour(hour: number): string {
  const iso = new Date(hour * MILLIS_PER_HOUR).toISOString();
  return `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 10)}T${iso.slice(11, 13)}Z`;
}

function parseHour(year: string, month: string, day: string, hour: string): number | undefined {
  const millis = Date.parse(`${year}-${month}-${day}T${hour}:00:00Z`);
  if (Number.isNaN(millis)) return undefined;
  const parsed = millis / MILLIS_PER_HOUR;
  // Date.parse lets the 31st of June and 24:00 roll over; a name must read back as itself.
  return formatHour(parsed) === `${year}${month}${day}T${hour}Z` ? parsed : undefined;
}
