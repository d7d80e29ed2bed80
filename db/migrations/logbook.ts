/** What requests and probes met, for a day. Nothing depends on it: it is unlogged, so that it costs the journal's disk nothing. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create unlogged table request_log (
      id text primary key, at timestamptz not null, company integer not null, key text not null, model text not null, path text not null, streamed boolean not null,
      status integer not null, error text null, millis integer not null, prompt_tokens integer null, completion_tokens integer null, credits text null, tries jsonb not null
    );
    create index on request_log (company, at desc, id desc);
    create index on request_log (at);
    create unlogged table probe_log (
      id bigserial primary key, at timestamptz not null, endpoint text not null, model text not null, result text not null, millis integer not null
    );
    create index on probe_log (endpoint, id desc);
    create index on probe_log (at);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTableIfExists('probe_log');
  await knex.schema.dropTableIfExists('request_log');
}
