/** The schema of all that can be built again from the journal. Its other tables are made by the projections themselves. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create schema projections;
    -- Moved in the transaction that writes a projection's rows.
    create table projections.positions (
      name text primary key,
      version int not null,
      sequence bigint not null,
      engine_time bigint not null
    ) with (fillfactor = 20);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop schema projections cascade');
}
