/** What delivery is held to beside the market: answers recorded of models. */
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
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTableIfExists('reference_answers');
}
