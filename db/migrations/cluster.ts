/** What the processes of one exchange share. */
import type { Knex } from 'knex';

/** One row: who can read it speaks for this exchange, who cannot is not heard. 244 random bits. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table cluster_secret (
      only_row boolean primary key default true check (only_row),
      secret bytea not null
    );
    insert into cluster_secret (secret) values (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table cluster_secret');
}
