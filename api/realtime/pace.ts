/** One clock for all rooms: what is woken is ticked soon, but no more often than twenty times a second. */
export interface Ticking {
  /** True while it wants to be ticked again. */
  tick(wallNow: number): boolean;
}

export const FRAME_MILLIS = 50;

export class Pace {
  private readonly awake = new Set<Ticking>();
  private readonly onError: (error: unknown) => void;
  private timer: NodeJS.Timeout | undefined;
  private ranAt = -Infinity;

  constructor(onError: (error: unknown) => void) {
    this.onError = onError;
  }

  wake(room: Ticking): void {
    this.awake.add(room);
    if (this.timer !== undefined) return;
    this.runLater();
  }

  private runLater(): void {
    this.timer = setTimeout(this.run, Math.max(0, this.ranAt + FRAME_MILLIS - performance.now()));
  }

  private readonly run = (): void => {
    this.timer = undefined;
    this.ranAt = performance.now();
    for (const room of this.awake) if (!this.tick(room)) this.awake.delete(room);
    if (this.awake.size > 0 && this.timer === undefined) this.runLater();
  };

  private tick(room: Ticking): boolean {
    try {
      return room.tick(this.ranAt);
    } catch (error) {
      this.onError(error);
      return false;
    }
  }

  close(): void {
    clearTimeout(this.timer);
    this.awake.clear();
  }
}
