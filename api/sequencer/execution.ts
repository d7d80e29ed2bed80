/** Applies commands to the engine, and writes down for the journal what was applied and for the callers what came of it. */
import type { Command, Envelope, OrderCommand } from '../../engine/commands.ts';
import { EnvelopeWriter } from '../../engine/codec/command_codec.ts';
import { KIND } from '../../engine/events.ts';
import type { QueryName } from '../../engine/queries.ts';
import { Acknowledgements } from './acknowledgements.ts';
import type { Authoriser } from './authoriser_port.ts';
import { NOT_TOLD } from './messages.ts';
import type { QueryAnswer, Release, SequencedEngine, SequencerLimits } from './sequencer_parts.ts';

/** An envelope's bytes as they came: from..to. undefined: it came as none. */
export type Encoded = { bytes: Uint8Array; from: number; to: number } | undefined;

/** The id of commands nobody waits for. */
export const NOBODY = 0;
export const NO_TEXT = { idempotencyKey: '', bodyHash: '' };

/** What has been applied and is not yet released. */
export interface Turn {
  captured: string[];
  release: Release;
}

export const newTurn = (): Turn => ({ captured: [], release: { batch: undefined, acknowledgements: new Acknowledgements(), repeats: [], answers: [], expired: [], hash: undefined } });

export class Execution {
  private readonly engine: SequencedEngine;
  private readonly authoriser: Authoriser;
  private readonly limits: SequencerLimits;
  /** What has been applied and is not given to the journal yet. */
  readonly written = new EnvelopeWriter();

  constructor(engine: SequencedEngine, authoriser: Authoriser, limits: SequencerLimits) {
    this.engine = engine;
    this.authoriser = authoriser;
    this.limits = limits;
  }

  get isFull(): boolean {
    return this.written.count >= this.limits.batchCommands || this.engine.buffer.length >= this.limits.batchWords;
  }

  /** One that nobody has sent. */
  applyOwn(command: Command): void {
    const envelope = { command, ...NO_TEXT };
    this.written.add(envelope);
    this.engine.apply(envelope);
  }

  /** One that has come. @param encoded its bytes, which are copied where it is applied as it came */
  apply(turn: Turn, id: number, given: Envelope, encoded: Encoded): void {
    const { engine } = this;
    const begin = engine.buffer.length;
    const envelope = needsHolds(given.command) ? { ...given, command: this.withHolds(given.command) } : given;
    if (encoded !== undefined && envelope === given) this.written.copy(encoded.bytes, encoded.from, encoded.to);
    else this.written.add(envelope);
    engine.apply(envelope);
    if (envelope.command.type === 'reportMinute') this.authoriser.rereadAll();
    else if (envelope !== given && 'company' in envelope.command) this.authoriser.reread(envelope.command.company);
    if (envelope.command.type === 'capture') turn.captured.push(envelope.command.request);
    if (id === NOBODY) return;
    const { words, length } = engine.buffer;
    const from = begin + 2 + words[begin + 1];
    if (from < length && words[from] === KIND.repeated) turn.release.repeats.push({ id, original: words[from + 2] });
    else turn.release.acknowledgements.add(id, engine.sequence, from, length, words[from] === KIND.rejected ? NOT_TOLD : this.remainingAfter(envelope.command));
  }

  answer(id: number, name: QueryName, ask: object): QueryAnswer {
    try {
      return { id, ok: true, value: this.engine.query(name, ask as never) };
    } catch (error) {
      return { id, ok: false, message: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Writes into resales, and into reports after which hours are bought elsewhere, what requests under way hold: so the engine, and every replay, leaves it alone. */
  private withHolds<C extends Command>(command: C): C {
    if (command.type === 'reportMinute') return { ...command, held: this.authoriser.allHeld() };
    if (command.type === 'place') return command.resaleOf === 0 ? command : { ...command, held: this.authoriser.heldOf(command.resaleOf) };
    return command.type === 'batch' ? { ...command, operations: command.operations.map((operation): OrderCommand => this.withHolds(operation)) } : command;
  }

  /** A receipt says what is left: told with the capture, it costs no question of its own. */
  private remainingAfter(command: Command): number {
    if (command.type !== 'capture') return NOT_TOLD;
    const { available, held, contracted } = this.engine.query('balances', { company: command.company });
    return available + held + contracted;
  }
}

/** Whether an allocation may be offered, or bought elsewhere, by it. */
export function needsHolds(command: Command): boolean {
  if (command.type === 'reportMinute') return true;
  if (command.type === 'place') return command.resaleOf !== 0;
  return command.type === 'batch' && command.operations.some(needsHolds);
}
