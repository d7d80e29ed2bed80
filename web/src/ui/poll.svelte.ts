import type { Resource } from '../state/index.ts';

/** Call while a component is set up: fetched at once, then every so often while it is shown. */
export function poll(resource: Pick<Resource<unknown>, 'refresh'>, millis: number): void {
  $effect(() => {
    void resource.refresh();
    const timer = setInterval(() => void resource.refresh(), millis);
    return () => clearInterval(timer);
  });
}
