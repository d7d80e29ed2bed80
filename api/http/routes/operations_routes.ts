/** What those who run the server and those who write clients ask it about itself. */
import { z } from 'zod';
import type { Services } from '../../services.ts';
import { docsPage } from '../docs_page.ts';
import type { Metrics } from '../middleware/metrics.ts';
import { openApiDocument } from '../openapi.ts';
import { route } from '../route.ts';
import type { Reply, Route } from '../route.ts';

const READY_MILLIS = 1_000;
const readiness = z.object({ status: z.enum(['ready', 'unavailable']), problems: z.array(z.string()) });

/** @param described every route of the app but these, for the documents */
export function operationsRoutes(described: readonly Route[], metrics: Metrics, version: string): Route[] {
  const all = (): Route[] => [...described, ...own];
  let document: string | undefined;
  let page: string | undefined;
  /** One look for all who ask meanwhile. */
  let looking: Promise<string[]> | undefined;
  const own = [
    route({
      method: 'get', path: '/healthz', uncounted: true, operationId: 'getHealth', summary: 'Whether the process lives', tag: 'operations', scope: 'public',
      responses: { 200: { description: 'It does.', schema: z.object({ status: z.literal('ok') }) } },
      handle: () => Promise.resolve({ status: 200, body: { status: 'ok' } }),
    }),
    route({
      method: 'get', path: '/readyz', uncounted: true, operationId: 'getReadiness', summary: 'Whether the market takes commands', tag: 'operations', scope: 'public',
      responses: { 200: { description: 'It does.', schema: readiness }, 503: { description: 'Not at the moment.', schema: readiness } },
      handle: async ({ services }) => ready(await (looking ??= unreadyParts(services).finally(() => (looking = undefined)))),
    }),
    route({
      method: 'get', path: '/metrics', operationId: 'getMetrics', summary: 'Counters in the format of Prometheus', tag: 'operations', scope: 'public',
      responses: { 200: { description: 'Counters.', schema: z.string(), contentType: 'text/plain' } },
      handle: async () => text(metrics.contentType, await metrics.text()),
    }),
    route({
      method: 'get', path: '/openapi.json', operationId: 'getOpenApi', summary: 'This interface, for programs', tag: 'operations', scope: 'public',
      responses: { 200: { description: 'An OpenAPI 3.1 document.', schema: z.record(z.string(), z.unknown()) } },
      handle: () => Promise.resolve(text('application/json', (document ??= JSON.stringify(openApiDocument(all(), version))))),
    }),
    route({
      method: 'get', path: '/docs', operationId: 'getDocs', summary: 'This interface, for people', tag: 'operations', scope: 'public',
      responses: { 200: { description: 'A page.', schema: z.string(), contentType: 'text/html' } },
      handle: () => Promise.resolve(text('text/html; charset=utf-8', (page ??= docsPage(all(), version)))),
    }),
  ];
  return own;
}

const text = (type: string, body: string): Reply => ({ status: 200, headers: { 'content-type': type }, body });

const ready = (problems: string[]): Reply => ({
  status: problems.length > 0 ? 503 : 200,
  headers: problems.length > 0 ? { 'retry-after': '1' } : {},
  body: { status: problems.length > 0 ? 'unavailable' : 'ready', problems },
});

async function unreadyParts(services: Services): Promise<string[]> {
  const parts: [string, Promise<unknown>][] = [
    ['database', Promise.resolve(services.database.raw('select 1'))],
    ['sequencer', services.sequencer.status()],
  ];
  const answers = await Promise.all(parts.map(async ([name, part]) => ((await inTime(part)) ? '' : name)));
  return answers.filter((name) => name !== '');
}

async function inTime(part: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), READY_MILLIS);
  });
  const done = part.then(() => true, () => false);
  return Promise.race([done, late]).finally(() => clearTimeout(timer));
}
