/** The journal, its lease, and snapshots. */
import type { Knex } from 'knex';

/**
 * Names and order of the journal's columns are what `hashRow` and the projections read. The blobs
 * are dense already and are read whole: EXTERNAL keeps Postgres from compressing them in vain.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table journal (
      first_sequence bigint primary key,
      last_sequence bigint not null,
      engine_time bigint not null,
      epoch bigint not null,
      rules_version bigint not null,
      commands bytea not null,
      events bytea not null,
      hash bytea not null,
      committed_at timestamptz not null default clock_timestamp()
    );
    alter table journal alter column commands set storage external, alter column events set storage external;

    -- One row. Every append updates it: whoever has not the present epoch appends nothing, and the
    -- highest sequence is known apart from the journal.
    create table journal_lease (
      only_row boolean primary key default true check (only_row),
      epoch bigint not null,
      holder text not null,
      renewed_at timestamptz not null,
      high_water bigint not null
    ) with (fillfactor = 20);
    insert into journal_lease (epoch, holder, renewed_at, high_water) values (0, '', '-infinity', 0);

    create table snapshots (
      sequence bigint primary key,
      rules_version bigint not null,
      journal_hash bytea not null,
      state_hash text not null,
      checksum bytea not null,
      state bytea not null,
      taken_at timestamptz not null default clock_timestamp()
    );
    alter table snapshots alter column state set storage external;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table snapshots, journal_lease, journal');
}
