/** A company as the market knows it, and as snapshots keep it. */
import type { CompanyId, Role } from './vocabulary.ts';
import type { Day, Micro, Millis } from './numbers/units.ts';
import type { Standing } from './trading/standing.ts';

/** A company as it is kept in snapshots. */
export interface CompanyImage {
  readonly company: CompanyId;
  readonly name: string;
  readonly role: Role;
  readonly group: string;
  /** Companies of one beneficial owner share this number. */
  readonly groupId: number;
  /** Redemption value of what a provider has sold and not delivered, in micro-CR. */
  undelivered: Micro;
  /** Micro-CR bought today, and the day it counts for. */
  boughtToday: Micro;
  boughtOn: Day;
  /** All orders are cancelled then, unless renewed; 0: disarmed. */
  deadMan: Millis;
  /** Credits retired so far, their cost and their value at list price. */
  retired: Micro;
  retiredCost: Micro;
  listValue: Micro;
  /** Micro-USD earned by deliveries, what was taken back left out, and what of it has left the house. */
  earned: Micro;
  paid: Micro;
  /** Of what was delivered to it: cost of the credits, and the spread and commissions out of it. */
  delivered: { cost: Micro; spread: Micro; commission: Micro };
  /** Suspended from then on; 0: it is not. */
  suspendedAt: Millis;
}

/** A company; what orders change stands in its row of Standing. */
export class Company implements CompanyImage {
  readonly company: CompanyId;
  readonly name: string;
  readonly role: Role;
  readonly group: string;
  readonly groupId: number;
  deadMan: Millis;
  listValue: Micro;
  earned: Micro;
  paid: Micro;
  readonly delivered: { cost: Micro; spread: Micro; commission: Micro };
  private readonly standing: Standing;

  constructor(image: CompanyImage, standing: Standing) {
    this.company = image.company;
    this.name = image.name;
    this.role = image.role;
    this.group = image.group;
    this.groupId = image.groupId;
    this.deadMan = image.deadMan;
    this.listValue = image.listValue;
    this.earned = image.earned;
    this.paid = image.paid;
    this.delivered = image.delivered;
    this.standing = standing;
    this.undelivered = image.undelivered;
    this.boughtToday = image.boughtToday;
    this.boughtOn = image.boughtOn;
    this.retired = image.retired;
    this.retiredCost = image.retiredCost;
    this.suspendedAt = image.suspendedAt;
  }

  get undelivered(): Micro {
    return this.standing.undelivered(this.company);
  }
  set undelivered(value: Micro) {
    this.standing.setUndelivered(this.company, value);
  }
  get boughtToday(): Micro {
    return this.standing.boughtToday(this.company);
  }
  set boughtToday(value: Micro) {
    this.standing.setBoughtToday(this.company, value);
  }
  get boughtOn(): Day {
    return this.standing.boughtOn(this.company);
  }
  set boughtOn(value: Day) {
    this.standing.setBoughtOn(this.company, value);
  }
  get retired(): Micro {
    return this.standing.retired(this.company);
  }
  set retired(value: Micro) {
    this.standing.setRetired(this.company, value);
  }
  get retiredCost(): Micro {
    return this.standing.retiredCost(this.company);
  }
  set retiredCost(value: Micro) {
    this.standing.setRetiredCost(this.company, value);
  }
  get suspendedAt(): Millis {
    return this.standing.suspendedAt(this.company);
  }
  set suspendedAt(value: Millis) {
    this.standing.setSuspendedAt(this.company, value);
  }

  toJSON(): CompanyImage {
    const { company, name, role, group, groupId, undelivered, boughtToday, boughtOn, deadMan, retired, retiredCost, listValue, earned, paid, delivered, suspendedAt } = this;
    return { company, name, role, group, groupId, undelivered, boughtToday, boughtOn, deadMan, retired, retiredCost, listValue, earned, paid, delivered, suspendedAt };
  }
}
