/** Ids as clients see them: opaque texts with a prefix that says what they name. */
const PREFIXES = {
  order: 'ord', fill: 'fil', allocation: 'alc', lot: 'lot', facility: 'fac', mandate: 'man', company: 'cmp', posting: 'pst', application: 'app',
} as const;
export type NumberedThing = keyof typeof PREFIXES;

const TEXT = /^([a-z]{3})_(0|[1-9][0-9]{0,15})$/;

export const idOf = (thing: NumberedThing, number: number): string => `${PREFIXES[thing]}_${number}`;

/** undefined when the text is no id of that thing. */
export function parseId(thing: NumberedThing, text: string): number | undefined {
  const match = TEXT.exec(text);
  if (match === null || match[1] !== PREFIXES[thing]) return undefined;
  const number = Number(match[2]);
  return Number.isSafeInteger(number) ? number : undefined;
}
