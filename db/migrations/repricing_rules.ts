/** What a provider wants done with the prices of its offers, by market. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('repricing_rules', (table) => {
    table.integer('company').notNullable();
    table.integer('market').notNullable();
    table.primary(['company', 'market']);
    table.boolean('enabled').notNullable();
    // Ticks per GPU-hour. No ceiling: prices are never raised.
    table.bigInteger('price_floor').notNullable();
    table.bigInteger('price_ceiling');
    table.bigInteger('undercut').notNullable();
    table.timestamp('changed_at').notNullable().defaultTo(knex.fn.now());
    // What the rule has done since it was first set.
    table.bigInteger('moves').notNullable().defaultTo(0);
    table.timestamp('moved_at');
    table.bigInteger('moved_sequence');
    table.text('last_refusal').notNullable().defaultTo('');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('repricing_rules');
}
