/** What borrowers, lenders and operators do with loans, and with the prices of money, in a simulated life. */
import { LOAN_RULES, REPAYMENT_MODES } from '../vocabulary.ts';
import type { CompanyId } from '../vocabulary.ts';
import type { Command, FacilityApplication, FacilityOptions } from '../commands.ts';
import { MICRO, MILLIS_PER_HOUR } from '../numbers/units.ts';
import { CLASSES, HOURS_AHEAD, LIST_PRICE } from './cast.ts';
import type { Cast } from './cast.ts';

export class CreditActs {
  private readonly cast: Cast;

  constructor(cast: Cast) {
    this.cast = cast;
  }

  creditMoves(): void {
    const { random } = this.cast;
    const known = this.cast.facilities.length === 0 ? undefined : random.pick(this.cast.facilities);
    if (known === undefined || random.chance(0.05)) {
      this.cast.run({
        type: 'applyFacility', company: random.pick(this.cast.borrowers), amount: random.between(10_000, 2_000_000) * MICRO, months: random.between(1, 24),
        method: random.pick(['annuity', 'bullet', 'equal_principal', 'flat'] as const), application: this.randomApplication(), ...this.randomOptions(),
      });
      return;
    }
    const { facility, company } = known;
    const amount = random.between(1, (random.chance(0.9) ? 40_000 : 1_000_000) * MICRO);
    this.cast.run(random.pick<Command>([
      { type: 'acceptFacility', company, facility },
      { type: 'draw', company, facility, amount },
      { type: 'draw', company, facility, amount },
      { type: 'repay', company, facility, amount, mode: random.pick(REPAYMENT_MODES), bankCovers: random.chance(0.5) },
      { type: 'setMarks', classes: [{ class: 0, price: random.between(1, LIST_PRICE) }], hours: [] },
      { type: 'returnCredits', company, facility, lot: random.between(0, 40), credits: amount },
      { type: 'freeze', company: random.pick([...this.cast.lenders, this.cast.operator]), facility, fraction: random.pick([MICRO, 500_000, 250_000]), reason: 'covenant' },
      { type: 'unfreeze', company: random.pick([...this.cast.lenders, this.cast.operator]), facility },
    ]));
  }

  private randomOptions(): FacilityOptions {
    const { random } = this.cast;
    if (random.chance(0.5)) return {};
    return {
      dayCount: random.pick(['ACT/365', 'ACT/360', '30/360', '30E/360'] as const),
      dueDateRoll: random.pick(['none', 'following', 'modified_following', 'preceding'] as const), drawOnDemand: random.chance(0.5),
      loanRules: random.between(1, LOAN_RULES),
    };
  }

  /** What borrowers, lenders, sponsors and operators say to each other about credit. */
  creditTalks(): void {
    const { random } = this.cast;
    const { facility, company } = this.cast.facilities.length === 0 ? { facility: 0, company: this.cast.borrowers[0] } : random.pick(this.cast.facilities);
    const terms = { amount: random.between(10_000, 2_000_000) * MICRO, months: random.between(1, 24), method: random.pick(['annuity', 'bullet', 'equal_principal', 'flat'] as const) };
    const by = (usual: CompanyId): CompanyId => (random.chance(0.9) ? usual : this.cast.randomTrader());
    this.cast.run(random.pick<Command>([
      { type: 'counterOffer', company: by(company), facility, ...terms },
      {
        type: 'overruleFacility', company: by(this.cast.operator), borrower: random.pick(this.cast.borrowers), ...terms, grade: random.pick(['A', 'B', 'C', 'D'] as const),
        annualRate: random.between(0, 200_000), application: this.randomApplication(), reason: 'known for years', ...this.randomOptions(),
      },
      { type: 'declineFacility', company: by(random.pick(this.cast.lenders)), facility, reason: random.pick(['', 'too large']) },
      { type: 'setFacilityOption', company: by(company), facility, drawOnDemand: random.chance(0.5) },
      { type: 'reportFinancials', company: by(company), facility, cash: random.between(0, 20) * 1e11, monthlyBurn: random.between(0, 20) * 1e10 },
      { type: 'grantCredits', company, recipient: random.pick(this.cast.borrowers), amount: random.between(1, 2_000 * MICRO) },
    ]));
  }

  /** Kill switches, seldom on for long; prices of money and of hours, and how far orders may stand from them. */
  moneyRules(): void {
    const { random } = this.cast;
    const company = random.chance(0.9) ? this.cast.operator : this.cast.lender;
    const name = random.pick(['mint', 'draw', 'payout'] as const);
    this.cast.run(random.pick<Command>([
      { type: 'setSwitch', company, name, on: true, reason: 'drill' },
      ...(['mint', 'draw', 'payout'] as const).map((each): Command => ({ type: 'setSwitch', company: this.cast.operator, name: each, on: false, reason: 'over' })),
      {
        type: 'setMoneyRules', company, redemptionRate: random.between(580_000, 660_000), spreadMinimum: random.between(0, 40_000),
        conversionRate: random.chance(0.7) ? 0 : random.between(1_200_000, 1_500_000),
      },
      {
        type: 'setListPrice', class: random.between(0, CLASSES), price: random.between(20_050, LIST_PRICE), inputs: [],
        effectiveAt: this.cast.engine.now + random.between(random.chance(0.1) ? 6 : 7, 9) * 24 * MILLIS_PER_HOUR,
      },
      {
        type: 'setMarks', classes: [{ class: random.between(0, CLASSES), price: random.between(10_000, 25_000) }],
        hours: [{ market: random.pick(this.cast.markets()), hour: Math.floor(this.cast.engine.now / MILLIS_PER_HOUR) + random.between(0, HOURS_AHEAD), price: random.between(0, 25_000) }],
      },
      { type: 'setBands', company, above: random.between(990_000, 2_000_000), below: random.between(0, 670_000) },
      { type: 'createMandate', company: random.pick([...this.cast.lenders, this.cast.borrowers[0]]), amount: 1e12, grades: ['A', 'D'], maximumPerBorrower: 1e11, minimumAnnualRate: random.between(0, 100_000), bankCovers: random.chance(0.5) },
      { type: 'changeMandate', company: random.pick(this.cast.lenders), mandate: random.between(0, 6), reinvest: random.chance(0.5) },
    ]));
  }

  private randomApplication(): FacilityApplication {
    const { random } = this.cast;
    return {
      cash: random.between(1, 20) * 1e12, monthlyBurn: random.between(1, 20) * 1e11, monthlyRevenue: random.between(0, 20) * 1e11,
      cashTrend3m: random.between(-300_000, 300_000), revenueGrowth: random.between(-500_000, 3_000_000), grossMargin: random.between(0, 900_000),
      computeShare: random.between(0, 900_000), forecastError: random.between(0, 900_000), topCustomer: random.between(0, 900_000), pastDaysOverdue: random.between(0, 20),
    };
  }
}
