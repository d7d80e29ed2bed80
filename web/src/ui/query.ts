/** One parameter of an address's query; undefined when it is not there. */
export const parameterOf = (search: string, name: string): string | undefined => new URLSearchParams(search).get(name) ?? undefined;

/** `?name=value&...` of what has a value; '' of nothing. */
export function queryOf(parameters: Record<string, string | undefined>): string {
  const query = new URLSearchParams(Object.entries(parameters).filter((pair): pair is [string, string] => pair[1] !== undefined));
  return query.size === 0 ? '' : `?${query.toString()}`;
}
