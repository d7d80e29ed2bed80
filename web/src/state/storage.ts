/** What this browser remembers: choices between visits, what was typed while its tab is open; never data of the account. */
export interface Storage {
  /** '' when nothing is remembered. */
  read(name: string): string;
  write(name: string, value: string): void;
}

const PREFIX = 'ccx.';

/** A browser may forbid its storage; then what is chosen or typed lasts as long as the page. */
const storageOf = (area: () => globalThis.Storage): Storage => ({
  read(name) {
    try {
      return area().getItem(PREFIX + name) ?? '';
    } catch {
      return '';
    }
  },
  write(name, value) {
    try {
      area().setItem(PREFIX + name, value);
    } catch {
      // Not remembered.
    }
  },
});

export const browserStorage = storageOf(() => localStorage);
/** Ends with the tab. */
export const tabStorage = storageOf(() => sessionStorage);
