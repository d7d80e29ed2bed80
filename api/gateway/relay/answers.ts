/**
 * Answers of requests that came with an Idempotency-Key, kept for a day: who repeats such a request gets
 * the same answer and pays nothing. The engine remembers the keys of captures as well, so that even an
 * answer that was lost in a crash is not charged twice.
 */
import type { Knex } from 'knex';
import { ApiError } from '../../errors.ts';

export interface KeptAnswer {
  bodyHash: string;
  /** Of a stream, or JSON. */
  streamed: boolean;
  text: string;
}

export interface KeptAnswers {
  find(key: string): Promise<KeptAnswer | undefined>;
  keep(key: string, answer: KeptAnswer): Promise<void>;
}

const KEPT = '24 hours';
const OK = 200;
/** A key of the exchange's calls never begins so. */
const PREFIX = 'answer:';

export class StoredAnswers implements KeptAnswers {
  private readonly database: Knex;

  constructor(database: Knex) {
    this.database = database;
  }

  async find(key: string): Promise<KeptAnswer | undefined> {
    const row = await this.database('idempotency').where('key', PREFIX + key).whereRaw(`created_at > now() - interval '${KEPT}'`)
      .first<{ body_hash: string; body: { streamed: boolean; text: string } } | undefined>('body_hash', 'body');
    return row === undefined ? undefined : { bodyHash: row.body_hash, ...row.body };
  }

  async keep(key: string, { bodyHash, streamed, text }: KeptAnswer): Promise<void> {
    await this.database('idempotency').insert({ key: PREFIX + key, body_hash: bodyHash, status: OK, body: JSON.stringify({ streamed, text }) }).onConflict('key').ignore();
  }
}

/** For tests and benchmarks. */
export class AnswersInMemory implements KeptAnswers {
  private readonly answers = new Map<string, KeptAnswer>();

  find(key: string): Promise<KeptAnswer | undefined> {
    return Promise.resolve(this.answers.get(key));
  }
  keep(key: string, answer: KeptAnswer): Promise<void> {
    this.answers.set(key, answer);
    return Promise.resolve();
  }
}

/** Of two requests under one key, the second waits for the first and finds its answer. */
export class Repeats {
  private readonly answers: KeptAnswers;
  private readonly running = new Map<string, { bodyHash: string; done: Promise<unknown> }>();

  constructor(answers: KeptAnswers) {
    this.answers = answers;
  }

  /**
   * Runs the request unless its answer is kept already.
   * @returns the kept answer of an earlier request; undefined when `run` has answered
   * @throws ApiError idempotency_mismatch; what `run` throws
   */
  async once(key: string, bodyHash: string, run: (keep: (answer: Omit<KeptAnswer, 'bodyHash'>) => Promise<void>) => Promise<void>): Promise<KeptAnswer | undefined> {
    for (let first = this.running.get(key); first !== undefined; first = this.running.get(key)) {
      requireSame(first.bodyHash, bodyHash);
      await first.done.catch(() => undefined);
    }
    const work = this.findOrRun(key, bodyHash, run);
    this.running.set(key, { bodyHash, done: work });
    try {
      return await work;
    } finally {
      this.running.delete(key);
    }
  }

  private async findOrRun(key: string, bodyHash: string, run: (keep: (answer: Omit<KeptAnswer, 'bodyHash'>) => Promise<void>) => Promise<void>): Promise<KeptAnswer | undefined> {
    const known = await this.answers.find(key);
    if (known !== undefined) {
      requireSame(known.bodyHash, bodyHash);
      return known;
    }
    await run((answer) => this.answers.keep(key, { ...answer, bodyHash }));
    return undefined;
  }
}

function requireSame(known: string, given: string): void {
  if (known !== given) throw new ApiError('idempotency_mismatch');
}
