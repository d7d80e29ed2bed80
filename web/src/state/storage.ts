/** What this browser remembers between visits: choices, never data of the account. */
export interface Storage {
  /** '' when nothing is remembered. */
  read(name: string): string;
  write(name: string, value: string): void;
}

const PREFIX = 'ccx.';

/** A browser may forbid its storage; then choices last as long as the page. */
export const browserStorage: Storage = {
  read(name) {
    try {
      return localStorage.getItem(PREFIX + name) ?? '';
    } catch {
      return '';
    }
  },
  write(name, value) {
    try {
      localStorage.setItem(PREFIX + name, value);
    } catch {
      // Not remembered.
    }
  },
};
