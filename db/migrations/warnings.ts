/** What companies were warned of, each thing once. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table warnings (
      number bigint generated always as identity primary key,
      -- Names what it warns of: two processes that notice the same make one row.
      id text not null unique,
      company int not null, type text not null,
      -- Engine time, milliseconds.
      at bigint not null,
      data jsonb not null, created_at timestamptz not null default now()
    );
    create index warnings_of_company on warnings (company, number);
    create index warnings_by_time on warnings (created_at);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table warnings;');
}
