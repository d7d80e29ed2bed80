/** The on-demand and spot prices that providers publish, as last collected: what list prices are computed from. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('published_offers', (table) => {
    table.text('id').primary();
    table.text('provider').notNullable();
    table.text('class').notNullable();
    // Micro-USD per GPU-hour.
    table.bigInteger('usd').notNullable();
    table.boolean('is_spot').notNullable();
    table.timestamp('collected_at').notNullable();
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTableIfExists('published_offers');
}
