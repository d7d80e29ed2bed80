/** Who stands by and could be reached if it led. */
import type { Knex } from 'knex';

/** A row per process, written again while it stands by, warm, and reaches Redis. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('standbys', (table) => {
    table.text('holder').primary();
    table.timestamp('reached_since').notNullable();
    table.timestamp('seen_at').notNullable();
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('standbys');
}
