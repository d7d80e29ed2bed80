/** Paths to screens. Every screen is a chunk of its own, loaded when it is first shown. */
import type { Component } from 'svelte';

export interface Route {
  path: RegExp;
  title: string;
  load: () => Promise<{ default: Component<Record<string, never>> }>;
}

/** Pages the server itself answers; links to them leave the app. */
const SERVER_PATHS = /^\/(api|v1|docs|openapi\.json|metrics|healthz|readyz|socket\.io)(\/|$)/;

class Router {
  #path = $state.raw(location.pathname);
  #search = $state.raw(location.search);

  constructor() {
    addEventListener('popstate', () => this.#read());
    document.addEventListener('click', (event) => this.#onClick(event));
  }

  get path(): string {
    return this.#path;
  }

  /** As in the address: `?next=%2Ftrade`, or ''. */
  get search(): string {
    return this.#search;
  }

  go(to: string): void {
    history.pushState(null, '', to);
    this.#read();
    scrollTo(0, 0);
  }

  /** Changes the address without a step in the history. */
  replace(to: string): void {
    history.replaceState(null, '', to);
    this.#read();
  }

  #read(): void {
    this.#path = location.pathname;
    this.#search = location.search;
  }

  #onClick(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (link === null || link.origin !== location.origin || link.target !== '' || link.hasAttribute('download')) return;
    if (SERVER_PATHS.test(link.pathname) || link.getAttribute('href')?.startsWith('#')) return;
    event.preventDefault();
    this.go(link.pathname + link.search);
  }
}

export const router = new Router();
