/** Whether a request that carries our cookie was sent by a page of ours. */
import type { IncomingHttpHeaders } from 'node:http';

/** `foreign`: another site sent it. `own`: a browser says that our page did. `unknown`: not a browser, or an old one. */
export type Sender = 'own' | 'foreign' | 'unknown';

export function senderOf(headers: IncomingHttpHeaders): Sender {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return 'foreign';
  const origin = headers.origin;
  if (origin !== undefined) return hostOf(origin) === headers.host?.toLowerCase() ? 'own' : 'foreign';
  return site === 'same-origin' ? 'own' : 'unknown';
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
