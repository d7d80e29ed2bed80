/** Who calls a route that is not public. */
import { ApiError } from '../../errors.ts';
import type { Principal } from '../../auth/principal.ts';

export function principalIn(context: { principal: Principal | undefined }): Principal {
  if (context.principal === undefined) throw new ApiError('unauthenticated');
  return context.principal;
}
