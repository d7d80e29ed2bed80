/**
 * Texts come from people and may hold what Postgres refuses: the character 0, and in JSON halves of
 * a character. A journal that holds them must not stop the projections for ever.
 */
const REPLACEMENT = '\ufffd';
/** JSON.stringify writes both as escapes; a backslash before them may itself be escaped. */
const REFUSED_IN_JSON = /(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})/g;

export const storableText = (text: string): string => (text.includes('\0') ? text.replaceAll('\0', REPLACEMENT) : text);

/** @param text as JSON.stringify writes it */
export const storableJson = (text: string): string => (text.includes('\\u') ? text.replace(REFUSED_IN_JSON, `$1${REPLACEMENT}`) : text);
