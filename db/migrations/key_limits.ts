/** How fast a key may be used; null: as fast as any. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('api_keys', (table) => {
    table.integer('requests_per_minute').nullable();
    table.bigInteger('tokens_per_minute').nullable();
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('api_keys', (table) => {
    table.dropColumn('requests_per_minute');
    table.dropColumn('tokens_per_minute');
  });
}
