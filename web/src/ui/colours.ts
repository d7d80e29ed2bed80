/** A CSS colour of the theme as a canvas understands it. */
export const colourOf = (element: Element, name: string): string => getComputedStyle(element).getPropertyValue(name).trim();

/** The colours and the font of one canvas, asked once for each theme: to answer, the browser works out the styles of the whole page. */
export class CanvasStyle {
  private readonly colours = new Map<string, string>();
  private version = -1;
  family = '';
  font = '';

  /** @param version grows with each change of the theme */
  at(element: Element, version: number): (name: string) => string {
    if (version !== this.version) {
      this.version = version;
      this.colours.clear();
      this.family = getComputedStyle(element).fontFamily;
      this.font = `11px ${this.family}`;
    }
    return (name) => {
      const known = this.colours.get(name) ?? colourOf(element, name);
      this.colours.set(name, known);
      return known;
    };
  }
}
