import { expect, test } from 'vitest';
import { GatewayError } from '../../errors.ts';
import { asGatewayError, sooner } from './attempts.ts';
import { UpstreamError } from './endpoint_answer.ts';

test.each([
  ['refused', 'provider_unavailable', 503], ['unreachable', 'provider_unavailable', 503], ['timeout', 'provider_timeout', 504], ['broken', 'provider_error', 502],
] as const)('an endpoint that is %s is told as %s', (fault, code, status) => {
  expect(asGatewayError(new UpstreamError(fault, 'what happened'))).toMatchObject({ code, status });
});

test('of several endpoints that want to be left alone the client hears of the first that may be asked again', () => {
  const busy = (retryAfterSeconds: number): GatewayError => new GatewayError('capacity_exhausted', { retryAfterSeconds });
  const broken = new GatewayError('provider_error');
  expect([sooner(busy(7), busy(9)), sooner(busy(9), busy(7))].map(({ retryAfterSeconds }) => retryAfterSeconds)).toEqual([7, 7]);
  expect(sooner(busy(7), broken)).toBe(broken);
  expect(sooner(undefined, broken)).toBe(broken);
});
