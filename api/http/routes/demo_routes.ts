/** The demo market's companies, for the login page. */
import { z } from 'zod';
import { readDemoFile } from '../../demo/accounts.ts';
import { ApiError } from '../../errors.ts';
import { route } from '../route.ts';
import type { Route } from '../route.ts';

const LOGINS = [
  { name: 'borrower', role: 'borrower' },
  { name: 'provider', role: 'provider' },
  { name: 'lender', role: 'lender' },
  { name: 'operator', role: 'operator' },
  { name: 'operator_2', role: 'operator' },
] as const;

const loginSchema = z.object({ name: z.enum(LOGINS.map(({ name }) => name)), role: z.enum(LOGINS.map(({ role }) => role)), email: z.string(), password: z.string() });

/** Only where DEMO=1: these accounts belong to everybody. Their keys stay in demo.json. */
const listDemoLogins = route({
  method: 'get', path: '/api/v1/demo', operationId: 'listDemoLogins', summary: 'Logins of the demo market; not found outside demo mode', tag: 'account', scope: 'public',
  responses: { 200: { description: 'One row for each company that anybody may enter as.', schema: z.object({ data: z.array(loginSchema), next_cursor: z.null() }) } },
  async handle({ services: { config } }) {
    const file = config.demo ? await readDemoFile(config.dataDir) : undefined;
    if (file === undefined) throw new ApiError('not_found');
    const data = LOGINS.map(({ name, role }) => ({ name, role, email: file[name].email, password: file[name].password }));
    return { status: 200, body: { data, next_cursor: null } };
  },
});

export const demoRoutes: Route[] = [listDemoLogins];
