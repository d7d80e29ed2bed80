/** One parameter of an address's query; undefined when it is not there. */
export const parameterOf = (search: string, name: string): string | undefined => new URLSearchParams(search).get(name) ?? undefined;
