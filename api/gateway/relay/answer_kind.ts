/** What came of asking for a stream, by how it begins: servers call it what they like. */

export type AnswerKind = 'events' | 'whole' | 'neither';

/** So many bytes tell. */
const LOOKED_AT = 64;
const BEGINNING = /^(?:\xEF\xBB\xBF)?\s*/;
/** The first line of an event, or a comment. */
const EVENT_LINE = /^(?:data|event|id|retry)?:/;
const PART_OF_NAME = /^[a-z]{0,5}$/;

/**
 * @param letters the first bytes, one letter each
 * @returns undefined when more is needed to tell
 */
export function kindOf(letters: string, contentType: string): AnswerKind | undefined {
  const begin = letters.replace(BEGINNING, '');
  if (begin === '' && letters.length < LOOKED_AT) return undefined;
  if (begin.startsWith('{')) return 'whole';
  if (contentType === 'text/event-stream' || EVENT_LINE.test(begin)) return 'events';
  return PART_OF_NAME.test(begin) && letters.length < LOOKED_AT ? undefined : 'neither';
}

/** What tells an answer from its beginning. */
export const beginningOf = (bytes: Buffer): string => bytes.toString('latin1', 0, LOOKED_AT);
