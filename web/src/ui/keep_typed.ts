/** What is typed and not sent is not lost by a slip: the browser asks before the page is left or loaded again. */

/** A search is typed again in no time; `data-kept`: the form comes back as it was. */
const LOSABLE = 'form:not([data-kept]) :is(input:not([type="search"], [type="radio"], [type="checkbox"]), textarea)';

type Typed = HTMLInputElement | HTMLTextAreaElement;

export function keepTyped(): void {
  let typed: Typed[] = [];
  const isUnsent = (field: Typed): boolean => field.isConnected && field.value !== '';
  document.addEventListener('input', ({ target }) => {
    if (!(target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement) || !target.matches(LOSABLE)) return;
    typed = [...typed.filter((field) => field !== target && isUnsent(field)), target];
  });
  addEventListener('beforeunload', (event) => {
    if (typed.some(isUnsent)) event.preventDefault();
  });
}
