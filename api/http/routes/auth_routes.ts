/** Registering, logging in and out, and who one is. */
import { z } from 'zod';
import { ROLES } from '../../../engine/vocabulary.ts';
import { LoginGuard, checkLogin, registerUser } from '../../auth/accounts.ts';
import { scopesOf } from '../../auth/keys.ts';
import { senderOf } from '../../auth/same_site.ts';
import { csrfTokenOf, sessionCookie, sessionTokenOf } from '../../auth/sessions.ts';
import { ApiError } from '../../errors.ts';
import { idOf } from '../../ids.ts';
import type { Services } from '../../services.ts';
import { principalIn } from '../middleware/caller.ts';
import { route } from '../route.ts';
import type { Principal } from '../../auth/principal.ts';
import type { Reply, Route, RouteContext } from '../route.ts';
import { line } from '../wire/schemas.ts';

const tag = 'account';
const email = z.email('must be an email address').max(254);
const password = z.string().min(8, 'must have at least 8 characters').max(200);

const meSchema = z.object({
  id: z.string(),
  email: z.string(),
  company: z.string(),
  company_id: z.string(),
  group: z.string(),
  role: z.enum(ROLES),
  scopes: z.array(z.string()),
  key: z.string().nullable().describe('The key that was used; null with a session'),
  csrf_token: z.string().optional().describe('With a session: to be sent as X-CSRF-Token with every write'),
});

interface Person {
  id: string;
  email: string;
  company: number;
  role: (typeof ROLES)[number];
}

function meWire(services: Services, person: Person, extra: { scopes: readonly string[]; key: string | null; csrfToken?: string }): z.infer<typeof meSchema> {
  const company = services.directory.company(person.company);
  return {
    id: person.id, email: person.email, company: company?.name ?? '', company_id: idOf('company', person.company), group: company?.group ?? '', role: person.role,
    scopes: [...extra.scopes], key: extra.key, ...(extra.csrfToken === undefined ? {} : { csrf_token: extra.csrfToken }),
  };
}

/** A foreign page may neither log a visitor in nor out, nor register one. */
function requireOwnPage(context: Pick<RouteContext<unknown, unknown, unknown>, 'request'>): void {
  if (senderOf(context.request.headers) === 'foreign') throw new ApiError('cross_site');
}

export function authRoutes(): Route[] {
  const guard = new LoginGuard();
  return [register, loginRoute(guard), logout, session, me];
}

const register = route({
  method: 'post', path: '/api/v1/auth/register', operationId: 'register', summary: 'Register a person with a company of its own', tag, scope: 'public',
  body: z.strictObject({
    email, password, company: line(100), role: z.enum(['borrower', 'provider', 'lender'], 'must be borrower, provider or lender'),
    group: line(100).nullish().describe('Beneficial owner; companies of one group never trade with each other'),
  }),
  responses: { 201: { description: 'Registered; log in next.', schema: meSchema } },
  async handle(context) {
    requireOwnPage(context);
    const { services, body } = context;
    const user = await registerUser(services, { ...body, group: body.group ?? '' });
    const wire = meWire(services, user, { scopes: scopesOf(user.role), key: null });
    return { status: 201, body: { ...wire, company: body.company, group: body.group ?? '' } };
  },
});

const loginRoute = (guard: LoginGuard): Route =>
  route({
    method: 'post', path: '/api/v1/auth/login', operationId: 'login', summary: 'Start a session; it comes as a cookie', tag, scope: 'public',
    body: z.strictObject({ email: z.string().max(254).regex(/^\P{Cc}*$/u, 'must be an email address'), password: z.string().max(200) }),
    responses: { 200: { description: 'Logged in.', schema: meSchema } },
    async handle(context) {
      requireOwnPage(context);
      const { services, body, address } = context;
      guard.check(body.email, address);
      const user = await checkLogin(services.database, body.email, body.password).catch((error: unknown) => {
        if (error instanceof ApiError && error.code === 'invalid_credentials') guard.failed(body.email, address);
        throw error;
      });
      guard.succeeded(body.email, address);
      // A session from before the login is never carried over.
      const { token, expiresAt } = await services.auth.sessions.open(user.id, sessionTokenOf(context.request.headers.cookie));
      const wire = meWire(services, user, { scopes: scopesOf(user.role), key: null, csrfToken: csrfTokenOf(token) });
      return { status: 200, headers: { 'set-cookie': sessionCookie(token, expiresAt, services.config.production) }, body: wire };
    },
  });

const logout = route({
  method: 'post', path: '/api/v1/auth/logout', operationId: 'logout', summary: 'End the session', tag, scope: 'public',
  responses: { 204: { description: 'There is no session any more.' } },
  async handle(context): Promise<Reply> {
    requireOwnPage(context);
    const { services, request } = context;
    const token = sessionTokenOf(request.headers.cookie);
    if (token !== undefined) await services.auth.sessions.close(token);
    await services.auth.look();
    return { status: 204, headers: { 'set-cookie': sessionCookie('', 0, services.config.production) } };
  },
});

/** The person behind a caller that was let in. */
async function callerWire({ services, request }: Pick<RouteContext<unknown, unknown, unknown>, 'services' | 'request'>, principal: Principal): Promise<z.infer<typeof meSchema>> {
  const row = await services.database('users').where('id', principal.user).first<{ email: string } | undefined>('email');
  const bySession = principal.key === 'session';
  const token = bySession ? sessionTokenOf(request.headers.cookie) : undefined;
  const person = { id: principal.user, email: row?.email ?? '', company: principal.company, role: principal.role };
  return meWire(services, person, { scopes: principal.scopes, key: bySession ? null : principal.key, csrfToken: token === undefined ? undefined : csrfTokenOf(token) });
}

const me = route({
  method: 'get', path: '/api/v1/me', operationId: 'getMe', summary: 'Who is calling', tag, scope: 'read',
  responses: { 200: { description: 'Person, company, role and scopes.', schema: meSchema } },
  handle: async (context) => ({ status: 200, body: await callerWire(context, principalIn(context)) }),
});

/** A page asks this before anybody has logged in; that is no error, so it is not answered with one. */
const session = route({
  method: 'get', path: '/api/v1/auth/session', operationId: 'getSession', summary: 'Who is logged in with this cookie, or nobody', tag, scope: 'public',
  responses: { 200: { description: 'The person; null without a session that stands.', schema: z.object({ session: meSchema.nullable() }) } },
  async handle(context) {
    const { principal } = context;
    return { status: 200, body: { session: principal?.key === 'session' ? await callerWire(context, principal) : null } };
  },
});
