import { explain, toApiError, type ApiError } from '../state/index.ts';

/** One action of a form: running, refused with a reason, or done. */
export class Action {
  running = $state(false);
  error = $state.raw<ApiError | undefined>();
  private readonly onError: (error: ApiError) => void;

  constructor(onError: (error: ApiError) => void) {
    this.onError = onError;
  }

  /** The message of a refusal about this field; undefined for other fields. */
  about(field: string): string | undefined {
    return this.error?.field === field ? explain(this.error) : undefined;
  }

  /** Runs unless it is running already. Returns whether it succeeded. */
  async run(work: () => Promise<void>): Promise<boolean> {
    if (this.running) return false;
    this.running = true;
    this.error = undefined;
    try {
      await work();
      return true;
    } catch (cause) {
      this.error = toApiError(cause);
      this.onError(this.error);
      return false;
    } finally {
      this.running = false;
    }
  }
}
