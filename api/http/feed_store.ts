/** Uploads of companies as they came: who sent them, when, and the bytes, by which a decision can be made again. */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { Knex } from 'knex';
import type { Evidence } from '../../engine/commands.ts';
import { newId } from '../auth/keys.ts';
import { ApiError } from '../errors.ts';
import type { Principal } from '../auth/principal.ts';

export const FEED_KINDS = ['bank', 'usage'] as const;
export type FeedKind = (typeof FEED_KINDS)[number];

export interface FeedRecord {
  id: string;
  number: number;
  company: number;
  member: string;
  kind: FeedKind;
  sha256: string;
  bytes: number;
  lines: number;
  errors: number;
  receivedAt: number;
}
interface Row {
  id: string;
  number: string;
  company: number;
  member: string;
  kind: FeedKind;
  sha256: string;
  bytes: number;
  lines: number;
  errors: number;
  received_at: string;
  content: Buffer;
}

/** Files of one company. */
const KEPT_MAX = 500;

const COLUMNS = ['id', 'number', 'company', 'member', 'kind', 'sha256', 'bytes', 'lines', 'errors', 'received_at'] as const;

const recordOf = ({ received_at: receivedAt, number, ...row }: Omit<Row, 'content'>): FeedRecord => ({ ...row, number: Number(number), receivedAt: Number(receivedAt) });

/** Keeps an upload. The same bytes again are the upload that is kept already. */
export async function keepFeed(database: Knex, feed: Pick<FeedRecord, 'company' | 'member' | 'kind' | 'lines' | 'errors' | 'receivedAt'>, text: string): Promise<FeedRecord> {
  const bytes = Buffer.from(text);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const { company, member, kind, lines, errors, receivedAt } = feed;
  const [{ count }] = (await database('feeds').where({ company }).whereNot({ sha256 }).count({ count: '*' })) as { count: string }[];
  if (Number(count) >= KEPT_MAX) throw new ApiError('limit_exceeded');
  const row = { id: newId('fed'), company, member, kind, sha256, bytes: bytes.length, lines, errors, content: await promisify(gzip)(bytes), received_at: receivedAt };
  await database('feeds').insert(row).onConflict(['company', 'kind', 'sha256']).ignore();
  return recordOf((await database('feeds').where({ company, kind, sha256 }).first<Row>(COLUMNS)));
}

export const listFeeds = async (database: Knex, company: number): Promise<FeedRecord[]> =>
  (await database('feeds').where({ company }).select<Row[]>(COLUMNS)).map(recordOf);

/** @throws ApiError not_found when it is not of the reader's company; operators read every company's */
export async function readFeed(database: Knex, { company, role }: Principal, id: string): Promise<{ feed: FeedRecord; text: string }> {
  const found = await database('feeds').where({ id }).first<Row | undefined>([...COLUMNS, 'content']);
  if (found === undefined || (found.company !== company && role !== 'operator')) throw new ApiError('not_found');
  const { content, ...row } = found;
  return { feed: recordOf(row), text: (await promisify(gunzip)(content)).toString() };
}

/** What an application names of its company's uploads. @throws ApiError not_found */
export async function evidenceOf(database: Knex, company: number, ids: readonly string[]): Promise<Evidence[]> {
  if (ids.length === 0) return [];
  const rows = (await database('feeds').where({ company }).whereIn('id', [...ids]).select<Row[]>(['id', 'sha256'])) as Pick<Row, 'id' | 'sha256'>[];
  return ids.map((id) => {
    const row = rows.find((candidate) => candidate.id === id);
    if (row === undefined) throw new ApiError('not_found', { field: 'feeds' });
    return { feed: id, sha256: row.sha256 };
  });
}
