export type Theme = 'system' | 'light' | 'dark';
const KEY = 'ccx.theme';

function stored(): Theme {
  try {
    const theme = localStorage.getItem(KEY);
    return theme === 'light' || theme === 'dark' ? theme : 'system';
  } catch {
    return 'system';
  }
}

class ThemeChoice {
  #current = $state<Theme>(stored());

  get current(): Theme {
    return this.#current;
  }

  set current(theme: Theme) {
    this.#current = theme;
    if (theme === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
    try {
      if (theme === 'system') localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, theme);
    } catch {
      // Storage is off: the choice lasts as long as the page.
    }
  }
}

/** public/theme.js applies the stored choice before the first paint. */
export const theme = new ThemeChoice();
