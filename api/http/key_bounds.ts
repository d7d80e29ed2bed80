/** A key that makes or rotates keys gives them no more than it has itself. */
import type { ApiKey } from '../auth/keys.ts';
import { ApiError } from '../errors.ts';
import { findModel } from '../gateway/catalogue/catalogue.ts';

export type Bounds = Pick<ApiKey, 'allowedModels' | 'allowedIps' | 'expiresAt' | 'monthlyLimit' | 'requestsPerMinute' | 'tokensPerMinute' | 'needs'> & { project: { id: string } | null };

const modelOf = (name: string): string => findModel(name)?.id ?? name;
const isAmong = (made: readonly string[] | null, own: readonly string[] | null): boolean => own === null || (made !== null && made.every((name) => own.includes(name)));
const isAtMost = (made: number | null, own: number | null): boolean => own === null || (made !== null && made <= own);

/** Each bound, and whether what is made keeps it. */
const KEPT: readonly [field: string, isKept: (made: Bounds, own: Bounds) => boolean][] = [
  ['allowed_models', (made, own) => isAmong(made.allowedModels?.map(modelOf) ?? null, own.allowedModels?.map(modelOf) ?? null)],
  ['allowed_ips', (made, own) => isAmong(made.allowedIps, own.allowedIps)],
  ['expires_at', (made, own) => isAtMost(made.expiresAt, own.expiresAt)],
  ['monthly_limit', (made, own) => isAtMost(made.monthlyLimit, own.monthlyLimit)],
  ['requests_per_minute', (made, own) => isAtMost(made.requestsPerMinute, own.requestsPerMinute)],
  ['tokens_per_minute', (made, own) => isAtMost(made.tokensPerMinute, own.tokensPerMinute)],
  ['project', (made, own) => own.project === null || made.project?.id === own.project.id],
  ['endpoint', (made, own) => own.needs === null || JSON.stringify(made.needs) === JSON.stringify(own.needs)],
];

/** @throws ApiError naming the first bound that would be passed */
export function requireWithin(made: Bounds, own: Bounds | undefined): void {
  if (own === undefined) return;
  const passed = KEPT.find(([, isKept]) => !isKept(made, own));
  if (passed !== undefined) throw new ApiError('invalid_request', { field: passed[0], values: { detail: `${passed[0]}: goes beyond the key that is used` } });
}

/** What is not said is as of the key that is used. @throws ApiError */
export function boundBy<T extends Bounds>(made: T, own: Bounds | undefined): T {
  if (own === undefined) return made;
  const bound = {
    ...made, allowedModels: made.allowedModels ?? own.allowedModels, allowedIps: made.allowedIps ?? own.allowedIps, expiresAt: made.expiresAt ?? own.expiresAt,
    monthlyLimit: made.monthlyLimit ?? own.monthlyLimit, requestsPerMinute: made.requestsPerMinute ?? own.requestsPerMinute, tokensPerMinute: made.tokensPerMinute ?? own.tokensPerMinute,
    project: made.project ?? (own.project === null ? null : { id: own.project.id }), needs: made.needs ?? own.needs,
  };
  requireWithin(bound, own);
  return bound;
}
