/**
 * Whoever works by keyboard never stands nowhere. When what has the focus vanishes (a row that was cancelled, a question that
 * was answered) or can do nothing any more, what stands at its place, or next to it, has the focus.
 */
const LOOK_MILLIS = 100;
const FOCUSABLE = ':is(button, input, select, textarea, summary):not(:disabled), a[href], [tabindex]';

interface Place {
  x: number;
  y: number;
}
export interface Held {
  element: Element;
  /** From the inside out: the first that is still there is where it stood. */
  around: Element[];
  place: Place;
}

const middleOf = (element: Element): Place => {
  const { x, y, width, height } = element.getBoundingClientRect();
  return { x: x + width / 2, y: y + height / 2 };
};
const isGone = (element: Element): boolean => !element.isConnected || element.matches(':disabled');

function around(element: Element): Element[] {
  const chain: Element[] = [];
  for (let parent = element.parentElement; parent !== null && parent !== document.body; parent = parent.parentElement) chain.push(parent);
  return chain;
}

export const heldAt = (element: Element): Held => ({ element, around: around(element), place: middleOf(element) });

/** Of several choices the one that is chosen is the stop. */
const isOther = (element: Element): boolean => element.matches('input[type="radio"]:not(:checked)');
/** What can have the focus in `container`, and is seen. */
const stopsIn = (container: Element): HTMLElement[] =>
  [...container.querySelectorAll<HTMLElement>(FOCUSABLE)].filter((stop) => stop.tabIndex >= 0 && !isOther(stop) && stop.checkVisibility({ visibilityProperty: true }));

/** The stop of the innermost of `containers` that has one, nearest to `place`. A line is nearer than a column: rows move up. */
export function focusNear(containers: readonly Element[], place: Place): void {
  for (const container of containers) {
    if (!container.isConnected) continue;
    const stops = stopsIn(container);
    if (stops.length === 0) continue;
    const distance = (stop: HTMLElement): number => {
      const { x, y } = middleOf(stop);
      return Math.abs(x - place.x) + 2 * Math.abs(y - place.y);
    };
    stops.reduce((near, stop) => (distance(stop) < distance(near) ? stop : near)).focus({ preventScroll: true });
    return;
  }
}

/** Watches from now on. Only a focus that the keyboard gave is kept: a pointer needs none, and letters are keys of the screen then. */
export function keepFocus(): void {
  let held: Held | undefined;
  document.addEventListener('focusin', ({ target }) => {
    held = target instanceof Element && target.matches(':focus-visible') ? heldAt(target) : undefined;
  });
  // Nothing announces that an element has gone; a look costs nothing.
  setInterval(() => {
    if (held === undefined) return;
    if (document.activeElement === held.element && !isGone(held.element)) held.place = middleOf(held.element);
    // A dialog that closes gives the focus back itself.
    else if (document.activeElement === document.body && isGone(held.element) && !held.around.some((element) => element instanceof HTMLDialogElement && !element.open)) focusNear(held.around, held.place);
  }, LOOK_MILLIS);
}
