import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { ConfigError, readConfig } from './config.ts';

test('an empty environment runs everything here, with a demo', () => {
  expect(readConfig({})).toMatchObject({
    host: '127.0.0.1', port: 8080, databaseUrl: undefined, redisUrl: undefined, dataDir: resolve('.data'), demo: true, production: false,
    roles: ['engine', 'api', 'gateway'], single: true, endpointAllow: [], clock: 'wall', logLevel: 'info', secretKey: undefined,
  });
});

test('in production there is no demo', () => {
  expect(readConfig({ NODE_ENV: 'production' })).toMatchObject({ demo: false, production: true });
});

test('reads what is given, and takes an empty variable for none', () => {
  const config = readConfig({
    PORT: '0', HOST: '0.0.0.0', DATABASE_URL: 'postgres://u:p@db/x', REDIS_URL: 'redis://cache', ROLE: 'gateway, api', ENDPOINT_ALLOW: 'localhost:8001,10.0.0.0/8,[::1]:80', CLOCK: '',
  });
  expect(config).toMatchObject({
    port: 0, host: '0.0.0.0', databaseUrl: 'postgres://u:p@db/x', redisUrl: 'redis://cache', roles: ['api', 'gateway'], single: false,
    endpointAllow: ['localhost:8001', '10.0.0.0/8', '[::1]:80'], clock: 'wall',
  });
});

test.each([
  [{ PORT: '80x' }, /^PORT: must be a whole number$/],
  [{ PORT: '70000' }, /^PORT: must be between 0 and 65535$/],
  [{ DATABASE_URL: 'mysql://x' }, /^DATABASE_URL: must be a URL that starts with postgres:/],
  [{ REDIS_URL: 'localhost:6379' }, /^REDIS_URL: must be a URL/],
  [{ DEMO: 'yes' }, /^DEMO: must be 0 or 1$/],
  [{ ROLE: 'leader' }, /^ROLE: must be all, or a comma list of engine, standby, api, gateway$/],
  [{ ROLE: 'api' }, /^REDIS_URL: is needed when ROLE is not all$/],
  [{ ENDPOINT_ALLOW: 'everything' }, /^ENDPOINT_ALLOW: must be a comma list of host:port or CIDR$/],
  [{ CLOCK: 'sun' }, /^CLOCK: must be wall or manual$/],
  [{ LOG_LEVEL: 'loud' }, /^LOG_LEVEL: must be one of /],
  [{ SECRET_KEY: 'abc' }, /^SECRET_KEY: must be 64 hexadecimal digits$/],
  [{ NODE_ENV: 'production', CLOCK: 'manual' }, /^CLOCK: manual is refused with NODE_ENV=production$/],
  [{ NODE_ENV: 'production', ENDPOINT_ALLOW: '10.0.0.0/8' }, /^ENDPOINT_ALLOW: is refused with NODE_ENV=production$/],
  [{ NODE_ENV: 'production', DEMO: '1' }, /^DEMO: 1 is refused with NODE_ENV=production$/],
])('refuses %o in one line', (environment, message) => {
  expect(() => readConfig(environment)).toThrow(ConfigError);
  expect(() => readConfig(environment)).toThrow(message);
});
