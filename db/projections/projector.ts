/**
 * Follows the journal and keeps the projections up to date. It reads what is durable, so it is never
 * ahead; it is rebuilt from nothing by nothing more than its position going back to zero.
 *
 * Projections at the same position move together. One that was just made starts far behind: it
 * catches up in steps between the others' and joins them when it has come as far.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Client } from 'pg';
import { KEEP_ALIVE, giveUpForgotten } from '../forgotten.ts';
import { commandsOf } from './commands_of.ts';
import { PostgresPages } from './journal_pages.ts';
import type { JournalEvents, JournalPages } from './journal_pages.ts';
import { PROJECTIONS } from './index.ts';
import { RESET_CHANNEL, movePositions, prepareProjections, readPositions } from './positions.ts';
import type { Projection, ProjectionWriter } from './projection.ts';

/** Held by the one projector of a database; another waits for it. */
const LOCK = 7_301_845;
const CONNECT_MILLIS = 5_000;
/** How soon a commit is noticed, and the shortest time between two transactions when there is much to do. */
const POLL_MILLIS = 20;
const WRITE_MILLIS = 50;

/** A projector asks for something many times a second: one that is silent for so long is paused, or cut off. */
const SILENT_SECONDS = 3;

export interface ProjectorOptions {
  url: string;
  projections?: readonly Projection[];
  /** After how much silence another projector follows no more. */
  silentSeconds?: number;
}

/** Projections at the same position. */
interface Cohort {
  sequence: number;
  engineTime: number;
  members: Projection[];
}

export class Projector {
  private readonly client: Client;
  private readonly projections: readonly Projection[];
  private readonly journal: JournalPages;
  private readonly writers = new Map<string, ProjectionWriter>();
  /** Furthest first. */
  private cohorts: Cohort[] = [];
  private lost: Error | undefined;
  /** Somebody has emptied projections: where each stands is in the table. */
  private moved = false;

  private constructor(client: Client, projections: readonly Projection[]) {
    this.client = client;
    this.projections = projections;
    this.journal = new PostgresPages(client);
    client.on('error', (error) => (this.lost = error));
    client.on('notification', () => (this.moved = true));
  }

  /**
   * Connects and makes the tables that are missing or of an older version.
   * @returns undefined when another projector follows this database; one that has fallen silent follows no more
   * @throws NewerProjection
   */
  static async open({ url, projections = PROJECTIONS, silentSeconds = SILENT_SECONDS }: ProjectorOptions): Promise<Projector | undefined> {
    const client = new pg.Client({ connectionString: url, application_name: 'compute-credit-exchange projector', connectionTimeoutMillis: CONNECT_MILLIS, ...KEEP_ALIVE });
    const projector = new Projector(client, projections);
    giveUpForgotten(client, url);
    await client.connect();
    try {
      await prepareProjections(client, projections);
      const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [LOCK]);
      if (rows[0].locked) {
        // What a crash of Postgres takes from the tables it takes from the position too: it is read again.
        await client.query('set synchronous_commit = off');
        await client.query(`listen ${RESET_CHANNEL}`);
        await projector.load();
        return projector;
      }
      await endSilentHolder(client, silentSeconds);
    } catch (error) {
      await client.end();
      throw error;
    }
    await client.end();
    return undefined;
  }

  /** Last sequence that every projection includes. */
  get sequence(): number {
    return this.cohorts.at(-1)?.sequence ?? 0;
  }

  /** Follows until told to stop. @throws Error when the database fails or another version takes over */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const started = performance.now();
      const worked = await this.step();
      const pause = worked ? started + WRITE_MILLIS - performance.now() : POLL_MILLIS;
      if (pause > 0) await sleep(pause, undefined, { signal, ref: true }).catch(() => undefined);
    }
  }

  /** Follows to the journal's present end. */
  async catchUp(onStep: (sequence: number) => void = () => undefined): Promise<void> {
    while (await this.step()) onStep(this.sequence);
  }

  /** One transaction for each cohort that has something to read. @returns whether there was any */
  async step(): Promise<boolean> {
    if (this.lost !== undefined) throw this.lost;
    if (this.moved) await this.load();
    let worked = false;
    let until = Number.MAX_SAFE_INTEGER;
    for (const cohort of [...this.cohorts]) {
      const rows = await this.journal.after(cohort.sequence, until);
      until = cohort.sequence;
      if (rows.length === 0) continue;
      worked = true;
      this.moved ||= !(await this.advance(cohort, rows));
      if (this.moved) return true;
    }
    this.join();
    return worked;
  }

  async close(): Promise<void> {
    await this.client.end();
  }

  private async load(): Promise<void> {
    this.moved = false;
    await prepareProjections(this.client, this.projections);
    const positions = new Map((await readPositions(this.client)).map((position) => [position.name, position]));
    this.cohorts = this.projections.map((projection) => {
      const { sequence, engineTime } = positions.get(projection.name) ?? { sequence: 0, engineTime: 0 };
      return { sequence, engineTime, members: [projection] };
    });
    this.writers.clear();
    for (const projection of this.projections) this.writers.set(projection.name, projection.open());
    this.join();
  }

  /** Makes one cohort of those that have met. */
  private join(): void {
    const bySequence = new Map<number, Cohort>();
    for (const cohort of this.cohorts) {
      const met = bySequence.get(cohort.sequence);
      if (met === undefined) bySequence.set(cohort.sequence, cohort);
      else met.members.push(...cohort.members);
    }
    this.cohorts = [...bySequence.values()].sort((a, b) => b.sequence - a.sequence);
  }

  /** Position and rows in one transaction. @returns false when the position was not what it was thought to be */
  private async advance(cohort: Cohort, rows: readonly JournalEvents[]): Promise<boolean> {
    const { client } = this;
    const last = rows[rows.length - 1];
    const writers = cohort.members.map(({ name }) => this.writers.get(name) as ProjectionWriter);
    await client.query('begin');
    try {
      if (!(await movePositions(client, cohort.members, cohort.sequence, { sequence: last.lastSequence, engineTime: last.engineTime }))) {
        await client.query('rollback');
        return false;
      }
      let { sequence, engineTime } = cohort;
      for (const row of rows) {
        if (row.firstSequence !== sequence + 1) throw new Error(`the journal goes on at ${row.firstSequence} after ${sequence}: what lies between is archived (npm run journal -- restore --from FOLDER puts it back)`);
        for (const command of commandsOf(row.events, engineTime)) for (const writer of writers) writer.apply(command);
        ({ lastSequence: sequence, engineTime } = row);
      }
      for (const writer of writers) await writer.write(client);
      await client.query('commit');
      cohort.sequence = sequence;
      cohort.engineTime = engineTime;
      return true;
    } catch (error) {
      await this.abandon();
      throw error;
    }
  }

  /** What the writers remember was not written. */
  private async abandon(): Promise<void> {
    await this.client.query('rollback').catch(() => undefined);
    this.cohorts = [];
    this.lost ??= new Error('a transaction of the projections failed');
  }
}

/** The process of a leader that was replaced may stand still with a session that lives, a transaction open in it. What it wrote is undone. */
async function endSilentHolder(client: Client, seconds: number): Promise<void> {
  await client.query(
    `select pg_terminate_backend(pid) from pg_locks join pg_stat_activity using (pid)
     where locktype = 'advisory' and classid = 0 and objid = $1 and granted and pg_locks.database = (select oid from pg_database where datname = current_database())
       and wait_event = 'ClientRead' and greatest(state_change, query_start) < clock_timestamp() - make_interval(secs => $2)`,
    [LOCK, seconds],
  );
}
