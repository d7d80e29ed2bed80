/** Versions of the ratings that operators have published, and the verification runs they come from. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('rating_versions', (table) => {
    table.integer('version').primary();
    // Engine time: when everybody could read it, and the beginning of the first hour that it rates.
    table.timestamp('published_at').notNullable();
    table.timestamp('effective_at').notNullable();
    table.text('reason').notNullable();
    // Model -> class -> what a prompt token and a completion token take, where that is not as it was.
    table.jsonb('changes').notNullable();
    // What of later hours had been sold: [allocation, company, hour].
    table.jsonb('sold').notNullable();
  });
  await knex.schema.createTable('verification_runs', (table) => {
    table.text('endpoint').notNullable();
    table.text('model').notNullable();
    // The newest of an endpoint and model counts.
    table.primary(['endpoint', 'model']);
    table.text('class').notNullable();
    table.integer('company').notNullable();
    // 1e-6 GPU-seconds a completion token.
    table.integer('completion').notNullable();
    table.timestamp('at').notNullable().defaultTo(knex.fn.now());
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('verification_runs');
  await knex.schema.dropTable('rating_versions');
}
