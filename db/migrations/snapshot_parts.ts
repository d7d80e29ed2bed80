/** What of a large snapshot does not stand in its row: written piece by piece, so that no commit of the journal waits for all of it. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table snapshot_parts (
      sequence bigint not null,
      part int not null,
      bytes bytea not null,
      primary key (sequence, part)
    );
    alter table snapshot_parts alter column bytes set storage external;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table snapshot_parts');
}
