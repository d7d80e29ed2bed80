/** What companies have uploaded for their applications, as it came. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('feeds', (table) => {
    table.text('id').primary();
    table.integer('company').notNullable();
    table.text('member').notNullable();
    table.text('kind').notNullable();
    // Of the bytes that were sent; the same file again is the same upload.
    table.text('sha256').notNullable();
    table.integer('bytes').notNullable();
    table.integer('lines').notNullable();
    table.integer('errors').notNullable();
    table.binary('content').notNullable().comment('gzip');
    // Engine time.
    table.bigInteger('received_at').notNullable();
    table.bigIncrements('number').unique();
    table.unique(['company', 'kind', 'sha256']);
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('feeds');
}
