import type { Route } from './ui/router.svelte.ts';

const ROUTES: readonly Route[] = [
  { path: /^\/(?:trade(?:\/[^/]+)?)?$/, title: 'Trade', load: () => import('./screens/trade/TradeScreen.svelte') },
  { path: /^\/provide(?:r)?$/, title: 'Provide', load: () => import('./screens/provider/ProviderScreen.svelte') },
  { path: /^\/credit$/, title: 'Credit', load: () => import('./screens/credit/CreditScreen.svelte') },
  { path: /^\/develop(?:ers)?$/, title: 'Develop', load: () => import('./screens/developers/DevelopersScreen.svelte') },
  { path: /^\/operat(?:e|or)$/, title: 'Operate', load: () => import('./screens/operator/OperatorScreen.svelte') },
  { path: /^\/login$/, title: 'Log in', load: () => import('./screens/account/LoginScreen.svelte') },
  { path: /^\/register$/, title: 'Open an account', load: () => import('./screens/account/RegisterScreen.svelte') },
];

const loaded = new Map<Route, ReturnType<Route['load']>>();

/** The screen of a route: one promise for each, so that a change within its address does not show it anew. A failed load is tried again. */
export function screenOf(route: Route): ReturnType<Route['load']> {
  const known = loaded.get(route);
  if (known !== undefined) return known;
  const screen = route.load();
  loaded.set(route, screen);
  screen.catch(() => loaded.delete(route));
  return screen;
}

export const routeOf = (path: string): Route | undefined => ROUTES.find((route) => route.path.test(path));
