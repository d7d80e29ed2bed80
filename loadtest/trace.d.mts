export interface TraceCall { index: number; offset: number; prompt: number; completion: number }
export interface Receipt { allocation_id: string; gpu_seconds: string; credits_used: string }
export interface Told { model: string; prompt: number; completion: number; receipt: Receipt }
export interface Sums { requests: number; prompt: number; completion: number; gpu: bigint; credits: bigint; remaining: bigint;
  /** Requests that the account has asked with other keys. */
  others: number;
}
export function microOf(text: string): bigint;
export function requestsOf(trace: { gap_ms: number[]; prompt_tokens: number[]; completion_tokens: number[] }, from: number, count: number): TraceCall[];
export function findings(compared: {
  told: readonly Told[]; ratings: ReadonlyMap<string, { prompt: bigint; completion: bigint }>; classes: ReadonlyMap<string, string>; before: Sums; after: Sums; sameHour: boolean;
}): string[];
export function replayTrace(args: string[], from: { demoFile: string | undefined }): Promise<number>;
