/** API keys: what one may do, how its text is made, and how a row becomes a record. */
import { createHash, randomBytes } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import type { Role } from '../../engine/vocabulary.ts';

/** Prices in ticks, money in micro-CR; null: no limit. */
export const spotPolicySchema = z.object({
  enabled: z.boolean(),
  maximumPrice: z.number().nullable(),
  classes: z.array(z.string()).nullable(),
  regions: z.array(z.string()).nullable(),
  monthlyLimit: z.number().nullable(),
});
/** What the gateway may buy from the spot book for a key. */
export type SpotPolicy = z.infer<typeof spotPolicySchema>;
export const NO_SPOT: SpotPolicy = { enabled: false, maximumPrice: null, classes: null, regions: null, monthlyLimit: null };

/** What a key asks of the endpoints that serve it; null: nothing. */
export const endpointNeedsSchema = z.object({
  countries: z.array(z.string()).nullable(),
  precisions: z.array(z.string()).nullable(),
  promptRetention: z.array(z.string()).nullable(),
});
export type EndpointNeeds = z.infer<typeof endpointNeedsSchema>;

/** Keys that share a budget. */
export interface Project {
  id: string;
  /** Micro-CR of inference in a calendar month; null: none. */
  monthlyBudget: number | null;
}

/** What a route asks of a key. */
export type Scope = 'public' | 'read' | 'trade' | 'credit' | 'provide' | 'lend' | 'operate' | 'keys' | 'inference' | 'account';

/** Everything known of a key but its text, of which only a digest is kept. */
export interface ApiKey {
  /** `key_...` */
  id: string;
  /** The first key of those that were rotated into this one; its own id where none was. Limits are the whole line's. */
  line: string;
  user: string;
  company: number;
  role: Role;
  name: string;
  /** `ccx_live_` or `ccx_test_`. */
  prefix: string;
  lastFour: string;
  scopes: readonly string[];
  /** null: all. */
  allowedModels: readonly string[] | null;
  /** Addresses and CIDR ranges; null: any. */
  allowedIps: readonly string[] | null;
  /** Milliseconds; null: never. */
  expiresAt: number | null;
  /** Micro-CR of inference in a calendar month (UTC); null: none. */
  monthlyLimit: number | null;
  /** null: no limit of its own. */
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
  spot: SpotPolicy;
  needs: EndpointNeeds | null;
  project: Project | null;
  createdAt: number;
  revokedAt: number | null;
}

export const KEY_PREFIXES = { live: 'ccx_live_', test: 'ccx_test_' } as const;
const KEY_TEXT = /^ccx_(live|test)_[A-Za-z0-9_-]{43}$/;

/** What a test key may do: nothing that moves money or the market. */
export const TEST_SCOPES: readonly Scope[] = ['read', 'inference'];
export const isTestKey = ({ prefix }: Pick<ApiKey, 'prefix'>): boolean => prefix === KEY_PREFIXES.test;

/** What each role's people may do; a key has some of its maker's. */
const SCOPES_OF_ROLE: Record<Role, readonly Scope[]> = {
  borrower: ['read', 'trade', 'credit', 'account', 'keys', 'inference'],
  provider: ['read', 'trade', 'provide', 'account', 'keys'],
  lender: ['read', 'lend', 'account', 'keys'],
  operator: ['read', 'operate', 'lend', 'keys'],
};
export const scopesOf = (role: Role): readonly Scope[] => SCOPES_OF_ROLE[role];

export const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
export const looksLikeKey = (text: string): boolean => KEY_TEXT.test(text);
export const newKeyText = (kind: keyof typeof KEY_PREFIXES): string => KEY_PREFIXES[kind] + randomBytes(32).toString('base64url');
export const newId = (prefix: string): string => `${prefix}_${randomBytes(12).toString('base64url')}`;

/** An IPv4 address that came in through an IPv6 socket is the IPv4 address. */
export function isAddressAllowed(allowed: readonly string[] | null, address: string): boolean {
  if (allowed === null) return true;
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  return allowed.some((entry) => {
    const range = entry.includes('/') ? rangeOf(entry) : single(ipaddr.process(entry));
    return range[0].kind() === parsed.kind() && parsed.match(range);
  });
}
type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];
const single = (address: ipaddr.IPv4 | ipaddr.IPv6): Range => [address, address.kind() === 'ipv4' ? 32 : 128];
/** Bits that an IPv6 address has before the IPv4 address that it maps. */
const MAPPED_BITS = 96;
/** A range of mapped addresses is one of IPv4 addresses. */
function rangeOf(text: string): Range {
  const [address, bits] = ipaddr.parseCIDR(text);
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && bits >= MAPPED_BITS ? [address.toIPv4Address(), bits - MAPPED_BITS] : [address, bits];
}
/** A number with a zero before it means one thing to some and another to others. */
export const isAddressOrRange = (text: string): boolean => !/\/0[0-9]/.test(text) && (ipaddr.isValid(text) || ipaddr.isValidCIDR(text));

export interface KeyRow {
  id: string;
  user_id: string;
  company: number;
  role: Role;
  name: string;
  prefix: string;
  last_four: string;
  hash: Buffer;
  line: string | null;
  scopes: string[];
  allowed_models: string[] | null;
  allowed_ips: string[] | null;
  expires_at: Date | null;
  monthly_limit: string | null;
  requests_per_minute: number | null;
  tokens_per_minute: string | null;
  spot: unknown;
  needs: unknown;
  project_id: string | null;
  /** Of the project; absent where it was not asked for. */
  monthly_budget?: string | null;
  created_at: Date;
  revoked_at: Date | null;
}

export const keyOfRow = (row: KeyRow): ApiKey => ({
  id: row.id,
  line: row.line ?? row.id,
  user: row.user_id,
  company: row.company,
  role: row.role,
  name: row.name,
  prefix: row.prefix,
  lastFour: row.last_four,
  scopes: row.scopes,
  allowedModels: row.allowed_models,
  allowedIps: row.allowed_ips,
  expiresAt: row.expires_at?.getTime() ?? null,
  monthlyLimit: row.monthly_limit === null ? null : Number(row.monthly_limit),
  requestsPerMinute: row.requests_per_minute,
  tokensPerMinute: row.tokens_per_minute === null ? null : Number(row.tokens_per_minute),
  spot: spotPolicySchema.parse(row.spot),
  needs: row.needs == null ? null : endpointNeedsSchema.parse(row.needs),
  project: row.project_id == null ? null : { id: row.project_id, monthlyBudget: row.monthly_budget == null ? null : Number(row.monthly_budget) },
  createdAt: row.created_at.getTime(),
  revokedAt: row.revoked_at?.getTime() ?? null,
});
