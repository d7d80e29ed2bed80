/** What a provider's agent tells of an endpoint: that it is there, and the GPUs beside it. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('endpoints', (table) => {
    table.timestamp('heard_at').nullable();
    table.jsonb('gpus_seen').nullable();
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('endpoints', (table) => {
    table.dropColumn('heard_at');
    table.dropColumn('gpus_seen');
  });
}
