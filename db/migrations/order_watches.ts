/** Whose orders end with their connection, and who is connected. */
import type { Knex } from 'knex';

/** A row per company while a connection watches over its orders: who finds one at its start comes after a process that could not cancel. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('order_watches', (table) => {
    table.integer('company').primary();
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('order_watches');
}
