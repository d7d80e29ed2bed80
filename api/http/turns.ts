/**
 * Node takes one new connection in a turn of its event loop. A turn that serves hundreds of requests lasts a fifth of a second
 * with their answers, and as many turns have to pass as clients wait to be let in: of thousands that come at once the last would
 * wait for many seconds, to hear that there is too much to do. So while clients keep coming requests wait for some turns, and then some are served together.
 */

/** Turns that requests wait while clients keep coming, and not many: one that comes in each of them must not make the others slow. */
const WAIT_TURNS_MAX = 32;
/** Requests served in one turn after others have waited: as many as clients were let in. */
const SERVED_MAX = 32;
/** Turns after which nobody has come for a while: who was let in is heard in the next one. */
const COMING_TURNS = 2;

export class Turns {
  private waiting: (() => void)[] = [];
  /** Turns until clients count as let in. */
  private coming = 0;
  private waited = 0;
  private scheduled = false;

  /** A client was let in: there may be more. */
  connected(): void {
    this.coming = COMING_TURNS;
    this.schedule();
  }

  /** Serves a request, at once unless clients keep coming; in order. */
  take(serve: () => void): void {
    if (this.coming === 0 && this.waiting.length === 0) return serve();
    this.waiting.push(serve);
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => this.turn());
  }

  private turn(): void {
    this.scheduled = false;
    if (this.coming > 0) this.coming--;
    const served = this.isServed() ? this.waiting.splice(0, SERVED_MAX) : [];
    if (this.waiting.length > 0 || this.coming > 0) this.schedule();
    for (const serve of served) serve();
  }

  private isServed(): boolean {
    this.waited = this.coming === 0 || this.waited === WAIT_TURNS_MAX ? 0 : this.waited + 1;
    return this.waited === 0;
  }
}
