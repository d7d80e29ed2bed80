/** Two payments may be alike in all that a bank tells of them: the second of a day is another than the first. */
import type { Knex } from 'knex';

const ALIKE = ['booked_on', 'amount', 'reference'];

export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('bank_transactions', (table) => {
    table.integer('occurrence').notNullable().defaultTo(1);
    table.dropUnique(ALIKE);
    table.unique([...ALIKE, 'occurrence']);
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('bank_transactions', (table) => {
    table.dropUnique([...ALIKE, 'occurrence']);
    table.dropColumn('occurrence');
    table.unique(ALIKE);
  });
}
