/** What is not market state: people, their keys and sessions, endpoints, money announced, and who did what. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await createPeople(knex);
  await createChanges(knex);
  await createEndpoints(knex);
  await createMoney(knex);
  await createOperations(knex);
}

export async function down(knex: Knex): Promise<void> {
  const tables = ['idempotency', 'confirmations', 'audit', 'bank_transactions', 'deposits', 'endpoints', 'auth_changes', 'auth_version', 'api_keys', 'sessions', 'users'];
  for (const table of tables) await knex.schema.dropTableIfExists(table);
}

async function createPeople(knex: Knex): Promise<void> {
  await knex.schema.createTable('users', (table) => {
    table.text('id').primary();
    table.text('email').notNullable();
    // Lower case: one person, one account, however the address is typed.
    table.text('email_key').notNullable().unique();
    table.text('password_hash').notNullable();
    // Empty until the company is registered with the engine.
    table.integer('company').nullable().index();
    table.text('role').notNullable();
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
  });
  await knex.schema.createTable('sessions', (table) => {
    table.binary('token_hash').primary();
    table.text('user_id').notNullable().references('users.id').onDelete('CASCADE').index();
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
    table.timestamp('seen_at').notNullable().defaultTo(knex.fn.now());
    table.timestamp('expires_at').notNullable();
  });
  await knex.schema.createTable('api_keys', (table) => {
    table.text('id').primary();
    table.text('user_id').notNullable().references('users.id').onDelete('CASCADE');
    table.integer('company').notNullable().index();
    table.text('name').notNullable();
    table.text('prefix').notNullable();
    table.text('last_four').notNullable();
    table.binary('hash').notNullable().unique();
    table.jsonb('scopes').notNullable();
    table.jsonb('allowed_models').nullable();
    table.jsonb('allowed_ips').nullable();
    table.timestamp('expires_at').nullable();
    table.bigInteger('monthly_limit').nullable();
    table.jsonb('spot').notNullable();
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
    table.timestamp('revoked_at').nullable();
  });
}

/** One counter, so that versions are committed in their order and no reader can miss one. */
async function createChanges(knex: Knex): Promise<void> {
  await knex.schema.createTable('auth_version', (table) => {
    table.bigInteger('version').notNullable();
  });
  await knex('auth_version').insert({ version: 0 });
  await knex.schema.createTable('auth_changes', (table) => {
    table.bigInteger('version').primary();
    table.text('kind').notNullable();
    table.text('subject').notNullable();
    table.timestamp('at').notNullable().defaultTo(knex.fn.now());
  });
}

async function createEndpoints(knex: Knex): Promise<void> {
  await knex.schema.createTable('endpoints', (table) => {
    table.text('id').primary();
    table.integer('company').notNullable().index();
    table.integer('market').notNullable();
    table.text('url').notNullable();
    // Sealed with a key that is not in the database.
    table.binary('credential').nullable();
    table.jsonb('models').notNullable();
    table.text('precision').nullable();
    table.text('country').nullable();
    table.text('prompt_retention').nullable();
    table.text('status').notNullable().defaultTo('pending');
    table.text('status_reason').notNullable().defaultTo('');
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
    table.timestamp('verified_at').nullable();
  });
}

async function createMoney(knex: Knex): Promise<void> {
  await knex.schema.createTable('deposits', (table) => {
    table.text('id').primary();
    table.integer('company').notNullable().index();
    table.bigInteger('amount').notNullable();
    table.text('reference').notNullable();
    table.text('status').notNullable();
    table.bigInteger('sequence').nullable();
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
    table.index(['reference', 'status']);
  });
  await knex.schema.createTable('bank_transactions', (table) => {
    table.text('id').primary();
    table.date('booked_on').notNullable();
    table.bigInteger('amount').notNullable();
    table.text('reference').notNullable();
    table.text('status').notNullable();
    table.text('deposit').nullable();
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
    table.unique(['booked_on', 'amount', 'reference']);
  });
}

async function createOperations(knex: Knex): Promise<void> {
  await knex.schema.createTable('audit', (table) => {
    table.bigIncrements('id');
    table.timestamp('at').notNullable();
    table.text('actor').notNullable();
    table.integer('company').nullable();
    table.text('action').notNullable();
    table.text('target').notNullable();
    table.text('reason').notNullable();
    table.jsonb('details').notNullable();
    table.bigInteger('sequence').nullable();
  });
  await knex.schema.createTable('confirmations', (table) => {
    table.text('id').primary();
    table.text('action').notNullable();
    table.text('target').notNullable();
    table.text('reason').notNullable();
    table.text('requested_by').notNullable();
    table.timestamp('requested_at').notNullable().defaultTo(knex.fn.now());
    table.timestamp('expires_at').notNullable();
    table.text('confirmed_by').nullable();
    table.timestamp('confirmed_at').nullable();
    table.index(['action', 'target']);
  });
  await knex.schema.createTable('idempotency', (table) => {
    table.text('key').primary();
    table.text('body_hash').notNullable();
    table.integer('status').notNullable();
    table.jsonb('body').notNullable();
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
  });
}
