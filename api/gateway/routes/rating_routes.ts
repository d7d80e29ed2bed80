/** The versions of the ratings: public to read; an operator publishes a new one from what verification has measured. */
import { z } from 'zod';
import { MILLIS_PER_HOUR, formatMicro } from '../../../engine/numbers/units.ts';
import type { Directory } from '../../directory.ts';
import { ApiError } from '../../errors.ts';
import { recordAudit } from '../../http/middleware/audit.ts';
import { principalIn } from '../../http/middleware/caller.ts';
import { once } from '../../http/middleware/idempotency.ts';
import { route } from '../../http/route.ts';
import type { Route } from '../../http/route.ts';
import { formatTime } from '../../http/wire/amounts.ts';
import { pageOfRows } from '../../http/wire/pages.ts';
import { line, pageOf, pageQuery } from '../../http/wire/schemas.ts';
import type { SequencerPort } from '../../sequencer/port.ts';
import { PublishedTable, firstHourAfterNotice, storeVersion } from '../catalogue/rating_book.ts';
import type { PublishedRatings, RatingBook } from '../catalogue/rating_book.ts';
import { FIRST_RATINGS } from '../catalogue/ratings.ts';
import { changesOf, measuredBy, whyUnchanged } from '../catalogue/verification_runs.ts';
import type { Measured, VerificationRuns } from '../catalogue/verification_runs.ts';

const text = z.string();
const count = z.number().int();
const perToken = z.object({ prompt: text.describe('GPU-seconds a token'), completion: text.describe('GPU-seconds a token') });
export const ratingVersionSchema = z.object({
  version: count, status: z.enum(['announced', 'in_force', 'superseded']).describe('For what is bought of the running hour'),
  published_at: text.nullable(), effective_at: text.nullable().describe('The first hour that it rates; what had been sold when it was published keeps its own version'),
  reason: text.nullable(), changes: z.array(perToken.extend({ model: text, class: text, before: perToken })).describe('What is not as in the version before'),
});
const measuredSchema = z.object({
  model: text, class: text, providers: count.describe('Of different owners'), median: text.describe('GPU-seconds a completion token'), rated: text.describe('In the newest version'),
  proposed: text.nullable().describe('What the next version would say; null: no change'),
});
type VersionWire = z.infer<typeof ratingVersionSchema>;

const tokenWire = (prompt: number, completion: number): z.infer<typeof perToken> => ({ prompt: formatMicro(prompt), completion: formatMicro(completion) });

function changesWire({ published, before }: PublishedTable): VersionWire['changes'] {
  return Object.entries(published.changes).flatMap(([model, classes]) => Object.entries(classes).flatMap(([name, [prompt, completion]]) => {
    const known = before.of(model).get(name);
    return known === undefined ? [] : [{ model, class: name, ...tokenWire(prompt, completion), before: tokenWire(known.prompt, known.completion) }];
  }));
}

function tableWire(table: PublishedTable, current: number): VersionWire {
  const { version, publishedAt, fromHour, reason } = table.published;
  return { version, status: statusOf(version, current), published_at: formatTime(publishedAt), effective_at: formatTime(fromHour * MILLIS_PER_HOUR), reason, changes: changesWire(table) };
}

const statusOf = (version: number, current: number): VersionWire['status'] => (version === current ? 'in_force' : version > current ? 'announced' : 'superseded');

function versionsWire(ratings: RatingBook, now: number): VersionWire[] {
  const current = ratings.inForce(Math.floor(now / MILLIS_PER_HOUR)).version;
  const { version } = FIRST_RATINGS;
  return [...ratings.published().map((table) => tableWire(table, current)), { version, status: statusOf(version, current), published_at: null, effective_at: null, reason: null, changes: [] }];
}

const measuredWire = ({ median, rated, proposed, ...rest }: Measured): z.infer<typeof measuredSchema> => ({
  ...rest, median: formatMicro(median), rated: formatMicro(rated.completion), proposed: proposed === null ? null : formatMicro(proposed),
});

const ownerIn = (directory: Directory) => (company: number): string => {
  const group = directory.company(company)?.group ?? '';
  return group === '' ? String(company) : `group ${group}`;
};

/** What is sold of an hour and of all after it. */
async function soldFrom(sequencer: SequencerPort, directory: Directory, fromHour: number): Promise<PublishedRatings['sold']> {
  const sold: PublishedRatings['sold'] = [];
  for (const { company } of directory.companies().filter(({ role }) => role === 'borrower')) {
    for (const { allocation, hour } of await sequencer.query('allocations', { company })) if (hour >= fromHour) sold.push([allocation, company, hour]);
  }
  return sold;
}

export function ratingRoutes(ratings: RatingBook, runs: VerificationRuns): Route[] {
  return [
    route({
      method: 'get', path: '/api/v1/ratings', operationId: 'listRatings', summary: 'The versions of the ratings, and what each changed', tag: 'market', scope: 'public', query: z.strictObject(pageQuery),
      responses: { 200: { description: 'Newest first; all ratings of the one in force are with the models.', schema: pageOf(ratingVersionSchema) } },
      handle: ({ services, query }) => {
        const page = pageOfRows(versionsWire(ratings, services.committed.now), query, ({ version }) => [version], (row) => row);
        return Promise.resolve({ status: 200, body: page });
      },
    }),
    route({
      method: 'get', path: '/api/v1/verification-runs', operationId: 'listVerificationRuns', summary: 'What models were found to take on each class, and what the next version of the ratings would say', tag: 'operator',
      scope: 'operate', roles: ['operator'], query: z.strictObject(pageQuery),
      responses: { 200: { description: 'Of the endpoints that are verified, the newest run of each.', schema: pageOf(measuredSchema) } },
      handle: async ({ services, query }) => {
        const measured = measuredBy(await runs.newest(), ratings.newest(), ownerIn(services.directory));
        return { status: 200, body: pageOfRows(measured, query, (row) => [row.model, row.class], measuredWire) };
      },
    }),
    route({
      method: 'post', path: '/api/v1/ratings', operationId: 'publishRatings', summary: 'Publish a new version of the ratings from the medians of the verification runs', tag: 'operator', scope: 'operate', roles: ['operator'],
      body: z.strictObject({ reason: line(500) }),
      responses: { 201: { description: 'It rates hours that begin seven days from now or later, and nothing of them that is sold already.', schema: ratingVersionSchema } },
      async handle(context) {
        const { services, body } = context;
        const { directory, sequencer, committed } = services;
        const reply = await once(context, async (transaction) => {
          await ratings.refresh();
          const before = ratings.newest();
          const measured = measuredBy(await runs.newest(), before, ownerIn(directory));
          const changes = changesOf(measured);
          if (Object.keys(changes).length === 0) throw new ApiError('invalid_state', { because: whyUnchanged(measured) });
          const publishedAt = committed.now;
          const fromHour = firstHourAfterNotice(publishedAt);
          const sold = await soldFrom(sequencer, directory, fromHour);
          const published = { version: before.version + 1, publishedAt, fromHour, reason: body.reason, changes, sold };
          if (!(await storeVersion(transaction, published))) throw new ApiError('invalid_state', { because: 'Another version was published at the same time.' });
          await recordAudit(transaction, { at: publishedAt, actor: principalIn(context), action: 'ratings.publish', target: String(published.version), reason: body.reason });
          return { reply: { status: 201, body: tableWire(new PublishedTable(published, before), before.version) } };
        });
        await ratings.refresh();
        return reply;
      },
    }),
  ];
}
