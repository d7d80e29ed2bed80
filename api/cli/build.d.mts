export const ENTRIES: Readonly<Record<string, string>>;
export const SERVER_ENTRIES: readonly string[];
