/** What a company wants done with hours that it does not use. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('resale_policies', (table) => {
    table.integer('company').primary();
    table.boolean('enabled').notNullable();
    // Ticks per GPU-hour.
    table.bigInteger('price_floor').notNullable();
    table.integer('idle_minutes').notNullable();
    table.timestamp('changed_at').notNullable().defaultTo(knex.fn.now());
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('resale_policies');
}
