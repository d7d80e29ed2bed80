/** docker-compose.yml and Dockerfile against the configuration and the build that they rely on. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { ENTRIES, SERVER_ENTRIES } from '../api/cli/build.mjs';
import { ConfigError, readConfig } from '../api/config.ts';

const textOf = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');

const service = z.object({
  image: z.string().optional(),
  build: z.string().optional(),
  environment: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
});
const composeSchema = z.object({
  services: z.object({ server: service, postgres: service, redis: service }),
  volumes: z.record(z.string(), z.null()),
});

/** The file as compose sees it: `${NAME:-default}` is replaced in every scalar, which stays text. */
function composeWith(environment: Record<string, string>): z.infer<typeof composeSchema> {
  const interpolate = (text: string) => text.replace(/\$\{([A-Z_]+):-([^}]*)\}/g, (_, name: string, fallback: string) => environment[name] || fallback);
  const document: unknown = parse(textOf('docker-compose.yml'), (_, value: unknown) => (typeof value === 'string' ? interpolate(value) : value));
  return composeSchema.parse(document);
}

describe('docker-compose.yml', () => {
  const { services, volumes } = composeWith({});
  const config = readConfig(services.server.environment);

  test('gives the server a configuration that it accepts', () => {
    expect(config).toMatchObject({ host: '0.0.0.0', port: 8080, dataDir: '/data', demo: true, production: false, single: true });
    expect(services.server.ports).toEqual([`127.0.0.1:8080:${config.port}`]);
  });

  test('connects it to the database and the Redis that it starts', () => {
    const database = new URL(config.databaseUrl ?? '');
    const { POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB } = services.postgres.environment;
    expect([database.hostname, database.port]).toEqual(['postgres', '5432']);
    expect([database.username, database.password, database.pathname]).toEqual([POSTGRES_USER, POSTGRES_PASSWORD, `/${POSTGRES_DB}`]);
    expect(new URL(config.redisUrl ?? '').hostname).toBe('redis');
    for (const name of ['postgres', 'redis'] as const) {
      expect(services.server.depends_on[name].condition).toBe('service_healthy');
      expect(services[name].healthcheck?.test[0]).toBe('CMD');
    }
  });

  test('keeps what must survive in volumes that it declares', () => {
    const used = Object.values(services).flatMap((entry) => entry.volumes.map((volume) => volume.split(':')));
    expect(used).toEqual([['server', config.dataDir], ['postgres', '/var/lib/postgresql']]);
    expect(Object.keys(volumes).sort()).toEqual(used.map(([name]) => name).sort());
  });

  test('runs a market that is not a demo as its comment says', () => {
    const production = { NODE_ENV: 'production', DEMO: '0', POSTGRES_PASSWORD: 'secret', SECRET_KEY: 'ab'.repeat(32) };
    const started = composeWith(production).services;
    expect(readConfig(started.server.environment)).toMatchObject({ production: true, demo: false, secretKey: production.SECRET_KEY });
    expect(started.postgres.environment.POSTGRES_PASSWORD).toBe('secret');
    expect(() => readConfig(composeWith({ NODE_ENV: 'production' }).services.server.environment)).toThrow(ConfigError);
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
