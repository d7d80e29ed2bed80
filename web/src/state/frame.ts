/**
 * The one animation frame of the whole app. Sockets write raw state as fast as it comes and mark
 * what must be drawn; each marked task runs once in the next frame.
 */
export type Task = () => void;

export class Frame {
  private readonly tasks = new Set<Task>();
  private readonly request: (run: () => void) => unknown;
  private requested = false;

  constructor(request: (run: () => void) => unknown) {
    this.request = request;
  }

  mark(task: Task): void {
    this.tasks.add(task);
    if (this.requested) return;
    this.requested = true;
    this.request(this.run);
  }

  private readonly run = (): void => {
    this.requested = false;
    const due = [...this.tasks];
    this.tasks.clear();
    for (const task of due) task();
  };
}
