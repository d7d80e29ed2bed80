/** The demo market's companies, for the login page. */
import { z } from 'zod';
import { readDemoFile } from '../../demo/accounts.ts';
import { CHAT_MODELS } from '../../demo/endpoints.ts';
import { readDemoAddresses } from '../../demo/provider_processes.ts';
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
const endpointSchema = z.object({ url: z.string(), models: z.array(z.string()) }).nullable();

const listDemoLogins = route({
  method: 'get', path: '/api/v1/demo', operationId: 'listDemoLogins', summary: 'Logins of the demo market; not found outside demo mode', tag: 'account', scope: 'public',
  responses: { 200: { description: 'One row for each company that anybody may enter as.', schema: z.object({ data: z.array(loginSchema), next_cursor: z.null(), endpoint: endpointSchema.describe('One that a provider without GPUs may register, to try the market') }) } },
  async handle({ services: { config } }) {
    const file = config.demo ? await readDemoFile(config.dataDir) : undefined;
    if (file === undefined) throw new ApiError('not_found');
    const data = LOGINS.map(({ name, role }) => ({ name, role, email: file[name].email, password: file[name].password }));
    return { status: 200, body: { data, next_cursor: null, endpoint: await endpointToTry(config.dataDir) } };
  },
});

/** The demo's providers answer under any path; the smallest model fits every class. */
async function endpointToTry(dataDir: string): Promise<z.infer<typeof endpointSchema>> {
  const [address] = await readDemoAddresses(dataDir);
  return address === undefined ? null : { url: `http://${address}/yours/v1`, models: [CHAT_MODELS[0]] };
}

export const demoRoutes: Route[] = [listDemoLogins];
