/** Load tests of places where hours are sold: those that were asked for, and how each ended. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('load_tests', (table) => {
    table.increments('id');
    table.integer('company').notNullable();
    table.integer('market').notNullable();
    table.index(['company', 'market', 'id']);
    // Null: it fell due by itself.
    table.timestamp('asked_at');
    // Null: not yet.
    table.timestamp('began_at');
    table.timestamp('ended_at');
    // Tokens, and what was missed of them in ppm.
    table.integer('wanted');
    table.integer('reached');
    table.integer('shortfall');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('load_tests');
}
