import type { Role } from '../../state/index.ts';

const HOMES: Record<Role, string> = { borrower: '/trade', provider: '/provider', lender: '/credit', operator: '/operator' };

/** Where somebody of a role begins the day. */
export const homeOf = (role: Role): string => HOMES[role];
