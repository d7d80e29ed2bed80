/** An answer that is repeated is the same to the byte: its fields stay in their order. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw('alter table idempotency alter column body type json');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('alter table idempotency alter column body type jsonb');
}
