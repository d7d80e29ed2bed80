/**
 * Every reason for which the engine refuses a command, in order of precedence: of several that
 * apply, the client sees the one that stands first. The order of the first group is the contract's.
 */
export const REJECT_CODES = [
  // Orders, in the contract's order of precedence.
  'halted',
  'cancel_only',
  'instrument_unknown',
  'gate_closed',
  'invalid_tick',
  'invalid_step',
  'amount_out_of_range',
  'not_authorized',
  'facility_frozen',
  'facility_not_active',
  'past_due',
  'price_band',
  'above_list_price',
  'too_many_orders',
  'rate_limited',
  'duplicate_client_order_id',
  'day_notional',
  'insufficient_credits',
  'insufficient_capacity',
  'bond_insufficient',
  'concentration',
  'exposure',
  'post_only_would_cross',
  'self_trade',
  'minimum_quantity',
  // Everything else a command may run into.
  'unknown_order',
  'unknown_company',
  'unknown_facility',
  'unknown_lot',
  'unknown_allocation',
  'invalid_state',
  'invalid_parameter',
  'insufficient_funds',
  'limit_exceeded',
  'draws_stopped',
  'mints_stopped',
  'payouts_stopped',
  'guard_violated',
  'no_mandate',
  'declined',
  'credits_blocked',
  'budget_exhausted',
  'idempotency_mismatch',
  'unknown_mandate',
] as const;

export type RejectCode = (typeof REJECT_CODES)[number];
