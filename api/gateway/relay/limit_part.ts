/**
 * What one process has of a limit that several keep together. It takes before it uses, so that all of them never use more than the
 * limit; and what it has taken ahead it gives out at once. The fuller the limit, the less is taken ahead: the last of it is asked for one by one.
 */

/** What a process tells of its part of one limit, and asks of it. */
export interface Ask {
  limit: number;
  /** What it keeps of what it was given: it replaces what it told before. */
  held: number;
  /** Used since it told last. */
  used: number;
  /** What it needs; given is at least `least`, or nothing. */
  least: number;
  most: number;
  /** What it would take beyond that, where much is left. */
  ahead: number;
  /** Seconds until what others hold is left again, as far as anybody knows. */
  heldSeconds: number;
}
export interface Given {
  amount: number;
  /** Seconds until `least` will be left, or anything more than was given, where less than `most` was. */
  wait: number;
}

/** Where the parts of one limit come together. */
export interface SharedLimit {
  /** Never rejects. @returns undefined: it is away */
  exchange(ask: Ask): Promise<Given | undefined>;
}
/** By name. */
export type SharedLimits = (name: string) => SharedLimit;

/** As much as was taken; or for how many seconds there is too little; or undefined: nobody can say, and this process keeps the limit by itself. */
export type Taken = { amount: number } | { wait: number } | undefined;

interface Waiting {
  least: number;
  most: number;
  resolve: (taken: Taken) => void;
}

const TELL_MILLIS = 100;
/** Parts of which nothing is heard for longer than four times this are forgotten: their process has ended. */
export const TOUCH_MILLIS = 30_000;

export class LimitPart {
  private readonly shared: SharedLimit;
  private readonly teller: Teller;
  private readonly heldSeconds: number;
  private limit = 0;
  /** Taken, and free to be given out. */
  private spare = 0;
  /** Given out, and not yet used or given back. */
  private running = 0;
  /** Used, and not yet told. */
  private used = 0;
  /** Used, and being told. */
  private telling = 0;
  /** Given out since it was last asked for. */
  private recent = 0;
  private isIdle = false;
  private toldAt = 0;
  private waiting: Waiting[] = [];
  private exchanging = false;

  constructor(shared: SharedLimit, teller: Teller, heldSeconds: number) {
    this.shared = shared;
    this.teller = teller;
    this.heldSeconds = heldSeconds;
  }

  /** Used, of which the others cannot know. */
  get untold(): number {
    return this.used + this.telling;
  }

  /** At once where it can. @param limit of all processes together */
  take(limit: number, least: number, most: number): Taken | Promise<Taken> {
    this.limit = limit;
    this.isIdle = false;
    this.teller.add(this);
    if (this.spare >= most && this.waiting.length === 0) return { amount: this.giveOut(most) };
    return new Promise((resolve) => {
      this.waiting.push({ least, most, resolve });
      if (!this.exchanging) void this.exchange();
    });
  }

  /** Of `taken` so much was used; the rest is free again. */
  use(amount: number, taken: number): void {
    this.running -= taken;
    this.spare += Math.max(0, taken - amount);
    this.used += amount;
    this.teller.add(this);
  }

  /** From time to time: what was used, and what need not be kept any more. @returns whether there may be more to tell later */
  tell(now: number): boolean {
    const isIdle = this.isIdle;
    this.isIdle = true;
    const isNews = this.used > 0 || (isIdle && this.spare > 0) || (this.running > 0 && now - this.toldAt > TOUCH_MILLIS);
    if (isNews && !this.exchanging) void this.exchange(isIdle);
    return isNews || this.running > 0 || this.spare > 0;
  }

  private giveOut(amount: number): number {
    this.spare -= amount;
    this.running += amount;
    this.recent += amount;
    return amount;
  }

  /** One at a time: each tells all that is kept. @param isIdle nothing is kept that is not given out */
  private async exchange(isIdle = false): Promise<void> {
    this.exchanging = true;
    do await this.exchangeOnce(this.waiting.splice(0), isIdle);
    while (this.waiting.length > 0);
    this.exchanging = false;
  }

  private async exchangeOnce(asking: readonly Waiting[], isIdle: boolean): Promise<void> {
    const { used, recent: ahead, limit } = this;
    // Not to be given out meanwhile: who asks has reckoned with it.
    const kept = isIdle && asking.length === 0 ? 0 : this.spare;
    this.spare = this.used = this.recent = 0;
    this.telling = used;
    this.toldAt = Date.now();
    const wanted = asking.reduce((sum, { most }) => sum + most, 0);
    const given = await this.shared.exchange({
      limit, held: kept + this.running, used, least: Math.max(0, (asking[0]?.least ?? 0) - kept), most: Math.max(0, wanted - kept), ahead: asking.length === 0 ? 0 : ahead, heldSeconds: this.heldSeconds,
    });
    this.telling = 0;
    this.spare += kept + (given?.amount ?? 0);
    if (given === undefined) this.used += used;
    for (const { least, most, resolve } of asking) {
      const amount = Math.min(most, this.spare);
      if (given === undefined) resolve(undefined);
      else resolve(amount >= least ? { amount: this.giveOut(amount) } : { wait: given.wait });
    }
  }
}

/** Lets parts tell ten times a second what there is to tell. */
export class Teller {
  private readonly parts = new Set<LimitPart>();
  private timer: NodeJS.Timeout | undefined;

  add(part: LimitPart): void {
    this.parts.add(part);
    this.timer ??= setInterval(() => this.tell(), TELL_MILLIS).unref();
  }

  private tell(): void {
    const now = Date.now();
    for (const part of this.parts) if (!part.tell(now)) this.parts.delete(part);
    if (this.parts.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }
}
