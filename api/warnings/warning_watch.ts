/**
 * Notices what companies are warned of: that 80, 95 or 100 % of a month's budget are used, and hours that are about to end
 * unused. Runs in every process that may: what two of them notice is told once.
 */
import { keySpending, keysOfLine, keysOfProject, monthBegan } from '../../db/queries/key_spending.ts';
import { budgetsOfKeys } from '../../db/queries/warnings.ts';
import type { BudgetRecord } from '../../db/queries/warnings.ts';
import { KIND, decodeEvent, forEachEvent } from '../../engine/events.ts';
import { MILLIS_PER_MINUTE } from '../../engine/numbers/units.ts';
import type { Micro, Millis } from '../../engine/numbers/units.ts';
import { expiringWire } from '../http/wire/expiring_wire.ts';
import { Rounds } from '../rounds.ts';
import { Unavailable } from '../sequencer/port.ts';
import type { CommittedBatch } from '../sequencer/port.ts';
import type { Services } from '../services.ts';
import { budgetWarning } from './budget_warning.ts';
import type { MonthlyBudget } from './budget_warning.ts';
import { ALERTS_PERCENT, alertsReached, expiringAllocations } from './thresholds.ts';
import type { Warnings } from './warnings.ts';

type Means = Pick<Services, 'clockFollowers' | 'committed' | 'database' | 'directory' | 'log' | 'projections' | 'sequencer'>;

const LOOK_MILLIS = 1_000;
const PROJECTIONS_MILLIS_MAX = 3_000;
const PERCENT = 100;
/** Every so many looks are at all budgets. */
const ALL_LOOKS = 60;

/** A budget of the month. */
interface Budget extends MonthlyBudget {
  name: string;
  keys: () => Promise<string[]>;
}
/** What is known of one: how much may be spent until there is something to say. */
interface Known {
  month: Millis;
  limit: Micro;
  left: Micro;
}

export class WarningWatch extends Rounds {
  private readonly services: Means;
  private readonly warnings: Warnings;
  private readonly known = new Map<string, Known>();
  /** What keys have spent since the last look; undefined: nobody has looked at any. */
  private spent: Map<string, Micro> | undefined;
  /** Allocations of this hour of which their owners know. */
  private warned = new Set<number>();
  private minute = 0;
  private looks = 1;
  private readonly unsubscribe: () => void;

  constructor(services: Means, warnings: Warnings) {
    super({ everyMillis: LOOK_MILLIS, clockFollowers: services.clockFollowers, failed: (error) => services.log.warn({ err: error }, 'nobody can be warned at the moment') });
    this.services = services;
    this.warnings = warnings;
    this.unsubscribe = services.sequencer.onCommitted((batch) => this.follow(batch));
  }

  override close(): Promise<void> {
    this.unsubscribe();
    return super.close();
  }

  private follow({ events }: CommittedBatch): void {
    if (this.spent === undefined) return;
    const { spent } = this;
    forEachEvent(events, (kind, at) => {
      if (kind !== KIND.usageCaptured) return;
      const event = decodeEvent(events, at);
      if (event.kind !== 'usageCaptured') return;
      const { key, spotFees } = event.detail;
      spent.set(key, (spent.get(key) ?? 0) + event.credits + spotFees);
    });
  }

  protected async round(): Promise<void> {
    await this.lookAtBudgets();
    await this.lookAtHours();
  }

  private async lookAtBudgets(): Promise<void> {
    const { spent } = this;
    this.spent = new Map();
    // At first, and now and then, all of them: what was reached before this process began may never have been told, and budgets change.
    const all = spent === undefined || this.looks++ % ALL_LOOKS === 0;
    if (!all && spent.size === 0) return;
    try {
      const records = await budgetsOfKeys(this.services.database, [...(spent?.keys() ?? [])], all);
      for (const record of records) for (const budget of budgetsOf(record, this.services)) await this.lookAt(budget, spent?.get(record.key) ?? 0);
    } catch (error) {
      this.spentAgain(spent);
      throw error;
    }
  }

  /** What could not be looked at is looked at again. */
  private spentAgain(spent: ReadonlyMap<string, Micro> | undefined): void {
    if (spent === undefined || this.spent === undefined) this.spent = undefined;
    else for (const [key, amount] of spent) this.spent.set(key, (this.spent.get(key) ?? 0) + amount);
  }

  private async lookAt(budget: Budget, spent: Micro): Promise<void> {
    const { committed, database, projections } = this.services;
    const { id, company, limit } = budget;
    const month = monthBegan(committed.now);
    const known = this.known.get(id);
    if (known?.month === month && known.limit === limit && (known.left -= spent) > 0) return;
    const untilSequence = committed.sequence;
    if (!(await projections.waitFor(untilSequence, PROJECTIONS_MILLIS_MAX, ['delivery', 'orders']))) throw new Unavailable('the projections are behind');
    const { used } = await keySpending(database, { company, keys: await budget.keys(), from: month, untilSequence });
    const reached = alertsReached(used, limit);
    for (const percent of reached) await this.warnings.raise(budgetWarning(budget, { used, percent, month, at: committed.now }));
    const next = ALERTS_PERCENT.at(reached.length);
    this.known.set(id, { month, limit, left: next === undefined ? Infinity : (limit * next) / PERCENT - used });
  }

  private async lookAtHours(): Promise<void> {
    const { committed, directory, sequencer } = this.services;
    const now = committed.now;
    const minute = Math.floor(now / MILLIS_PER_MINUTE);
    if (minute === this.minute) return;
    const expiring = expiringAllocations(now);
    if (expiring === undefined) {
      this.warned.clear();
    } else {
      for (const { company } of directory.companies().filter(({ role }) => role === 'borrower')) {
        for (const view of expiring(await sequencer.query('allocations', { company }))) {
          if (this.warned.has(view.allocation)) continue;
          await this.warnings.raise({ id: `wrn_hour_${view.hour}_${view.allocation}`, company, type: 'allocation.expiring', at: now, data: expiringWire(directory, view) });
          this.warned.add(view.allocation);
        }
      }
    }
    this.minute = minute;
  }
}

function budgetsOf({ key, line, company, name, limit, project }: BudgetRecord, { database }: Pick<Means, 'database'>): Budget[] {
  const budgets: Budget[] = limit === null ? [] : [{ id: line, spender: key, of: 'key_id', name, company, limit, keys: () => keysOfLine(database, line) }];
  if (project !== null) budgets.push({ ...project, spender: project.id, of: 'project_id', company, keys: () => keysOfProject(database, project.id) });
  return budgets;
}
