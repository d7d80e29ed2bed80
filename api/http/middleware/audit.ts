/** Who did what, when and why: one row for every act of an operator or a lender on others. */
import type { Knex } from 'knex';
import type { Principal } from '../../auth/principal.ts';

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
