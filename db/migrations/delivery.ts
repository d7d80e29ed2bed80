/** What delivery is held to beside the market: answers recorded of models, and which idle hours their owners want sold. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('reference_answers', (table) => {
    table.text('id').primary();
    table.text('model').notNullable().index();
    // Null: in any precision.
    table.text('precision').nullable();
    table.text('prompt').notNullable();
    table.text('answer').notNullable();
    table.timestamp('recorded_at').notNullable().defaultTo(knex.fn.now());
  });
  await knex.schema.createTable('resale_rules', (table) => {
    table.integer('company').primary();
    // Ticks, the least an hour is sold for; and how long it may lie idle first.
    table.bigInteger('price_floor').notNullable();
    table.integer('idle_minutes').notNullable();
    table.timestamp('changed_at').notNullable().defaultTo(knex.fn.now());
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTableIfExists('resale_rules');
  await knex.schema.dropTableIfExists('reference_answers');
}
