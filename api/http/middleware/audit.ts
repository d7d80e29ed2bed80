/** Who did what, when and why: one row for every act of an operator or a lender on others, and for what binds a company or takes its money out. */
import type { Knex } from 'knex';
import type { Principal } from '../../auth/principal.ts';
import type { Ack } from '../../sequencer/port.ts';

export interface AuditEntry {
  /** Engine time. */
  at: number;
  actor: Principal;
  action: string;
  target: string;
  reason: string;
  details?: Record<string, unknown>;
  sequence?: number;
}

export async function recordAudit(database: Knex, entry: AuditEntry): Promise<void> {
  await database('audit').insert({
    at: new Date(entry.at), actor: entry.actor.user, company: entry.actor.company, action: entry.action, target: entry.target, reason: entry.reason,
    details: JSON.stringify({ key: entry.actor.key, ...entry.details }), sequence: entry.sequence ?? null,
  });
}

/** Notes who of a company had its command done; asked for again it is noted once. */
export async function recordAct(database: Knex, { now, sequence, repeated }: Ack, entry: Omit<AuditEntry, 'at' | 'sequence' | 'reason'>): Promise<void> {
  if (!repeated) await recordAudit(database, { ...entry, at: now, reason: '', sequence });
}
