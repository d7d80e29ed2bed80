/** The journal as a sequencer with one of the flaws uses it. */
import { RULES_VERSION } from '../../../engine/rules.ts';
import type { Engine } from '../../../engine/engine.ts';
import { hashRow, StaleEpoch } from '../../../db/journal_record.ts';
import type { Journal, JournalRecord } from '../../../db/journal_record.ts';
import type { SnapshotStore } from '../../../db/snapshots.ts';
import type { SimulatedJournal } from './disk.ts';
import type { Flaw } from './flaws.ts';

export interface FlawedJournalParts {
  journal: SimulatedJournal;
  flaw: Flaw;
  engine: Engine;
  snapshots: SnapshotStore;
}

export function flawedJournal({ journal, flaw, engine, snapshots }: FlawedJournalParts): Journal {
  const append = appendOf({ journal, flaw, engine, snapshots });
  return { epoch: journal.epoch, append, rowOf: (sequence) => journal.rowOf(sequence), rows: (sequence) => journal.rows(sequence), close: () => journal.close() };
}

function appendOf({ journal, flaw, engine, snapshots }: FlawedJournalParts): (record: JournalRecord) => Promise<void> {
  switch (flaw) {
    case 'early_acknowledgement': {
      // One after the other, as before; only nobody waits, and an error is noticed with the next batch.
      let before: Promise<unknown> = Promise.resolve();
      let failure: unknown;
      return (record) => {
        if (failure !== undefined) return Promise.reject(failure instanceof Error ? failure : new Error(String(failure)));
        before = before.then(() => journal.append(record)).catch((error: unknown) => (failure ??= error));
        return Promise.resolve();
      };
    }
    case 'swallowed_error':
      return (record) => journal.append(record).catch((error: unknown) => {
        if (error instanceof StaleEpoch) throw error;
      });
    case 'snapshot_ahead':
      return (record) => {
        const journalHash = hashRow(journal.headHash, { ...record, epoch: journal.epoch });
        snapshots.save({ sequence: record.lastSequence, rulesVersion: RULES_VERSION, journalHash, state: engine.snapshot() }).catch(() => undefined);
        return journal.append(record);
      };
    default:
      return (record) => journal.append(record);
  }
}
