/** What a database must not do without. Asked at each start of the market, and part of every append: a setting may change while all runs. */
import type { Queryable } from './journal_reader.ts';

/** Settings without which a commit is not a promise. */
export const DURABILITY = ['fsync', 'synchronous_commit', 'full_page_writes'] as const;

/** A database that would lose commits; its message is for the person at the terminal. */
export class NotDurable extends Error {
  constructor(setting: string) {
    super(`the database runs with ${setting}=off: an acknowledged order could be lost. Turn it on`);
    this.name = 'NotDurable';
  }
}

/** @throws NotDurable naming the first setting that is off */
export async function requireDurable(client: Queryable): Promise<void> {
  for (const setting of DURABILITY) {
    const { rows } = await client.query<{ value: string }>('select current_setting($1) as value', [setting]);
    if (rows[0].value === 'off') throw new NotDurable(setting);
  }
}
