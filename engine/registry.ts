/** Who and what takes part: companies, classes, regions, models, capacities, trading modes, price bands. */
import type { RejectCode } from './catalogue.ts';
import { NONE, REGIONS_PER_CLASS, classOf } from './vocabulary.ts';
import type { AddClass, AddModel, AddRegion, DeclareCapacity, RegisterCompany, SetBands, SetEligibility, SetListPrice, SetTradingMode, VerifyCapacity } from './commands.ts';
import { PARAMETERS } from './parameters.ts';
import type { State } from './state.ts';
import { wrongBand } from './trading/bands.ts';
import type { GpuClass } from './trading/markets.ts';
import { TIMER } from './time/timers.ts';
import type { Sweeps } from './time/sweeps.ts';
import { MILLIS_PER_DAY, MILLIS_PER_HOUR, PRICE_TICKS_MAX } from './numbers/units.ts';
import type { Millis } from './numbers/units.ts';

const GPUS_MAX = 1_000_000;
/** The longest call that ends by itself. */
const CALL_MAX = 24 * MILLIS_PER_HOUR;
export const LIST_PRICE_NOTICE = 7 * MILLIS_PER_DAY;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._/:+ -]{0,127}$/;

export class Registry {
  private readonly state: State;
  private readonly sweeps: Sweeps;

  constructor(state: State, sweeps: Sweeps) {
    this.state = state;
    this.sweeps = sweeps;
  }

  registerCompany(command: RegisterCompany): RejectCode | undefined {
    const { state } = this;
    const company = state.companies.length;
    const group = command.group === '' ? `company:${company}` : `group:${command.group}`;
    const groupId = state.groups.get(group) ?? state.groups.size;
    state.groups.set(group, groupId);
    state.addCompany(
      {
        company, name: command.name, role: command.role, group: command.group, groupId, undelivered: 0, boughtToday: 0, boughtOn: 0,
        deadMan: 0, retired: 0, retiredCost: 0, listValue: 0, earned: 0, paid: 0, delivered: { cost: 0, spread: 0, commission: 0 }, suspendedAt: 0,
      },
      PARAMETERS.openOrdersOther,
    );
    state.buffer.emit('companyRegistered', { company, name: command.name, role: command.role, group: command.group });
    return undefined;
  }

  addClass(command: AddClass): RejectCode | undefined {
    const { state } = this;
    if (!NAME.test(command.name) || state.classes.some(({ name }) => name === command.name)) return 'invalid_parameter';
    if (!(command.listPrice > 0 && command.listPrice <= PRICE_TICKS_MAX)) return 'invalid_parameter';
    const gpuClass: GpuClass = {
      class: state.classes.length, name: command.name, chip: command.chip, memoryGb: command.memoryGb, formFactor: command.formFactor,
      listPrice: command.listPrice, inputs: command.listInputs, next: null, mode: 'open', reason: '',
    };
    state.classes.push(gpuClass);
    state.addMarkets();
    const { listPrice, inputs, ...names } = gpuClass;
    state.buffer.emit('classAdded', { class: names.class, name: names.name, chip: names.chip, memoryGb: names.memoryGb, formFactor: names.formFactor });
    state.buffer.emit('listPriceAnnounced', { class: names.class, price: listPrice, effectiveAt: state.now, inputs });
    state.buffer.emit('listPriceEffective', { class: names.class, price: listPrice });
    return undefined;
  }

  addRegion(command: AddRegion): RejectCode | undefined {
    const { state } = this;
    if (!NAME.test(command.name) || state.regions.includes(command.name) || state.regions.length === REGIONS_PER_CLASS) return 'invalid_parameter';
    state.regions.push(command.name);
    state.addMarkets();
    state.buffer.emit('regionAdded', { region: state.regions.length - 1, name: command.name });
    return undefined;
  }

  addModel(command: AddModel): RejectCode | undefined {
    const { state } = this;
    if (state.models.includes(command.name)) return 'invalid_parameter';
    state.models.push(command.name);
    state.buffer.emit('modelAdded', { model: state.models.length - 1, name: command.name });
    return undefined;
  }

  setListPrice(command: SetListPrice): RejectCode | undefined {
    const { state } = this;
    const gpuClass = state.classes[command.class];
    if (gpuClass === undefined || !(command.price > 0 && command.price <= PRICE_TICKS_MAX)) return 'invalid_parameter';
    if (command.effectiveAt < state.now + LIST_PRICE_NOTICE) return 'invalid_parameter';
    gpuClass.next = { price: command.price, effectiveAt: command.effectiveAt, inputs: command.inputs };
    state.timers.add(command.effectiveAt, TIMER.listPrice, command.class);
    state.buffer.emit('listPriceAnnounced', { class: command.class, price: command.price, effectiveAt: command.effectiveAt, inputs: command.inputs });
    return undefined;
  }

  /** An announced list price takes effect; asks above it leave, contracts stay. */
  applyListPrice(classId: number): void {
    const { state } = this;
    const gpuClass = state.classes[classId];
    if (gpuClass.next === null || gpuClass.next.effectiveAt > state.now) return;
    gpuClass.listPrice = gpuClass.next.price;
    gpuClass.inputs = gpuClass.next.inputs;
    gpuClass.next = null;
    state.buffer.emit('listPriceEffective', { class: classId, price: gpuClass.listPrice });
    for (const book of state.books) {
      if (book !== undefined && classOf(book.market) === classId) this.sweeps.cancelAsksAbove(book, gpuClass.listPrice);
    }
  }

  declareCapacity(command: DeclareCapacity): RejectCode | undefined {
    const refusal = this.capacityRefusal(command);
    if (refusal !== undefined) return refusal;
    const capacity = this.state.supply.open(command.company, command.market);
    capacity.declared = command.gpus;
    this.state.buffer.emit('capacityDeclared', { company: command.company, market: command.market, gpus: command.gpus });
    return undefined;
  }

  verifyCapacity(command: VerifyCapacity): RejectCode | undefined {
    const refusal = this.capacityRefusal(command);
    if (refusal !== undefined) return refusal;
    const { supply } = this.state;
    const { declared } = supply.open(command.company, command.market);
    const capacity = supply.find(command.company, command.market);
    if (command.gpus > declared) return 'invalid_parameter';
    if (command.gpus < supply.verified(capacity) && !this.sweeps.fitOffers(command.company, command.market, command.gpus)) return 'invalid_state';
    supply.verify(capacity, command.gpus);
    this.state.buffer.emit('capacityVerified', { company: command.company, market: command.market, gpus: command.gpus });
    return undefined;
  }

  private capacityRefusal(command: DeclareCapacity | VerifyCapacity): RejectCode | undefined {
    const company = this.state.companies[command.company];
    if (company === undefined) return 'unknown_company';
    if (company.role !== 'provider') return 'not_authorized';
    if (!this.state.markets.has(command.market)) return 'instrument_unknown';
    const valid = Number.isInteger(command.gpus) && command.gpus >= 0 && command.gpus <= GPUS_MAX;
    return valid ? undefined : 'amount_out_of_range';
  }

  setEligibility(command: SetEligibility): RejectCode | undefined {
    const { state } = this;
    if (state.companies[command.company]?.role !== 'provider') return 'not_authorized';
    if (!state.markets.has(command.market)) return 'instrument_unknown';
    if (state.companies[command.company].suspendedAt !== 0) return 'invalid_state';
    if (command.models.some((model) => !(model >= 0 && model < state.models.length))) return 'invalid_parameter';
    const capacity = state.supply.open(command.company, command.market);
    const before = new Set(capacity.models);
    state.supply.setModels(capacity, command.models);
    state.buffer.emit('eligibilitySet', { company: command.company, market: command.market, models: capacity.models });
    const gained = new Set(capacity.models.filter((model) => !before.has(model)));
    if (gained.size > 0) this.sweeps.matchNewlyEligible(command.company, command.market, gained);
    return undefined;
  }

  setTradingMode(command: SetTradingMode): RejectCode | undefined {
    const { state } = this;
    if (state.companies[command.company]?.role !== 'operator') return 'not_authorized';
    const call = command.call ?? 0;
    if (call !== 0 && !(command.mode === 'auction' && Number.isSafeInteger(call) && call > 0 && call <= CALL_MAX)) return 'invalid_parameter';
    const scope = this.scopeOf(command);
    if (scope === undefined) return 'instrument_unknown';
    scope.mode = command.mode;
    scope.reason = command.reason;
    state.noteModes();
    state.buffer.emit('tradingModeSet', {
      class: command.class, market: command.market, hour: command.hour, mode: command.mode, reason: command.reason, by: command.company,
    });
    this.scheduleCall(command, call);
    this.sweeps.followMode(command);
    return undefined;
  }

  setBands({ company, above, below }: SetBands): RejectCode | undefined {
    const { state } = this;
    if (state.companies[company]?.role !== 'operator') return 'not_authorized';
    if (wrongBand({ above, below }) !== undefined) return 'invalid_parameter';
    state.bands = { above, below };
    state.buffer.emit('bandsSet', { above, below, by: company });
    return undefined;
  }

  /** A new mode ends what was planned for its scope. */
  private scheduleCall({ class: classId, market, hour, company }: SetTradingMode, call: Millis): void {
    const { calls, timers, now, buffer } = this.state;
    for (const [id, planned] of calls) if (planned.class === classId && planned.market === market && planned.hour === hour) calls.delete(id);
    if (call === 0) return;
    const id = timers.arrivals;
    calls.set(id, { class: classId, market, hour, by: company });
    timers.add(now + call, TIMER.callEnd, id);
    buffer.emit('callScheduled', { class: classId, market, hour, endsAt: now + call });
  }

  /** The time of a call has come: its orders execute at one price and trading is open. */
  endCall(id: number): void {
    const { state } = this;
    const call = state.calls.get(id);
    state.calls.delete(id);
    if (call === undefined || (call.hour !== NONE && state.markets.get(call.market)?.books.has(call.hour) !== true)) return;
    this.setTradingMode({ type: 'setTradingMode', company: call.by, class: call.class, market: call.market, hour: call.hour, mode: 'open', reason: 'the call is over' });
  }

  private scopeOf(command: SetTradingMode): { mode: SetTradingMode['mode']; reason: string } | undefined {
    const { state } = this;
    if (command.market !== NONE) {
      const market = state.markets.get(command.market);
      return market === undefined || command.hour === NONE ? market : state.openBook(market, command.hour);
    }
    return command.class === NONE ? state : state.classes[command.class];
  }
}
