/** A row of the journal as projections read it: each command with the events it caused. */
import { KIND, decodeEvent, forEachEvent } from '../../engine/events.ts';
import type { EngineEvent, EventBatch, EventOf } from '../../engine/events.ts';

export interface CommandEvents {
  readonly sequence: number;
  readonly type: EventOf<'command'>['type'];
  /** NONE for commands of no company. */
  readonly company: number;
  /** Engine time after the command. */
  readonly at: number;
  /** Without the leading `command` event. */
  readonly events: readonly EngineEvent[];
}

/** @param engineTime before the batch: only its ticks move it */
export function commandsOf(batch: EventBatch, engineTime: number): CommandEvents[] {
  const commands: CommandEvents[] = [];
  let at = engineTime;
  let current: { header: EventOf<'command'>; events: EngineEvent[] } | undefined;
  const close = (): void => {
    if (current === undefined) return;
    const { header, events } = current;
    commands.push({ sequence: header.sequence, type: header.type, company: header.company, at, events });
  };
  forEachEvent(batch, (kind, position) => {
    const event = decodeEvent(batch, position);
    if (event.kind === 'command') {
      close();
      current = { header: event, events: [] };
    } else {
      current?.events.push(event);
      if (kind === KIND.ticked && event.kind === 'ticked') at = event.now;
    }
  });
  close();
  return commands;
}
