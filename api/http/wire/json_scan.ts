/**
 * Looks through JSON text before a parser does: how deep it nests, and whether an object names a field
 * twice, of which parsers would keep one and drop the other in silence. One pass, no recursion.
 */

export type JsonFlaw = { kind: 'too_deep' } | { kind: 'duplicate' | 'reserved'; name: string };

export interface ScanLimits {
  /** Levels of brackets. */
  depth: number;
  /** Names no object may have. */
  reserved: ReadonlySet<string>;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** The first flaw of the text, if it has one; whether it is JSON at all is for the parser to say. */
export function flawIn(text: string, { depth, reserved }: ScanLimits): JsonFlaw | undefined {
  /** The names of each open object; null for an array. */
  const open: (string[] | Set<string> | null)[] = [];
  let expectsName = false;
  for (let index = 0; index < text.length; index++) {
    switch (text.charCodeAt(index)) {
      case QUOTE: {
        const end = endOfString(text, index + 1);
        const last = open.length - 1;
        const names = expectsName && last >= 0 ? open[last] : null;
        if (names !== null) {
          const name = nameOf(text.slice(index + 1, end));
          if (reserved.has(name)) return { kind: 'reserved', name };
          const more = withName(names, name);
          if (more === undefined) return { kind: 'duplicate', name };
          open[last] = more;
        }
        expectsName = false;
        index = end;
        break;
      }
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        expectsName = text.charCodeAt(index) === OPEN_OBJECT;
        if (open.push(expectsName ? [] : null) > depth) return { kind: 'too_deep' };
        break;
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        open.pop();
        expectsName = false;
        break;
      case COMMA:
        expectsName = true;
        break;
      case COLON:
        expectsName = false;
    }
  }
  return undefined;
}

/** Where the string ends whose text begins at `from`. */
function endOfString(text: string, from: number): number {
  for (let end = text.indexOf('"', from); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end;
    while (before > from && text.charCodeAt(before - 1) === BACKSLASH) before--;
    if ((end - before) % 2 === 0) return end;
  }
  return text.length;
}

/** A name as a parser would read it: two spellings of one name are one name. */
function nameOf(written: string): string {
  if (!written.includes('\\')) return written;
  try {
    return JSON.parse(`"${written}"`) as string;
  } catch {
    return written;
  }
}

/** Up to so many names are looked through faster than hashed. */
const FEW = 12;

/** undefined: the name is among them. */
function withName(names: string[] | Set<string>, name: string): string[] | Set<string> | undefined {
  if (names instanceof Set) return names.has(name) ? undefined : names.add(name);
  if (names.includes(name)) return undefined;
  if (names.length === FEW) return new Set(names).add(name);
  names.push(name);
  return names;
}
