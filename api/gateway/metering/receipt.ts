/** `x_ccx` of a completion. Amounts are decimal strings. */
export interface Receipt {
  provider: string;
  endpoint: string;
  allocation_id: string;
  gpu_seconds: string;
  credits_used: string;
  credits_remaining: string;
  /** The endpoint's own figures were missing or not to be believed: these are ours. */
  estimated?: true;
}
