/** The exchange as a provider's agent sees it. */

export interface EndpointState {
  id: string;
  url: string;
  class: string;
  region: string;
  status: 'pending' | 'verified' | 'failed' | 'draining' | 'removed';
  status_reason: string;
}

/** The exchange answered, and not with yes. */
export class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = 'Refused';
    this.status = status;
  }
}

const LIMIT_MILLIS = 10_000;
const PAGE = 100;

export class Exchange {
  private readonly url: string;
  private readonly key: string;

  constructor(url: string, key: string) {
    this.url = url;
    this.key = key;
  }

  declareCapacity(body: { class: string; region: string; gpus: number }): Promise<{ status: string }> {
    return this.call('POST', '/capacity', body);
  }
  createEndpoint(body: object): Promise<EndpointState> {
    return this.call('POST', '/endpoints', body);
  }
  heartbeat(id: string, gpus: readonly object[] | undefined): Promise<EndpointState> {
    return this.call('POST', `/endpoints/${id}/heartbeat`, gpus === undefined ? {} : { gpus });
  }
  drain(id: string): Promise<EndpointState> {
    return this.call('POST', `/endpoints/${id}/drain`, {});
  }
  resume(id: string): Promise<EndpointState> {
    return this.call('POST', `/endpoints/${id}/resume`, {});
  }

  async findEndpoint(url: string, className: string, region: string): Promise<EndpointState | undefined> {
    return (await this.all<EndpointState>('/endpoints')).find((row) => row.url === url && row.class === className && row.region === region);
  }

  /** Of the names of models, those by which the exchange knows one. */
  async known(names: readonly string[]): Promise<string[]> {
    const models = await this.all<{ id: string; aliases: string[] }>('/models');
    const known = new Set(models.flatMap(({ id, aliases }) => [id, ...aliases]));
    return names.filter((name) => known.has(name));
  }

  private async all<T>(path: string): Promise<T[]> {
    const rows: T[] = [];
    let cursor: string | null = null;
    do {
      const page: { data: T[]; next_cursor: string | null } = await this.call('GET', `${path}?limit=${PAGE}${cursor === null ? '' : `&cursor=${cursor}`}`);
      rows.push(...page.data);
      cursor = page.next_cursor;
    } while (cursor !== null);
    return rows;
  }

  private async call<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await fetch(`${this.url}/api/v1${path}`, {
      method, redirect: 'error', signal: AbortSignal.timeout(LIMIT_MILLIS),
      headers: { authorization: `Bearer ${this.key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const answer = (await response.json()) as { error?: { code: string; message: string } };
    if (!response.ok) throw new Refused(response.status, `${method} ${path}: ${answer.error?.code ?? response.status}: ${answer.error?.message ?? 'refused'}`);
    return answer as T;
  }
}
