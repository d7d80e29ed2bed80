/** What a market needs before anybody can trade on it: regions, GPU classes with their list prices, models, and who runs it. */
import { randomBytes } from 'node:crypto';
import { listInputs, listPrice } from '../db/seed/list_price.ts';
import { CLASSES, REGIONS } from '../db/seed/offers.ts';
import type { ClassName, Offer } from '../db/seed/offers.ts';
import type { Command } from '../engine/commands.ts';
import type { DirectoryView } from '../engine/queries.ts';
import { NO_SPOT, newId, scopesOf } from './auth/keys.ts';
import { hashPassword } from './auth/passwords.ts';
import { eventOf } from './sequencer/port.ts';
import type { Services } from './services.ts';

/**
 * The commands that list what the market does not have yet; none on a market that has it all.
 * @param models names of the gateway's catalogue
 */
export function foundingCommands(view: DirectoryView, offers: readonly Offer[], models: readonly string[]): Command[] {
  const missing = (names: readonly string[], known: readonly { name: string }[]) => names.filter((name) => !known.some((entry) => entry.name === name));
  return [
    ...missing(REGIONS, view.regions).map((name): Command => ({ type: 'addRegion', name })),
    ...CLASSES.filter(({ name }) => missing([name], view.classes).length > 0).map((gpuClass) => addClass(gpuClass, offers)),
    ...missing(models, view.models).map((name): Command => ({ type: 'addModel', name })),
  ];
}

function addClass({ name, chip, memoryGb, formFactor }: ClassName, offers: readonly Offer[]): Command {
  const inputs = listInputs(offers, name);
  return { type: 'addClass', name, chip, memoryGb, formFactor, listPrice: listPrice(inputs), listInputs: inputs };
}

type Means = Pick<Services, 'auth' | 'database' | 'sequencer'>;

/** An operator's person, with the secrets of one that is new; they are shown once. */
export interface FoundedPerson {
  email: string;
  secrets: { password: string; key: string } | undefined;
}

/** Sends commands one after the other. @throws Error naming the one that was refused */
export async function execute(sequencer: Services['sequencer'], commands: readonly Command[]): Promise<void> {
  for (const command of commands) {
    const rejected = eventOf((await sequencer.submit({ command, idempotencyKey: '', bodyHash: '' })).events, 'rejected');
    if (rejected !== undefined) throw new Error(`${command.type} was refused: ${rejected.code}`);
  }
}

/**
 * The market's operator and its people. What exists is left as it is, so the same call can be made again.
 * @throws Error when another company has one of the emails
 */
export async function foundOperator(services: Means, company: string, emails: readonly string[]): Promise<{ people: FoundedPerson[]; inAll: number }> {
  const operator = await operatorNamed(services.sequencer, company);
  const people: FoundedPerson[] = [];
  for (const email of emails) people.push(await foundPerson(services, operator, email));
  await services.auth.look();
  const inAll = await services.database('users').where({ company: operator }).count({ count: '*' });
  return { people, inAll: Number(inAll[0].count) };
}

async function operatorNamed(sequencer: Services['sequencer'], name: string): Promise<number> {
  const known = async () => (await sequencer.query('directory', {})).companies.find((entry) => entry.name === name && entry.role === 'operator')?.company;
  const before = await known();
  if (before !== undefined) return before;
  await execute(sequencer, [{ type: 'registerCompany', name, role: 'operator', group: '' }]);
  const company = await known();
  if (company === undefined) throw new Error(`${name} was not registered`);
  return company;
}

async function foundPerson({ auth, database }: Means, company: number, email: string): Promise<FoundedPerson> {
  const emailKey = email.trim().toLowerCase();
  const row = (await database('users').where({ email_key: emailKey }).first('company')) as { company: number | null } | undefined;
  if (row !== undefined && row.company !== company) throw new Error(`${email} belongs to another company`);
  if (row !== undefined) return { email, secrets: undefined };
  const password = randomBytes(15).toString('base64url');
  const user = newId('usr');
  await database('users').insert({ id: user, email: email.trim(), email_key: emailKey, password_hash: await hashPassword(password), company, role: 'operator' });
  const key = { name: 'bootstrap', scopes: scopesOf('operator'), allowedModels: null, allowedIps: null, expiresAt: null, monthlyLimit: null, spot: NO_SPOT };
  const { text } = await database.transaction((transaction) => auth.createKey(transaction, { user, company }, key));
  return { email, secrets: { password, key: text } };
}
