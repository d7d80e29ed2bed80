/** docker-compose.yml and Dockerfile against the configuration, the build and the cluster that they rely on. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { ENTRIES, SERVER_ENTRIES } from '../api/cli/build.mjs';
import { REDIS_ARGUMENTS, TOPOLOGY } from '../api/cluster/topology.ts';
import { ConfigError, readConfig } from '../api/config.ts';
import { LOG_SETTINGS, argumentsOf } from '../db/embedded_postgres.ts';

const textOf = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');

const service = z.object({
  image: z.string().optional(),
  build: z.string().optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
  deploy: z.object({ replicas: z.number() }).default({ replicas: 1 }),
});
const composeSchema = z.object({
  services: z.strictObject({ engine: service, standby: service, api: service, postgres: service, redis: service }),
  volumes: z.record(z.string(), z.null()),
});

/** The file as compose sees it: `${NAME:-default}` is replaced in every scalar, which stays text. */
function composeWith(environment: Record<string, string>): z.infer<typeof composeSchema> {
  const interpolate = (text: string) => text.replace(/\$\{([A-Z_]+):-([^}]*)\}/g, (_, name: string, fallback: string) => environment[name] || fallback);
  const document: unknown = parse(textOf('docker-compose.yml'), (_, value: unknown) => (typeof value === 'string' ? interpolate(value) : value), { merge: true });
  return composeSchema.parse(document);
}

const SERVERS = ['engine', 'standby', 'api'] as const;

describe('docker-compose.yml', () => {
  const { services, volumes } = composeWith({});
  const configs = SERVERS.map((name) => readConfig(services[name].environment));

  test('starts the processes of npm run cluster', () => {
    expect(SERVERS.map((name) => ({ name, role: services[name].environment.ROLE, count: services[name].deploy.replicas }))).toEqual(TOPOLOGY);
    expect(services.redis.command).toEqual(['redis-server', ...REDIS_ARGUMENTS]);
    expect(services.postgres.command).toEqual(['postgres', ...argumentsOf(LOG_SETTINGS)]);
  });

  test('gives every process a configuration that it accepts, the same but for its role', () => {
    for (const config of configs) expect(config).toMatchObject({ host: '0.0.0.0', port: 8080, dataDir: '/data', demo: true, production: false, single: false });
    for (const config of configs) expect({ ...config, roles: [] }).toEqual({ ...configs[0], roles: [] });
    expect(services.api.ports).toEqual(['127.0.0.1:8080-8081:8080']);
    expect(configs[0].publicUrl).toBe('http://localhost:8080');
  });

  test('connects them to the database and the Redis that it starts', () => {
    const database = new URL(configs[0].databaseUrl ?? '');
    const { POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB } = services.postgres.environment;
    expect([database.hostname, database.port]).toEqual(['postgres', '5432']);
    expect([database.username, database.password, database.pathname]).toEqual([POSTGRES_USER, POSTGRES_PASSWORD, `/${POSTGRES_DB}`]);
    expect(new URL(configs[0].redisUrl ?? '').hostname).toBe('redis');
    for (const name of ['postgres', 'redis'] as const) {
      expect(services.engine.depends_on[name].condition).toBe('service_healthy');
      expect(services[name].healthcheck?.test[0]).toBe('CMD');
    }
    for (const name of ['standby', 'api'] as const) expect(services[name].depends_on.engine.condition).toBe('service_healthy');
  });

  test('keeps what must survive in volumes that it declares', () => {
    const used = Object.values(services).flatMap((entry) => entry.volumes.map((volume) => volume.split(':')));
    expect(used).toEqual([...SERVERS.map(() => ['server', configs[0].dataDir]), ['postgres', '/var/lib/postgresql']]);
    expect(Object.keys(volumes).sort()).toEqual([...new Set(used.map(([name]) => name))].sort());
  });

  test('runs a market that is not a demo as its comment says', () => {
    const production = { NODE_ENV: 'production', DEMO: '0', POSTGRES_PASSWORD: 'secret', SECRET_KEY: 'ab'.repeat(32) };
    const started = composeWith(production).services;
    for (const name of SERVERS) expect(readConfig(started[name].environment)).toMatchObject({ production: true, demo: false, secretKey: production.SECRET_KEY });
    expect(started.postgres.environment.POSTGRES_PASSWORD).toBe('secret');
    expect(() => readConfig(composeWith({ NODE_ENV: 'production' }).services.api.environment)).toThrow(ConfigError);
  });
});

describe('Dockerfile', () => {
  const lines = textOf('Dockerfile').replace(/\\\n/g, ' ').split('\n');
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));

  test('builds what npm start needs', () => {
    const built = /node api\/cli\/build\.mjs ([a-z_ ]+?) *&&/.exec(lines.join('\n'))?.[1].split(' ');
    expect(built).toEqual([...SERVER_ENTRIES, 'web']);
  });

  test('runs the built server as an ordinary user, listening where compose expects it', () => {
    const command = JSON.parse(last.find((line) => line.startsWith('CMD '))?.slice(4) ?? '') as string[];
    expect(Object.keys(ENTRIES).map((name) => `dist/${name}.js`)).toContain(command.at(-1));
    expect(last).toContain('USER node');
    const variables = /^ENV (.*)$/m.exec(last.join('\n'))?.[1].split(' ').map((pair) => pair.split('='));
    expect(readConfig(Object.fromEntries(variables ?? []))).toMatchObject({ host: '0.0.0.0', port: 8080, dataDir: '/data' });
  });

  test('takes nothing of this machine along', () => {
    expect(textOf('.dockerignore').split('\n')).toEqual(expect.arrayContaining(['.git', '.data', '**/node_modules', '**/dist']));
  });
});
