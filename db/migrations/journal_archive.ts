/** What of the journal has been moved into files. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- One row per file, without gaps from the first sequence on. hash: of the last row in it, to which the journal's first row is chained.
    create table journal_archive (
      first_sequence bigint primary key,
      last_sequence bigint not null,
      hash bytea not null,
      file text not null,
      archived_at timestamptz not null default clock_timestamp()
    );
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table journal_archive');
}
