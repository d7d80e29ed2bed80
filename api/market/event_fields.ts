/** Where the fields of an event stand, for readers that take numbers without decoding the event. */
import { EVENTS, EVENT_KINDS } from '../../engine/events.ts';
import type { EventKind } from '../../engine/events.ts';

/** Offsets from the event's position: `words[at + fieldsOf('fill').price]`. */
export function fieldsOf<K extends EventKind>(kind: K): { readonly [F in keyof (typeof EVENTS)[K] & string]: number } {
  const names = Object.keys(EVENTS[kind]);
  return Object.fromEntries(names.map((name, index) => [name, index + 2])) as { [F in keyof (typeof EVENTS)[K] & string]: number };
}

/** Fields that name a company, by kind of event. */
const COMPANY_FIELDS: ReadonlySet<string> = new Set(['company', 'buyer', 'seller', 'provider', 'lender']);
/** Fields that name something of a company without the company. */
const OWNED_FIELDS: ReadonlySet<string> = new Set(['order', 'lot', 'facility', 'allocation']);

/**
 * Whose account an event may have changed: the offsets of the companies it names; `anyone` when it names
 * only something they own; undefined when it changes nobody's.
 */
export type AccountReach = { offsets: readonly number[] } | 'anyone' | undefined;

const UNCHANGED: ReadonlySet<string> = new Set<EventKind>(['command', 'posted', 'fill', 'orderAccepted', 'orderRested', 'orderReduced', 'orderTriggered', 'orderAmended', 'orderDone', 'companyRegistered']);

/** By kind number. Orders and fills are left out: the view knows their companies. */
export const ACCOUNT_REACH: readonly AccountReach[] = EVENT_KINDS.map((kind) => {
  if (UNCHANGED.has(kind)) return undefined;
  const names = Object.keys(EVENTS[kind]);
  const offsets = names.flatMap((name, index) => (COMPANY_FIELDS.has(name) ? [index + 2] : []));
  if (offsets.length > 0) return { offsets };
  return names.some((name) => OWNED_FIELDS.has(name)) ? 'anyone' : undefined;
});
