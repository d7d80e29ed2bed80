import { expect, test } from 'vitest';
import { asGatewayError } from './attempts.ts';
import { UpstreamError } from './endpoint_answer.ts';

test.each([
  ['refused', 'provider_unavailable', 503], ['unreachable', 'provider_unavailable', 503], ['timeout', 'provider_timeout', 504], ['broken', 'provider_error', 502],
] as const)('an endpoint that is %s is told as %s', (fault, code, status) => {
  expect(asGatewayError(new UpstreamError(fault, 'what happened'))).toMatchObject({ code, status });
});
