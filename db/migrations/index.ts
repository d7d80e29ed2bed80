/** Every migration, in order. One that has been released is never changed: what is new is a new one, at the end. */
import type { Knex } from 'knex';
import * as accounts from './accounts.ts';
import * as bankOccurrences from './bank_occurrences.ts';
import * as cluster from './cluster.ts';
import * as delivery from './delivery.ts';
import * as journal from './journal.ts';
import * as journalArchive from './journal_archive.ts';
import * as feeds from './feeds.ts';
import * as keptAnswers from './kept_answers.ts';
import * as keyLimits from './key_limits.ts';
import * as keyLines from './key_lines.ts';
import * as loadTests from './load_tests.ts';
import * as logbook from './logbook.ts';
import * as orderWatches from './order_watches.ts';
import * as projects from './projects.ts';
import * as providerAgent from './provider_agent.ts';
import * as projections from './projections.ts';
import * as ratings from './ratings.ts';
import * as resalePolicies from './resale_policies.ts';
import * as repricingRules from './repricing_rules.ts';
import * as snapshotParts from './snapshot_parts.ts';
import * as standbys from './standbys.ts';
import * as publishedOffers from './published_offers.ts';
import * as warnings from './warnings.ts';
import * as webhooks from './webhooks.ts';

export interface NamedMigration {
  name: string;
  up: (knex: Knex) => Promise<void>;
  down: (knex: Knex) => Promise<void>;
}

export const MIGRATIONS: readonly NamedMigration[] = [
  { name: '001_journal', ...journal },
  { name: '002_accounts', ...accounts },
  { name: '003_projections', ...projections },
  { name: '004_published_offers', ...publishedOffers },
  { name: '005_cluster', ...cluster },
  { name: '006_delivery', ...delivery },
  { name: '007_key_limits', ...keyLimits },
  { name: '008_journal_archive', ...journalArchive },
  { name: '009_provider_agent', ...providerAgent },
  { name: '010_webhooks', ...webhooks },
  { name: '011_projects', ...projects },
  { name: '012_logbook', ...logbook },
  { name: '013_resale_policies', ...resalePolicies },
  { name: '014_snapshot_parts', ...snapshotParts },
  { name: '015_feeds', ...feeds },
  { name: '016_standbys', ...standbys },
  { name: '017_repricing_rules', ...repricingRules },
  { name: '018_warnings', ...warnings },
  { name: '019_bank_occurrences', ...bankOccurrences },
  { name: '020_ratings', ...ratings },
  { name: '021_load_tests', ...loadTests },
  { name: '022_kept_answers', ...keptAnswers },
  { name: '023_key_lines', ...keyLines },
  { name: '024_order_watches', ...orderWatches },
];
