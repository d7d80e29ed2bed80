/** What a process without clients answers: whether it lives, whether it is ready, its counters. */
import type { Metrics } from '../http/middleware/metrics.ts';
import type { Handler } from './front.ts';

export interface OperationsMeans {
  metrics: Pick<Metrics, 'contentType' | 'text'>;
  role: () => string;
  /** Why it is not ready; empty when it is. */
  problems: () => Promise<string[]>;
}

export function operationsApp({ metrics, role, problems }: OperationsMeans): Handler {
  const answer = async (path: string): Promise<{ status: number; type: string; body: string }> => {
    const json = (status: number, body: object) => ({ status, type: 'application/json; charset=utf-8', body: JSON.stringify(body) });
    if (path === '/healthz') return json(200, { status: 'ok', role: role() });
    if (path === '/metrics') return { status: 200, type: metrics.contentType, body: await metrics.text() };
    if (path !== '/readyz') return json(404, { error: { code: 'not_found', message: 'There is nothing here.', request_id: '' } });
    const found = await problems();
    return found.length === 0 ? json(200, { status: 'ready', problems: [], role: role() }) : json(503, { status: 'unavailable', problems: found, role: role() });
  };
  return (request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    answer(path).then(
      ({ status, type, body }) => response.writeHead(status, { 'content-type': type, ...(status === 503 ? { 'retry-after': '1' } : {}) }).end(body),
      () => response.writeHead(500).end(),
    );
  };
}
