/**
 * `npm run bootstrap -- --company NAME --email A --email B`: makes a new market usable without the demo.
 * Lists regions, GPU classes with their list prices and models, and registers the operator with its
 * people. Run again it adds what is missing and changes nothing else. The server must not be running.
 */
import { pino } from 'pino';
import { openDatabase } from '../../db/database.ts';
import { migrate } from '../../db/migrate.ts';
import { openPostgres } from '../../db/postgres.ts';
import { publishedOffers } from '../../db/queries/published_offers.ts';
import { Auth } from '../auth/auth.ts';
import { readConfig } from '../config.ts';
import { execute, foundOperator, foundingCommands } from '../founding.ts';
import { MODELS } from '../gateway/catalogue/catalogue.ts';
import { startSequencer } from '../sequencer/start.ts';
import { UsageError, exitCodeOf, readArguments } from './arguments.ts';

const USAGE = 'usage: npm run bootstrap -- --company NAME --email FIRST --email SECOND';
const EMAIL = /^[^\s@]+@[^\s@]+$/;
const LEAD_WAIT_MILLIS = 2_000;

type Founded = Awaited<ReturnType<typeof foundOperator>>;

interface Wanted {
  company: string;
  emails: readonly string[];
}

function wanted(): Wanted {
  const { values } = readArguments(USAGE, { options: { company: { type: 'string' }, email: { type: 'string', multiple: true } } });
  const company = values.company?.trim() ?? '';
  const emails = values.email ?? [];
  if (company === '' || emails.length === 0) throw new UsageError(USAGE);
  const wrong = emails.find((email) => !EMAIL.test(email));
  if (wrong !== undefined) throw new UsageError(USAGE, `${JSON.stringify(wrong)} is not an email address`);
  return { company, emails };
}

async function main(): Promise<number> {
  const { company, emails } = wanted();
  const config = readConfig(process.env);
  const say = (line: string): void => console.error(line);
  const postgres = await openPostgres({ databaseUrl: config.databaseUrl, dataDir: config.dataDir, say });
  const database = openDatabase(postgres.url);
  try {
    await migrate(database);
    report(company, await found(postgres.url, database, { company, emails }));
    return 0;
  } finally {
    await database.destroy();
    if (postgres.started) await postgres.stop({ onlyIfIdle: true });
  }
}

async function found(url: string, database: ReturnType<typeof openDatabase>, { company, emails }: Wanted): Promise<Founded> {
  const { clock } = readConfig(process.env);
  const sequencer = await startSequencer({ url: () => url, clock, leadWaitMillis: LEAD_WAIT_MILLIS, onFatal: (error) => console.error(error.message) });
  const auth = new Auth(database, pino({ level: 'silent' }), () => Date.now());
  await auth.start();
  try {
    const view = await sequencer.query('directory', {});
    await execute(sequencer, foundingCommands(view, await publishedOffers(database), MODELS.map(({ id }) => id)));
    return await foundOperator({ auth, database, sequencer }, company, emails);
  } finally {
    await auth.close();
    await sequencer.close();
  }
}

function report(company: string, { people, inAll }: Founded): void {
  console.log(`operator ${company}`);
  for (const { email, secrets } of people) console.log(secrets === undefined ? `  ${email}  is there already` : `  ${email}  password ${secrets.password}  key ${secrets.key}`);
  if (inAll < 2) console.log('  what loosens a protection takes two people: run this again with a second --email');
  console.log('everybody else registers at POST /api/v1/auth/register; start the market with: DEMO=0 npm start');
}

process.exitCode = await exitCodeOf(main);
