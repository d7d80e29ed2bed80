import { describe, expect, test } from 'vitest';
import { publicError } from './reply.ts';

const withCode = (code: string): Error => Object.assign(new Error('what only the log may tell'), { code });

describe('an error as a client may see it', () => {
  test('is one that passes where the database is away, however its connection tells', () => {
    for (const code of ['08006', '53100', '53300', '57P01', '57P03', '58030', '25006', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT']) expect(publicError(withCode(code)).status).toBe(503);
    for (const message of ['Connection terminated unexpectedly', 'Client has encountered a connection error and is not queryable', 'Client was closed and is not queryable', 'timeout exceeded when trying to connect', 'Query read timeout']) {
      expect(publicError(new Error(message)).status).toBe(503);
    }
  });

  test('is ours where nothing passes', () => {
    for (const error of [withCode('23505'), withCode('42P01'), new Error('Client of another kind'), new TypeError('x is undefined')]) expect(publicError(error).status).toBe(500);
  });
});
