/** The environment of the process, typed and checked once at start. */
import { resolve } from 'node:path';
import { z } from 'zod';

export const SERVER_ROLES = ['engine', 'standby', 'api', 'gateway'] as const;
export type ServerRole = (typeof SERVER_ROLES)[number];
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

export interface Config {
  host: string;
  /** 0: any free port (tests). */
  port: number;
  /** undefined: the embedded Postgres in `dataDir`. */
  databaseUrl: string | undefined;
  /** undefined: everything in one process. */
  redisUrl: string | undefined;
  /** Absolute. */
  dataDir: string;
  demo: boolean;
  production: boolean;
  /** What this process does; ROLE=all is engine, api and gateway in one. */
  roles: readonly ServerRole[];
  /** True with ROLE=all: nothing is shared with other processes. */
  single: boolean;
  /** `host:port` or CIDR that endpoints may use although not public. */
  endpointAllow: readonly string[];
  clock: 'wall' | 'manual';
  logLevel: (typeof LOG_LEVELS)[number];
  /** Requests a second that one account, or one address without a key, may send. */
  rateLimit: number;
  /** 32 bytes in hex that encrypt stored endpoint credentials; undefined: a file in `dataDir` holds them. */
  secretKey: string | undefined;
  /** Where people outside reach the exchange; undefined: this process's port on localhost. */
  publicUrl: string | undefined;
  /** The demo sends every n-th of the recorded requests; 0: none. */
  demoLoadEvery: number;
  /** The end of the journal at which the market is to go on although it had come further; undefined: it is not to. */
  acceptedJournalEnd: number | undefined;
}

/** A value of the environment that cannot be used; its message is one line for the person at the terminal. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

const flag = z.enum(['0', '1', 'false', 'true'], 'must be 0 or 1').transform((text) => text === '1' || text === 'true');
const url = (schemes: string[]) =>
  z.string().refine((text) => URL.canParse(text) && schemes.includes(new URL(text).protocol), `must be a URL that starts with ${schemes[0]}//`);
const list = z.string().transform((text) => text.split(',').map((part) => part.trim()).filter((part) => part !== ''));
const wholeNumber = (minimum: number, maximum: number) =>
  z.string().regex(/^[0-9]{1,9}$/, 'must be a whole number').transform(Number)
    .refine((value) => value >= minimum && value <= maximum, `must be between ${minimum} and ${maximum}`);
const HOST_PORT = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$/;
const CIDR = /^[0-9a-fA-F:.]+\/[0-9]{1,3}$/;

const environmentSchema = z.object({
  PORT: wholeNumber(0, 65_535).default(8080),
  HOST: z.string().min(1, 'must not be empty').default('127.0.0.1'),
  DATABASE_URL: url(['postgres:', 'postgresql:']).optional(),
  REDIS_URL: url(['redis:', 'rediss:']).optional(),
  DATA_DIR: z.string().min(1, 'must not be empty').default('.data'),
  DEMO: flag.optional(),
  ROLE: list
    .refine((roles) => roles.length > 0 && roles.every((role) => role === 'all' || SERVER_ROLES.includes(role as ServerRole)), `must be all, or a comma list of ${SERVER_ROLES.join(', ')}`)
    .default(['all']),
  ENDPOINT_ALLOW: list.refine((entries) => entries.every((entry) => HOST_PORT.test(entry) || CIDR.test(entry)), 'must be a comma list of host:port or CIDR').default([]),
  CLOCK: z.enum(['wall', 'manual'], 'must be wall or manual').default('wall'),
  LOG_LEVEL: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`).default('info'),
  RATE_LIMIT: wholeNumber(1, 10_000_000).default(20_000),
  SECRET_KEY: z.string().regex(/^[0-9a-fA-F]{64}$/, 'must be 64 hexadecimal digits').optional(),
  PUBLIC_URL: url(['http:', 'https:']).transform((text) => text.replace(/\/+$/, '')).optional(),
  DEMO_LOAD_EVERY: wholeNumber(0, 10_000).default(20),
  ACCEPT_JOURNAL_END: z.string().regex(/^[0-9]{1,15}$/, 'must be a whole number').transform(Number).optional(),
  NODE_ENV: z.string().optional(),
});

/**
 * Reads the process's environment. An empty variable counts as unset.
 * @throws ConfigError naming the first variable that is wrong
 */
export function readConfig(environment: Record<string, string | undefined>): Config {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = environmentSchema.safeParse(given);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ConfigError(`${String(issue.path[0])}: ${issue.message}`);
  }
  const values = parsed.data;
  const production = values.NODE_ENV === 'production';
  if (production) refuseInProduction(values);
  const single = values.ROLE.includes('all');
  if (!single && values.REDIS_URL === undefined) throw new ConfigError('REDIS_URL: is needed when ROLE is not all');
  return {
    host: values.HOST,
    port: values.PORT,
    databaseUrl: values.DATABASE_URL,
    redisUrl: values.REDIS_URL,
    dataDir: resolve(values.DATA_DIR),
    demo: values.DEMO ?? !production,
    production,
    roles: single ? ['engine', 'api', 'gateway'] : SERVER_ROLES.filter((role) => values.ROLE.includes(role)),
    single,
    endpointAllow: values.ENDPOINT_ALLOW,
    clock: values.CLOCK,
    logLevel: values.LOG_LEVEL,
    rateLimit: values.RATE_LIMIT,
    secretKey: values.SECRET_KEY,
    publicUrl: values.PUBLIC_URL,
    demoLoadEvery: values.DEMO_LOAD_EVERY,
    acceptedJournalEnd: values.ACCEPT_JOURNAL_END,
  };
}

/** What would open a hole in a market that holds real money. */
function refuseInProduction(values: { CLOCK: string; ENDPOINT_ALLOW: string[]; DEMO?: boolean }): void {
  if (values.CLOCK === 'manual') throw new ConfigError('CLOCK: manual is refused with NODE_ENV=production');
  if (values.ENDPOINT_ALLOW.length > 0) throw new ConfigError('ENDPOINT_ALLOW: is refused with NODE_ENV=production');
  if (values.DEMO === true) throw new ConfigError('DEMO: 1 is refused with NODE_ENV=production');
}
