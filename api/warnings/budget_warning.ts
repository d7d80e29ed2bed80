/** What a company is told when a part of a month's budget is used: one warning for each budget, month and per cent. */
import type { Knex } from 'knex';
import { monthBegan } from '../../db/queries/key_spending.ts';
import { formatMicro } from '../../engine/numbers/units.ts';
import type { Micro, Millis } from '../../engine/numbers/units.ts';
import type { Services } from '../services.ts';
import { ALERTS_PERCENT, alertsReached, isNearlyUsed } from './thresholds.ts';
import { Warnings } from './warnings.ts';
import type { Warning } from './warnings.ts';

/** Of a line of keys, or a project's. */
export interface MonthlyBudget {
  id: string;
  /** The project, or the key of the line that is spoken of. */
  spender: string;
  of: 'key_id' | 'project_id';
  company: number;
  limit: Micro;
}

const FULL = 100;
const monthOf = (month: Millis): string => new Date(month).toISOString().slice(0, 7);
/** Another limit is another budget. */
const idOf = ({ id, limit }: Pick<MonthlyBudget, 'id' | 'limit'>, month: Millis, percent: number): string => `wrn_${id}_${monthOf(month)}_${limit}_${percent}`;

export function budgetWarning(budget: MonthlyBudget & { name: string }, { used, percent, month, at }: { used: Micro; percent: number; month: Millis; at: Millis }): Warning {
  const { spender, of, name, company, limit } = budget;
  return { id: idOf(budget, month, percent), company, type: 'budget.reached', at, data: { [of]: spender, name, month: monthOf(month), percent, limit: formatMicro(limit), used: formatMicro(used) } };
}

/** The per cent that have been reached: by what is used, or because no request fitted into what is left. */
export async function alertsOf(database: Knex, budget: Pick<MonthlyBudget, 'id' | 'limit'>, { used, month }: { used: Micro; month: Millis }): Promise<number[]> {
  const reached = alertsReached(used, budget.limit);
  if (reached.includes(FULL) || !isNearlyUsed(used, budget.limit)) return reached;
  const told: unknown = await database('warnings').where({ id: idOf(budget, month, FULL) }).first('id');
  return told === undefined ? reached : [...ALERTS_PERCENT];
}

/** Hears of budgets that refuse a request, and tells of those that are nearly used that they are full: what a request costs at most seldom leaves nothing. */
export class FullBudgets {
  private readonly services: Pick<Services, 'auth' | 'committed' | 'database' | 'log'>;
  private readonly warnings: Warnings;
  private readonly told = new Set<string>();

  constructor(services: Pick<Services, 'auth' | 'committed' | 'database' | 'log'>) {
    this.services = services;
    this.warnings = new Warnings(services.database, services.log);
  }

  readonly refused = (budget: MonthlyBudget, used: Micro): void => {
    const month = monthBegan(this.services.committed.now);
    const id = idOf(budget, month, FULL);
    if (!isNearlyUsed(used, budget.limit) || this.told.has(id)) return;
    this.told.add(id);
    this.tell(budget, used, month).catch((error: unknown) => {
      this.told.delete(id);
      this.services.log.warn({ err: error }, 'nobody can be warned at the moment');
    });
  };

  private async tell(budget: MonthlyBudget, used: Micro, month: Millis): Promise<void> {
    const { auth, committed, database } = this.services;
    const named = budget.of === 'key_id' ? auth.keyById(budget.spender) : await database('projects').where({ id: budget.spender }).first<{ name: string } | undefined>('name');
    for (const percent of ALERTS_PERCENT) await this.warnings.raise(budgetWarning({ ...budget, name: named?.name ?? '' }, { used, percent, month, at: committed.now }));
  }
}
