/**
 * Opens the demo market with the commands anybody would send: classes, regions, models, companies,
 * capacity, bonds, credit and one financed borrower. Every step looks at what is there and adds what
 * is missing, so a start after an interrupted start ends in the same place, and a start on a seeded
 * market sends nothing.
 */
import { OFFERS, PROVIDERS } from '../../db/seed/offers.ts';
import { LOAN_RULES } from '../../engine/vocabulary.ts';
import type { Command, FacilityApplication } from '../../engine/commands.ts';
import type { CompanyId, Role } from '../../engine/vocabulary.ts';
import type { DirectoryView } from '../../engine/queries.ts';
import { MICRO } from '../../engine/numbers/units.ts';
import type { Micro } from '../../engine/numbers/units.ts';
import { foundingCommands } from '../founding.ts';
import { eventOf } from '../sequencer/port.ts';
import type { Ack, SequencerPort } from '../sequencer/port.ts';
import { BIDDERS, LOAD_COMPANY, offeredMarkets } from './plan.ts';

/** Far more than the bots can sell in any hour; a rule that is never reached by quotes is still in force. */
export const DEMO_GPUS = 20_000;
const BOND: Micro = 1_000_000 * MICRO;
const DEMO_PROVIDER_CASH: Micro = 1_000_000 * MICRO;
const DEMO_PROVIDER_BOND: Micro = 250_000 * MICRO;
const MANDATE: Micro = 10_000_000 * MICRO;
const MANDATE_PER_BORROWER: Micro = 5_000_000 * MICRO;
const MANDATE_RATE = 80_000;
const COMMITMENT: Micro = 1_000_000 * MICRO;
const FIRST_DRAW: Micro = 400_000 * MICRO;
const FACILITY_MONTHS = 12;
const CREDIT_LOW: Micro = 200_000 * MICRO;
const TOP_UP: Micro = 500_000 * MICRO;

/** The accounts with logins. */
export const DEMO_COMPANIES = {
  borrower: 'Demo Borrower',
  provider: 'Demo Provider',
  lender: 'Demo Lender',
  operator: 'Demo Operator',
} as const satisfies Record<Role, string>;

const APPLICATION: FacilityApplication = {
  cash: 6_000_000 * MICRO, monthlyBurn: 150_000 * MICRO, monthlyRevenue: 250_000 * MICRO, cashTrend3m: -30_000, revenueGrowth: 900_000,
  grossMargin: 650_000, computeShare: 350_000, forecastError: 100_000, topCustomer: 150_000, pastDaysOverdue: 0,
};

export interface SeededMarket {
  /** Of the role's demo account. */
  accounts: Record<Role, CompanyId>;
  /** By provider id of the offers. */
  providers: ReadonlyMap<string, CompanyId>;
  bidders: readonly CompanyId[];
  load: CompanyId;
}

export class DemoRefused extends Error {
  constructor(command: Command, code: string) {
    super(`the demo's ${command.type} was refused: ${code}`);
    this.name = 'DemoRefused';
  }
}

/** @throws DemoRefused, Unavailable */
export async function submit(sequencer: SequencerPort, command: Command): Promise<Ack> {
  const ack = await sequencer.submit({ command, idempotencyKey: '', bodyHash: '' });
  const rejected = eventOf(ack.events, 'rejected');
  if (rejected !== undefined) throw new DemoRefused(command, rejected.code);
  return ack;
}

/** @param models names of the gateway's catalogue */
export async function seedMarket(sequencer: SequencerPort, models: readonly string[]): Promise<SeededMarket> {
  await seedNames(sequencer, models);
  const market = await seedCompanies(sequencer);
  await seedCapacity(sequencer, market);
  await Promise.all([...market.providers.values()].map((company) => ensureBond(sequencer, company, BOND, BOND)));
  await Promise.all([...market.bidders, market.load].map((company) => ensureCredit(sequencer, company)));
  await ensureBond(sequencer, market.accounts.provider, DEMO_PROVIDER_BOND, DEMO_PROVIDER_CASH);
  await ensureMandate(sequencer, market.accounts.lender);
  await ensureFacility(sequencer, market.accounts.borrower);
  return market;
}

const directoryOf = (sequencer: SequencerPort): Promise<DirectoryView> => sequencer.query('directory', {});

async function seedNames(sequencer: SequencerPort, models: readonly string[]): Promise<void> {
  const commands = foundingCommands(await directoryOf(sequencer), OFFERS, models);
  await Promise.all(commands.map((command) => submit(sequencer, command)));
}

/** The first company of a name and role is the demo's: it was registered before anybody could log in. */
async function seedCompanies(sequencer: SequencerPort): Promise<SeededMarket> {
  const wanted: { name: string; role: Role }[] = [
    ...(['operator', 'lender', 'borrower', 'provider'] as const).map((role) => ({ name: DEMO_COMPANIES[role], role })),
    ...PROVIDERS.map(({ name }) => ({ name, role: 'provider' as const })),
    ...[...BIDDERS, LOAD_COMPANY].map((name) => ({ name, role: 'borrower' as const })),
  ];
  const { companies } = await directoryOf(sequencer);
  const ids = new Map<string, CompanyId>();
  await Promise.all(wanted.map(async ({ name, role }) => {
    const known = companies.find((entry) => entry.name === name && entry.role === role);
    ids.set(name, known?.company ?? (await registerCompany(sequencer, name, role)));
  }));
  const idOf = (name: string): CompanyId => {
    const id = ids.get(name);
    if (id === undefined) throw new Error(`company ${name} is missing`);
    return id;
  };
  const account = (role: Role): CompanyId => idOf(DEMO_COMPANIES[role]);
  return {
    accounts: { borrower: account('borrower'), provider: account('provider'), lender: account('lender'), operator: account('operator') },
    providers: new Map(PROVIDERS.map(({ provider, name }) => [provider, idOf(name)])),
    bidders: BIDDERS.map(idOf),
    load: idOf(LOAD_COMPANY),
  };
}

async function registerCompany(sequencer: SequencerPort, name: string, role: Role): Promise<CompanyId> {
  const ack = await submit(sequencer, { type: 'registerCompany', name, role, group: '' });
  const registered = eventOf(ack.events, 'companyRegistered');
  if (registered === undefined) throw new Error(`company ${name} was not registered`);
  return registered.company;
}

/** Declares only: capacity is verified when its endpoint has answered. */
async function seedCapacity(sequencer: SequencerPort, market: SeededMarket): Promise<void> {
  const { capacities, classes, regions } = await directoryOf(sequencer);
  const numberOf = (entries: readonly { name: string }[]) => (name: string) => entries.findIndex((entry) => entry.name === name);
  const commands = offeredMarkets(numberOf(classes), numberOf(regions)).flatMap(({ provider, market: id }): Command[] => {
    const company = market.providers.get(provider) ?? -1;
    const declared = capacities.some((entry) => entry.company === company && entry.market === id && entry.declared > 0);
    return declared ? [] : [{ type: 'declareCapacity', company, market: id, gpus: DEMO_GPUS }];
  });
  await Promise.all(commands.map((command) => submit(sequencer, command)));
}

/** A provider without a bond deposits `cash` and posts `bond` of it. */
async function ensureBond(sequencer: SequencerPort, company: CompanyId, bond: Micro, cash: Micro): Promise<void> {
  const balances = await sequencer.query('balances', { company });
  if (balances.bond > 0) return;
  if (balances.usd < cash) await submit(sequencer, { type: 'deposit', company, amount: cash - balances.usd, reference: 'demo bond' });
  await submit(sequencer, { type: 'postBond', company, amount: bond });
}

/** Refinances a bot: below a floor of available credit it deposits money and prepays. */
export async function ensureCredit(sequencer: SequencerPort, company: CompanyId): Promise<void> {
  const { available, usd } = await sequencer.query('balances', { company });
  if (available >= CREDIT_LOW) return;
  if (usd < TOP_UP) await submit(sequencer, { type: 'deposit', company, amount: TOP_UP - usd, reference: 'demo credit' });
  await submit(sequencer, { type: 'prepay', company, amount: TOP_UP });
}

async function ensureMandate(sequencer: SequencerPort, company: CompanyId): Promise<void> {
  if ((await sequencer.query('mandates', { company })).length > 0) return;
  await submit(sequencer, {
    type: 'createMandate', bankCovers: true, company, amount: MANDATE, grades: ['A', 'B', 'C'], maximumPerBorrower: MANDATE_PER_BORROWER, minimumAnnualRate: MANDATE_RATE,
  });
}

/** One active facility with one drawn lot. What the borrower did with it since is left as it is. */
async function ensureFacility(sequencer: SequencerPort, company: CompanyId): Promise<void> {
  const facilities = () => sequencer.query('facilities', { company, lender: false });
  if ((await facilities()).length === 0) {
    await submit(sequencer, { type: 'applyFacility', company, amount: COMMITMENT, months: FACILITY_MONTHS, method: 'annuity', application: APPLICATION, loanRules: LOAN_RULES });
  }
  const first = (await facilities()).at(0);
  if (first === undefined) throw new Error('the demo borrower was declined');
  if (first.drawn > 0 || (first.state !== 'offered' && first.state !== 'active')) return;
  if (first.state === 'offered') await submit(sequencer, { type: 'acceptFacility', company, facility: first.facility });
  await submit(sequencer, { type: 'draw', company, facility: first.facility, amount: FIRST_DRAW });
}
