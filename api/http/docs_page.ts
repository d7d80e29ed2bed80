/** The reference of the API as one page of plain HTML: no script, nothing fetched from elsewhere. */
import type { Route } from './route.ts';

const escape = (text: string): string => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

/** The policy names its digest: nothing else may style a page from within it. */
export const DOCS_STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}
code{font:13px ui-monospace,monospace}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #8884;vertical-align:top}
h2{margin-top:2.5rem}.method{font-weight:600;text-transform:uppercase}small{opacity:.75}`;

export function docsPage(routes: readonly Route[], version: string): string {
  const tags = [...new Set(routes.map((route) => route.tag))];
  const sections = tags.map((tag) => section(tag, routes.filter((route) => route.tag === tag)));
  const contents = tags.map((tag) => `<a href="#${escape(tag)}">${escape(tag)}</a>`).join(' · ');
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>API reference</title><style>${DOCS_STYLE}</style></head>
<body><h1>API reference</h1><p>Version ${escape(version)}. The same in a form for programs: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1).</p>
<p>Send a key as <code>Authorization: Bearer KEY</code>. Money, prices and quantities are decimal strings, times RFC 3339 in UTC.
Errors are <code>{"error": {"code", "message", "field"?, "request_id"}}</code>, lists <code>{"data": [...], "next_cursor"}</code>.
A POST that changes state takes an <code>Idempotency-Key</code>.</p><p>${contents}</p>${sections.join('')}</body></html>`;
}

const section = (tag: string, routes: readonly Route[]): string =>
  `<h2 id="${escape(tag)}">${escape(tag)}</h2><table><tr><th>Call</th><th>Does</th><th>Needs</th></tr>${routes.map(row).join('')}</table>`;

function row(route: Route): string {
  const needs = route.scope === 'public' ? 'nothing' : [`scope ${route.scope}`, ...(route.roles ?? [])].join(', ');
  return `<tr><td><span class="method">${route.method}</span> <code>${escape(route.path)}</code></td><td>${escape(route.summary)}</td><td><small>${escape(needs)}</small></td></tr>`;
}
