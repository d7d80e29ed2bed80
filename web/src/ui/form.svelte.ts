import { explain, toApiError, type ApiError } from '../state/index.ts';

/** One action of a form: running, refused with a reason, or done. */
export class Action {
  running = $state(false);
  error = $state.raw<ApiError | undefined>();
  /** The fields on the page that say themselves what is refused about them. */
  private fields: string[] = [];
  private readonly onError: (error: ApiError) => void;

  constructor(onError: (error: ApiError) => void) {
    this.onError = onError;
  }

  /** The message of a refusal about this field; undefined for other fields. */
  about(field: string): string | undefined {
    if (!this.fields.includes(field)) this.fields.push(field);
    return this.error?.field === field ? explain(this.error) : undefined;
  }

  /** What was refused, unless a field says it where it stands. */
  get unplaced(): ApiError | undefined {
    return this.error?.field !== undefined && this.fields.includes(this.error.field) ? undefined : this.error;
  }

  /** Runs unless it is running already. Returns whether it succeeded. */
  async run(work: () => Promise<void>): Promise<boolean> {
    if (this.running) return false;
    this.running = true;
    this.error = undefined;
    this.fields = [];
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
