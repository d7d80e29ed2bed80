/** What a panel shows of something that is fetched. Data survives a failed or running refresh, marked stale. */
import type { ApiError } from './errors.ts';

export type Loadable<T> =
  | { status: 'idle' }
  | { status: 'pending'; data?: T }
  | { status: 'success'; data: T }
  | { status: 'error'; error: ApiError; data?: T };

export const IDLE: Loadable<never> = { status: 'idle' };

/** The latest data, also while it is being refreshed or when the refresh failed. */
export const dataOf = <T>(loadable: Loadable<T>): T | undefined => (loadable.status === 'idle' ? undefined : loadable.data);

export const pending = <T>(before: Loadable<T>): Loadable<T> => ({ status: 'pending', data: dataOf(before) });
export const success = <T>(data: T): Loadable<T> => ({ status: 'success', data });
export const failure = <T>(before: Loadable<T>, error: ApiError): Loadable<T> => ({ status: 'error', error, data: dataOf(before) });

/** Data that is shown although its refresh failed. */
export const isStale = (loadable: Loadable<unknown>): boolean => loadable.status === 'error' && loadable.data !== undefined;
