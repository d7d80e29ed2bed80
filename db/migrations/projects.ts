/** Budgets that several keys share, and what a key asks of the endpoints that serve it. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('projects', (table) => {
    table.text('id').primary();
    table.integer('company').notNullable();
    table.text('name').notNullable();
    // Micro-CR of inference in a calendar month; null: no limit.
    table.bigInteger('monthly_budget').nullable();
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
    table.unique(['company', 'name']);
  });
  await knex.schema.alterTable('api_keys', (table) => {
    table.text('project_id').nullable().references('projects.id');
    table.jsonb('needs').nullable();
    table.index('project_id');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('api_keys', (table) => {
    table.dropColumn('needs');
    table.dropColumn('project_id');
  });
  await knex.schema.dropTable('projects');
}
