/** What happens in a simulated life to hours that were bought: they are used, delivered, or fail. */
import { NONE } from '../vocabulary.ts';
import type { Command, MinuteOutcome } from '../commands.ts';
import { MICRO, MILLIS_PER_HOUR, MILLIS_PER_MINUTE } from '../numbers/units.ts';
import type { Cast } from './cast.ts';

export class DeliveryActs {
  private readonly cast: Cast;
  private requests = 0;

  constructor(cast: Cast) {
    this.cast = cast;
  }

  captureSome(): void {
    const { random } = this.cast;
    if (this.cast.allocations.length === 0) return;
    const { allocation, company, gpu } = random.pick(this.cast.allocations);
    if (random.chance(0.05)) {
      this.cast.run({ type: 'releasePending', allocation, gpu });
      return;
    }
    this.cast.run({
      type: 'capture', company, allocation, gpu: random.between(0, Math.ceil(gpu / random.between(1, 20))), model: 0,
      request: `r${random.chance(0.05) ? this.requests : ++this.requests}`, promptTokens: 10, completionTokens: 10,
      detail: { key: 'key', endpoint: 'endpoint', spotFees: 0, estimated: false },
    });
  }

  /** What probes and requests show of a minute: mostly the running one, now and then one long gone. */
  minutePasses(): void {
    const { random } = this.cast;
    const minute = Math.floor(this.cast.engine.now / MILLIS_PER_MINUTE) - (random.chance(0.9) ? random.between(0, 3) : random.between(0, 9 * 24 * 60));
    const outcomes = Array.from({ length: random.between(1, 3) }, () => this.randomOutcome());
    this.cast.run({ type: 'reportMinute', minute, outcomes });
  }

  private randomOutcome(): MinuteOutcome {
    const { random } = this.cast;
    const requests = random.between(0, 20);
    return {
      company: random.chance(0.98) ? random.pick(this.cast.providers) : this.cast.randomTrader(), market: random.pick(this.cast.markets()), model: random.chance(0.7) ? NONE : random.between(0, 2),
      canary: random.pick(['passed', 'failed', 'failed', 'none'] as const), requests, failures: random.between(0, requests),
      shortfall: random.chance(0.2) ? random.between(1, MICRO) : 0, notServed: random.chance(0.05),
    };
  }

  faults(): void {
    const { random } = this.cast;
    const provider = random.pick(this.cast.providers);
    const by = random.pick([NONE, this.cast.operator, this.cast.lender]);
    const reach = random.chance(0.5) ? MILLIS_PER_HOUR : 10 * 24 * MILLIS_PER_HOUR;
    this.cast.run(random.pick<Command>([
      { type: 'annulDelivery', company: by, provider, market: random.pick(this.cast.markets()), model: random.between(NONE, 2), since: this.cast.engine.now - random.between(0, reach), reason: 'wrong_answers' },
      { type: 'platformDown', from: this.cast.engine.now, to: this.cast.engine.now + random.between(0, MILLIS_PER_HOUR) },
      { type: 'suspendProvider', company: by, provider, reason: 'drill' },
      { type: 'reinstateProvider', company: by, provider, reason: 'over' },
      { type: 'reinstateProvider', company: NONE, provider, reason: 'over' },
    ]));
  }

  payOut(): void {
    this.cast.run({ type: 'payout', company: this.cast.random.pick(this.cast.providers) });
  }
}
