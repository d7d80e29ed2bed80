/**
 * Mistakes that a sequencer, a journal or a database could have, made on purpose. The simulation is worth
 * what it finds: each of these must show in what clients were told, or be refused, within a few seeds.
 */
export const FLAWS = {
  early_acknowledgement: 'acknowledges before the commit',
  swallowed_error: 'takes an append that failed for one that succeeded',
  lying_sync: 'a disk that says it has synced what it has not',
  dropped_record: 'loses the last row after it was acknowledged',
  no_fence: 'appends without a look at the epoch',
  no_lease: 'answers questions although another may lead',
  appended_twice: 'takes an append twice when it arrives twice',
  torn_batch: 'takes half of a batch for a whole one',
  checksum_ignored: 'recovers without a look at hashes and events',
  reordered_batches: 'writes a batch before the one it follows',
  snapshot_ahead: 'takes snapshots of what is not durable yet',
  keys_not_restored: 'forgets idempotency keys when it recovers',
  keys_shifted: 'answers a repeat with what another command did',
  keys_ignored: 'executes a command as often as it arrives',
  tail_not_read: 'takes over without the last row',
  uncommitted_read: 'answers questions from what is not durable yet',
} as const;

export type Flaw = keyof typeof FLAWS;
export const FLAW_NAMES = Object.keys(FLAWS) as Flaw[];
