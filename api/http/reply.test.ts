import { describe, expect, test } from 'vitest';
import { publicError } from './reply.ts';

const withCode = (code: string): Error => Object.assign(new Error('what only the log may tell'), { code });

describe('an error as a client may see it', () => {
  test('is one that passes where the database is away, however its connection tells', () => {
    for (const code of ['08006', '53100', '53300', '57P01', '57P03', '58030', '25006', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT']) expect(publicError(withCode(code)).status).toBe(503);
    for (const message of ['Connection terminated unexpectedly', 'Client has encountered a connection error and is not queryable', 'Client was closed and is not queryable', 'timeout exceeded when trying to connect', 'timeout expired', 'Query read timeout']) {
      expect(publicError(new Error(message)).status).toBe(503);
      // As Knex tells of it.
      expect(publicError(new Error(`select * from "orders" where "id" = $1 - ${message}`)).status).toBe(503);
    }
    expect(publicError(new Error('Knex: Timeout acquiring a connection. The pool is probably full. Are you missing a .transacting(trx) call?')).status).toBe(503);
    for (const code of ['ERR_STREAM_DESTROYED', 'ERR_SOCKET_CLOSED']) expect(publicError(withCode(code)).status).toBe(503);
    for (const severity of ['FATAL', 'PANIC']) expect(publicError(Object.assign(withCode('XX000'), { severity })).status).toBe(503);
  });

  test('is ours where nothing passes', () => {
    for (const error of [withCode('23505'), withCode('42P01'), Object.assign(withCode('XX000'), { severity: 'ERROR' }), new Error('Client of another kind'), Object.assign(withCode('22P02'), { message: 'select $1::int - invalid input: "x - Connection terminated unexpectedly"' }), new TypeError('x is undefined')]) expect(publicError(error).status).toBe(500);
  });
});
