import type { Resource } from '../state/index.ts';

/** Call while a component is set up: fetched at once, then every so often while it is shown. */
export function poll(resource: Pick<Resource<unknown>, 'refresh' | 'poll'>, millis: number): void {
  $effect(() => {
    void resource.refresh();
    const timer = setInterval(() => void resource.poll(), millis);
    return () => clearInterval(timer);
  });
}
