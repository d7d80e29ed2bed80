/**
 * The market as a deterministic state machine: one command in, its events out. No clock, no
 * randomness, no I/O. The sequencer is its only caller.
 */
import type { RejectCode } from './catalogue.ts';
import { COMMAND_TYPES } from './commands.ts';
import type { BatchOrders, CancelOrder, Command, CommandType, Envelope, OrderCommand, PlaceBlock, PlaceOrder } from './commands.ts';
import type { CompanyId } from './vocabulary.ts';
import { excerptFor } from './excerpt.ts';
import { Delivery } from './delivery/delivery.ts';
import { KIND } from './events.ts';
import type { EventBuffer } from './events.ts';
import { REJECT_CODES } from './catalogue.ts';
import { DeliveryMinutes } from './delivery/minutes.ts';
import { FORESEEN, Foresight } from './trading/foresight.ts';
import { Failures } from './delivery/failures.ts';
import { ProviderFaults } from './delivery/provider_faults.ts';
import { Replacements } from './delivery/replacement.ts';
import { Facilities } from './lending/facilities.ts';
import { Finance } from './lending/finance.ts';
import { setMarks } from './lending/marks.ts';
import { checkInvariantFrom, checkInvariants, INVARIANTS, walkedAtOnce } from './invariants.ts';
import type { Answer, Ask, Foretelling, InvariantCheck, QueryName } from './queries.ts';
import { Registry } from './registry.ts';
import { OLDEST_RULES, RULES_VERSION } from './rules.ts';
import { Image, readSnapshot, tablesRoom, writeSnapshot } from './codec/snapshot.ts';
import { ALL_ROOM, LITTLE_ROOM, State } from './state.ts';
import type { Room } from './state.ts';
import { stateHash } from './codec/state_hash.ts';
import { Sweeps } from './time/sweeps.ts';
import { TIMER } from './time/timers.ts';
import { Timeline } from './time/timeline.ts';
import { Trading } from './trading/trading.ts';
import { NOTHING_FORETOLD, foretoldBy } from './trading/foretold.ts';
import { Views } from './views.ts';

const COMMAND = KIND.command;
const REJECTED = KIND.rejected;
/** What a command is, as far as nearly all are one of two. */
const OTHER_COMMAND = 0;
const PLACE = 1;
const CANCEL = 2;
const kindOf = (type: CommandType): number => (type === 'place' ? PLACE : type === 'cancel' ? CANCEL : OTHER_COMMAND);
const NO_COMPANY = -1;
const BATCH_MAX = 500;
const DEAD_MAN_MAX = 86_400_000;

const COMMAND_INDEX: ReadonlyMap<CommandType, number> = new Map(COMMAND_TYPES.map((type, index) => [type, index]));
const REJECT_INDEX = new Map<RejectCode, number>(REJECT_CODES.map((code, index) => [code, index]));

export class Engine {
  private readonly state: State;
  private readonly trading: Trading;
  private readonly sweeps: Sweeps;
  private readonly registry: Registry;
  private readonly facilities: Facilities;
  private readonly finance: Finance;
  private readonly minutes: DeliveryMinutes;
  private readonly delivery: Delivery;
  private readonly faults: ProviderFaults;
  private readonly timeline: Timeline;
  private readonly views: Views;
  private readonly foresight: Foresight;

  constructor(state: State = new State()) {
    this.state = state;
    this.trading = new Trading(state);
    this.foresight = new Foresight(state);
    this.sweeps = new Sweeps(state, this.trading, this.trading.events);
    this.registry = new Registry(state, this.sweeps);
    this.facilities = new Facilities(state, this.sweeps, this.trading);
    this.finance = new Finance(state, this.sweeps, this.facilities.fund, this.facilities.returns);
    const minutes = new DeliveryMinutes(state);
    const failures = new Failures(state, this.trading.resales);
    this.minutes = minutes;
    this.delivery = new Delivery(state, this.sweeps, this.trading.resales, this.facilities, failures, minutes);
    this.faults = new ProviderFaults(state, this.sweeps, minutes, this.delivery, new Replacements(state, this.trading, this.sweeps, failures));
    this.timeline = new Timeline(state, this.trading, this.sweeps, this.registry, this.finance, this.delivery, this.facilities);
    this.views = new Views(state, this.facilities, this.trading, (order) => this.foretell(order));
  }

  /** A new market as a server has it. */
  static spacious(): Engine {
    return new Engine(new State(ALL_ROOM));
  }

  /** The engine a snapshot was taken of, with that room at least. @throws Error when the bytes are not a snapshot of a known format */
  static restore(bytes: Uint8Array, room: Room = LITTLE_ROOM): Engine {
    return new Engine(readSnapshot(bytes, room));
  }
  snapshot(): Uint8Array {
    return writeSnapshot(this.state);
  }
  /** What would be in a snapshot now, made into its bytes when they are asked for. @param room as `copied` has it */
  copy(room?: Uint8Array<ArrayBuffer>): Image {
    return Image.of(this.state).copy(room);
  }
  /** As many bytes as such a room should have. */
  get copyRoom(): number {
    return tablesRoom(this.state);
  }

  /** Whether commands that were journalled under a version of the rules can be executed again. */
  static executes(rulesVersion: number): boolean {
    return rulesVersion >= OLDEST_RULES && rulesVersion <= RULES_VERSION;
  }

  /** From here on commands have the results that they have under this version. */
  set rulesVersion(version: number) {
    this.state.rulesVersion = version;
    this.trading.matcher.minimumAlwaysBinds = version >= 3;
    this.trading.matcher.rulesVersion = version;
  }

  /** Events since the caller last took them. */
  get buffer(): EventBuffer {
    return this.state.buffer;
  }
  get now(): number {
    return this.state.now;
  }
  /** Whether a tick to the present moment would go on with something that is begun. */
  get hasWork(): boolean {
    return this.timeline.isDayEnding();
  }
  /** Number of the last command. */
  get sequence(): number {
    return this.state.sequence;
  }

  /** Executes one command. Bad input never throws: it leaves a `rejected` event and no other effect. */
  apply(envelope: Envelope): void {
    const { type } = envelope.command;
    this.applyKnown(envelope, kindOf(type));
  }

  /** Commands have many shapes: what kind it is is looked up once, where the caller's are few. */
  private applyKnown(envelope: Envelope, kind: number): void {
    const { state } = this;
    const { command } = envelope;
    state.sequence++;
    if (kind === OTHER_COMMAND) this.writeOther(command);
    else this.writeCommand(kind - PLACE, (command as PlaceOrder | CancelOrder).company);
    if (envelope.idempotencyKey !== '' && !this.isFirst(envelope)) return;
    if (kind === PLACE) this.refuse(this.trading.place(command as PlaceOrder), 0);
    else if (kind === CANCEL) this.refuse(this.trading.cancel(command as CancelOrder), 0);
    else if (command.type === 'batch') this.batch(command);
    else this.refuse(this.execute(command as OtherCommand), 0);
    if (state.unsettled) this.sweeps.settle();
  }

  /** Whether so many orders are in the market that it helps to know commands before they come. */
  get isWide(): boolean {
    return this.foresight.isWorthwhile;
  }

  /** Commands that are applied next, at most FORESEEN of them. Changes nothing: they only take less time. */
  foresee(envelopes: readonly Envelope[], from: number, to: number): void {
    this.foresight.look(envelopes, from, to);
  }

  /** Executes commands that are known together. */
  applyAll(envelopes: readonly Envelope[], from = 0, to = envelopes.length): void {
    for (let begin = from; begin < to; begin += FORESEEN) {
      if (this.isWide) this.foresee(envelopes, begin, to);
      const end = Math.min(begin + FORESEEN, to);
      for (let at = begin; at < end; at++) {
        const envelope = envelopes[at];
        const { type } = envelope.command;
        this.applyKnown(envelope, kindOf(type));
      }
    }
  }

  /** A function of its own: V8 keeps one record of the shapes whose company a function asks for, and asks slowly where they are many. */
  private writeOther(command: Command): void {
    this.writeCommand(COMMAND_INDEX.get(command.type) ?? NO_COMPANY, 'company' in command ? command.company : NO_COMPANY);
  }

  private writeCommand(index: number, company: CompanyId): void {
    const { state } = this;
    const { buffer } = state;
    buffer.reserve(5);
    const { words } = buffer;
    const at = buffer.end;
    words[at] = COMMAND;
    words[at + 1] = 3;
    words[at + 2] = state.sequence;
    words[at + 3] = index;
    words[at + 4] = company;
    buffer.length = at + 5;
  }

  /** Remembers the idempotency key; a repeat names the original, another body is refused. */
  private isFirst(envelope: Envelope): boolean {
    const { state } = this;
    const known = state.idempotency.get(envelope.idempotencyKey);
    if (known === undefined) {
      state.idempotency.set(envelope.idempotencyKey, { bodyHash: envelope.bodyHash, sequence: state.sequence, at: state.now });
      return true;
    }
    if (known.bodyHash === envelope.bodyHash) state.buffer.emit('repeated', { original: known.sequence });
    else this.refuse('idempotency_mismatch', 0);
    return false;
  }

  private refuse(code: RejectCode | undefined, index: number): void {
    if (code === undefined) return;
    const { buffer } = this.state;
    buffer.reserve(5);
    const { words } = buffer;
    const at = buffer.end;
    words[at] = REJECTED;
    words[at + 1] = 3;
    words[at + 2] = REJECT_INDEX.get(code) ?? 0;
    words[at + 3] = index;
    words[at + 4] = 0;
    buffer.length = at + 5;
  }

  private batch(command: BatchOrders): void {
    if (command.operations.length > BATCH_MAX) {
      this.refuse('invalid_parameter', 0);
      return;
    }
    command.operations.forEach((operation, index) => {
      this.state.buffer.emit('operation', { index });
      this.refuse(operation.company === command.company ? this.executeOrder(operation) : 'not_authorized', index);
    });
  }

  private executeOrder(command: OrderCommand): RejectCode | undefined {
    if (command.type === 'place') return this.trading.place(command);
    return command.type === 'cancel' ? this.trading.cancel(command) : this.trading.amend(command);
  }

  private execute(command: OtherCommand): RejectCode | undefined {
    switch (command.type) {
      case 'amend':
        return this.trading.amend(command);
      case 'cancelAll':
        this.sweeps.cancelAll(command, command.onDisconnect ? 'disconnected' : command.notServed === true ? 'not_served' : 'mass_cancel');
        return undefined;
      case 'cancelAfter':
        return this.cancelAfter(command.company, command.after);
      case 'placeBlock':
        return this.trading.blocks.place(command);
      case 'tick':
        return this.timeline.tick(command);
      case 'endHour':
        return this.delivery.endHour(command);
      case 'capture':
        return this.delivery.capture(command);
      case 'releasePending':
        return this.delivery.releasePending(command);
      case 'payout':
        return this.delivery.payout(command);
      default:
        return this.executeRare(command);
    }
  }

  private executeRare(command: RareCommand): RejectCode | undefined {
    const { registry, finance, facilities, faults } = this;
    switch (command.type) {
      case 'registerCompany': return registry.registerCompany(command);
      case 'addClass': return registry.addClass(command);
      case 'addRegion': return registry.addRegion(command);
      case 'addModel': return registry.addModel(command);
      case 'setListPrice': return registry.setListPrice(command);
      case 'declareCapacity': return registry.declareCapacity(command);
      case 'verifyCapacity': return registry.verifyCapacity(command);
      case 'setEligibility': return registry.setEligibility(command);
      case 'setTradingMode': return registry.setTradingMode(command);
      case 'deposit': return finance.deposit(command);
      case 'withdraw': return finance.withdraw(command);
      case 'prepay': return finance.prepay(command);
      case 'postBond': return finance.postBond(command);
      case 'createMandate': return facilities.mandates.create(command);
      case 'changeMandate': return facilities.fund.change(command);
      case 'applyFacility': return facilities.offers.apply(command);
      case 'acceptFacility': return facilities.offers.accept(command);
      case 'draw': return facilities.draws.draw(command);
      case 'repay': return facilities.repay(command);
      case 'returnCredits': return facilities.returns.returnCredits(command);
      case 'freeze': return facilities.freeze(command);
      case 'unfreeze': return facilities.unfreeze(command);
      case 'reportMinute': return faults.reportMinute(command);
      case 'annulDelivery': return faults.annulDelivery(command);
      case 'platformDown': return this.minutes.noteOutage(command);
      case 'suspendProvider': return faults.suspend(command);
      case 'reinstateProvider': return faults.reinstate(command);
      case 'counterOffer': return facilities.offers.counter(command);
      case 'overruleFacility': return facilities.offers.overrule(command);
      case 'declineFacility': return facilities.offers.decline(command);
      case 'setFacilityOption': return facilities.setOption(command);
      case 'reportFinancials': return facilities.reportFinancials(command);
      case 'grantCredits': return finance.grant(command);
      case 'setSwitch': return finance.setSwitch(command);
      case 'setMoneyRules': return finance.setMoneyRules(command);
      case 'setBands': return registry.setBands(command);
      case 'setMarks': return setMarks(this.state, command);
      case 'claimKey': return undefined;
    }
  }

  private cancelAfter(company: CompanyId, after: number): RejectCode | undefined {
    const { state } = this;
    const record = state.companies[company];
    if (record === undefined) return 'unknown_company';
    if (!Number.isSafeInteger(after) || after < 0 || after > DEAD_MAN_MAX) return 'invalid_parameter';
    record.deadMan = after === 0 ? 0 : state.now + after;
    if (after > 0) state.timers.add(record.deadMan, TIMER.deadMan, company);
    return undefined;
  }

  /** Does what the order would do to a part of the market that is thrown away. */
  private foretell(order: PlaceOrder | PlaceBlock): Foretelling {
    const refusal = order.type === 'place' ? this.trading.foresee(order) : this.trading.blocks.foresee(order);
    const before = this.spendable(order.company);
    if (refusal !== undefined) return { ...NOTHING_FORETOLD, refusal, spendable: { before, after: before } };
    const { part, command } = excerptFor(this.state, order);
    const engine = new Engine(part);
    engine.rulesVersion = this.state.rulesVersion;
    return engine.tryOut(command);
  }

  private tryOut(command: PlaceOrder | PlaceBlock): Foretelling {
    const before = this.spendable(command.company);
    const { state, trading } = this;
    state.sequence++;
    const refusal = command.type === 'place' ? trading.place(command, true) : trading.blocks.place(command, true);
    if (state.unsettled) this.sweeps.settle();
    return { ...foretoldBy(state, command.side, state.buffer.take()), refusal: refusal ?? null, spendable: { before, after: this.spendable(command.company) } };
  }

  private spendable(company: CompanyId): number {
    return this.state.standing.has(company) ? this.trading.holds.spendable(company, Number.MAX_SAFE_INTEGER) : 0;
  }

  query<Q extends QueryName>(name: Q, ask: Ask<Q>): Answer<Q> {
    return this.views.answer(name, ask);
  }
  checkInvariants(): InvariantCheck[] {
    return checkInvariants(this.state);
  }
  /** How many there are. */
  get invariants(): number {
    return INVARIANTS;
  }
  /** A part of one of them alone: all at once take as long as a large market may not stand still. @param place from 0 @param from the `next` of the part before, or 0 */
  checkInvariantFrom(place: number, from: number): InvariantCheck & { next: number } {
    return checkInvariantFrom(this.state, place, from);
  }
  /** Rows that a look at one of them goes through at once. @param place from 0 */
  walkedAtOnce(place: number): number {
    return walkedAtOnce(this.state, place);
  }
  /** @param format as `stateHash` has it */
  stateHash(format?: number): string {
    return stateHash(this.state, format);
  }
}

type OtherCommand = Exclude<Command, PlaceOrder | CancelOrder | BatchOrders>;
type FrequentType = 'place' | 'cancel' | 'amend' | 'batch' | 'cancelAll' | 'cancelAfter' | 'placeBlock' | 'tick' | 'endHour' | 'capture' | 'releasePending' | 'payout';
type RareCommand = Exclude<Command, { type: FrequentType }>;
