/** How the app looks, as far as it is the reader's choice: remembered by this browser. */
export type Theme = 'system' | 'light' | 'dark';
export type Palette = 'standard' | 'vivid' | 'contrast';

function read(name: string): string {
  try {
    return localStorage.getItem(`ccx.${name}`) ?? '';
  } catch {
    return '';
  }
}

/** Sets the attribute that the style sheet looks at, and remembers it; '' is the default and leaves none. */
function choose(name: 'theme' | 'palette', value: string): void {
  if (value === '') delete document.documentElement.dataset[name];
  else document.documentElement.dataset[name] = value;
  try {
    if (value === '') localStorage.removeItem(`ccx.${name}`);
    else localStorage.setItem(`ccx.${name}`, value);
  } catch {
    // Storage is off: the choice lasts as long as the page.
  }
}

const THEMES: readonly string[] = ['light', 'dark'];
const PALETTES: readonly string[] = ['vivid', 'contrast'];

class Appearance {
  #theme = $state<Theme>((THEMES.includes(read('theme')) ? read('theme') : 'system') as Theme);
  #palette = $state<Palette>((PALETTES.includes(read('palette')) ? read('palette') : 'standard') as Palette);
  /** Grows with each change; pictures drawn by hand read it. */
  version = $state(0);

  get current(): Theme {
    return this.#theme;
  }

  set current(theme: Theme) {
    this.#theme = theme;
    choose('theme', theme === 'system' ? '' : theme);
    this.version += 1;
  }

  get palette(): Palette {
    return this.#palette;
  }

  set palette(palette: Palette) {
    this.#palette = palette;
    choose('palette', palette === 'standard' ? '' : palette);
    this.version += 1;
  }
}

/** public/theme.js applies the stored choices before the first paint. */
export const theme = new Appearance();
