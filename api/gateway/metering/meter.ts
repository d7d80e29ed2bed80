/**
 * What one answer is charged for. The endpoint's own figures count while they are plausible: they may
 * exceed our count of what it was sent and has delivered by one in a hundred and what a model's template adds, and not fall below
 * half of it. Otherwise, or when there are none, our count decides and the usage is marked estimated.
 */
import type { Demand } from './demand.ts';
import { Echo } from './echo.ts';
import { TokenCounter, countTokens } from './token_count.ts';

export interface Reported {
  prompt: unknown;
  completion: unknown;
}

export interface Metered {
  promptTokens: number;
  completionTokens: number;
  estimated: boolean;
}

/** Tokens by which an answer may be longer, because it repeats what it was asked. */
export const echoedMost = ({ echoed = [] }: Pick<Demand, 'echoed'>): number => echoed.reduce<number>((sum, prompt) => sum + (typeof prompt === 'string' ? countTokens(prompt) : prompt), 0);

/** The most that text of this own count can be charged as. */
export const chargeableMost = (own: number): number => own + Math.max(1, Math.ceil(own / 100));
export const chargeablePrompt = ({ promptTokens, templateTokens = 0 }: Pick<Demand, 'promptTokens' | 'templateTokens'>): number => chargeableMost(promptTokens) + templateTokens;

export class Meter {
  private readonly promptTokens: number;
  /** The most that the prompt can be charged as. */
  private readonly promptMost: number;
  /** Completion tokens that the request may take. */
  private readonly most: number;
  private readonly echoed: readonly (string | number)[];
  private readonly echoes = new Map<number, Echo>();
  private readonly choices = new Map<number, TokenCounter>();
  private reported: Reported | undefined;

  constructor({ promptTokens, templateTokens, completionTokens, echoed = [] }: Pick<Demand, 'promptTokens' | 'templateTokens' | 'completionTokens' | 'echoed'>) {
    this.promptTokens = promptTokens;
    this.promptMost = chargeablePrompt({ promptTokens, templateTokens });
    this.most = completionTokens;
    this.echoed = echoed;
  }

  /** Text that was delivered. */
  add(choice: number, text: unknown): void {
    if (typeof text !== 'string' || text === '') return;
    let counter = this.choices.get(choice);
    if (counter === undefined) this.choices.set(choice, (counter = new TokenCounter()));
    counter.add(text);
    if (this.echoed.length > 0) this.hearEcho(choice, text);
  }

  private hearEcho(choice: number, text: string): void {
    const prompt = this.echoed[choice] as string | number | undefined;
    if (typeof prompt !== 'string') return;
    let echo = this.echoes.get(choice);
    if (echo === undefined) this.echoes.set(choice, (echo = new Echo(prompt)));
    echo.hear(text);
  }

  /** Tokens of what was delivered that repeat the prompt. Of a prompt that came as tokens nobody here knows the text: it counts as repeated. */
  private get repeated(): number {
    let tokens = 0;
    for (const [choice, counter] of this.choices) {
      const prompt = this.echoed[choice] as string | number | undefined;
      if (typeof prompt === 'number') tokens += Math.min(prompt, counter.total);
      else tokens += countTokens(this.echoes.get(choice)?.heard ?? '');
    }
    return tokens;
  }

  /** The endpoint's figures; the last ones count. */
  report(reported: Reported): void {
    this.reported = reported;
  }

  get delivered(): number {
    let tokens = 0;
    for (const counter of this.choices.values()) tokens += counter.total;
    return tokens;
  }

  /** @param broken the answer ended early: figures of a part are none */
  result(broken = false): Metered {
    const reported = broken ? undefined : this.reported;
    const prompt = plausible(reported?.prompt, this.promptTokens, this.promptMost);
    const written = Math.max(0, this.delivered - (this.echoed.length === 0 ? 0 : this.repeated));
    const completion = plausible(reported?.completion, written, chargeableMost(written));
    return {
      promptTokens: prompt ?? this.promptTokens,
      completionTokens: Math.min(completion ?? written, this.most),
      estimated: prompt === undefined || completion === undefined,
    };
  }
}

function plausible(reported: unknown, own: number, most: number): number | undefined {
  if (typeof reported !== 'number' || !Number.isSafeInteger(reported)) return undefined;
  return reported >= Math.floor(own / 2) && reported >= Math.min(own, 1) && reported <= most ? reported : undefined;
}
