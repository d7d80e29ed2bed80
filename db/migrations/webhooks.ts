/** Where companies want to be told of what happens, and what they were told. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table webhooks (
      id text primary key, company int not null, url text not null, description text not null default '',
      -- Names of event types; empty: all.
      events jsonb not null default '[]',
      -- Sealed. The one before it signs too, until a time.
      secret bytea not null, previous_secret bytea, previous_until timestamptz,
      status text not null default 'active', reason text not null default '',
      -- The last event that has become a delivery, or was none of this webhook's.
      sequence bigint not null, place int not null,
      created_at timestamptz not null default now()
    );
    create index webhooks_of_company on webhooks (company);
    create table webhook_deliveries (
      id text primary key, webhook text not null references webhooks on delete cascade, message text not null, type text not null, payload text not null,
      status text not null default 'pending', attempts int not null default 0, next_attempt_at timestamptz not null default now(),
      last_status int, last_error text not null default '', delivered_at timestamptz, created_at timestamptz not null default now(),
      unique (webhook, message)
    );
    create index webhook_deliveries_due on webhook_deliveries (next_attempt_at) where status = 'pending';
    create index webhook_deliveries_of_webhook on webhook_deliveries (webhook, created_at);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table webhook_deliveries; drop table webhooks;');
}
