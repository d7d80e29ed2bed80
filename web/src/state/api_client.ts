/** HTTP: the session's cookie, the anti-forgery header, idempotency keys, and one kind of error. */
import { ApiError, MALFORMED, toApiError } from './errors.ts';

export interface ApiClientOptions {
  fetch: typeof fetch;
  /** '' in the browser: the page's own origin. */
  base: string;
  /** The anti-forgery token of the session; '' without one. */
  csrfToken(): string;
  randomId(): string;
}
export interface Page<T> {
  data: T[];
  next_cursor: string | null;
}
type Query = Record<string, string | number | undefined>;
/** Sent with every call that changes state; the server compares it with the session's. */
const CSRF_HEADER = 'x-csrf-token';

interface ErrorBody {
  error: { code: string; message: string; field?: string; request_id?: string };
}
const isErrorBody = (body: unknown): body is ErrorBody =>
  typeof body === 'object' && body !== null && 'error' in body && typeof body.error === 'object' && body.error !== null && 'code' in body.error;

export class ApiClient {
  private readonly options: ApiClientOptions;

  constructor(options: ApiClientOptions) {
    this.options = options;
  }

  /** @throws ApiError */
  get<T>(path: string, query: Query = {}): Promise<T> {
    return this.call<T>('GET', path + queryString(query));
  }

  /** A question to the OpenAI-compatible side, with the session. @throws ApiError */
  getV1<T>(path: string, query: Query = {}): Promise<T> {
    return this.call<T>('GET', path + queryString(query), undefined, '/v1');
  }

  /** @throws ApiError */
  post<T>(path: string, body: object = {}): Promise<T> {
    return this.call<T>('POST', path, body);
  }

  /** A file of a spreadsheet, as it is. @throws ApiError */
  postCsv<T>(path: string, text: string): Promise<T> {
    return this.call<T>('POST', path, text);
  }

  /** @throws ApiError */
  patch<T>(path: string, body: object): Promise<T> {
    return this.call<T>('PATCH', path, body);
  }

  /** @throws ApiError */
  delete<T>(path: string, query: Query = {}): Promise<T> {
    return this.call<T>('DELETE', path + queryString(query));
  }

  private async call<T>(method: string, path: string, body?: object | string, side = '/api/v1'): Promise<T> {
    try {
      const response = await this.options.fetch(`${this.options.base}${side}${path}`, {
        method,
        credentials: 'same-origin',
        headers: this.headers(method, body),
        body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
      });
      return await this.read<T>(response);
    } catch (cause) {
      throw toApiError(cause);
    }
  }

  private headers(method: string, body: object | string | undefined): Record<string, string> {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (body !== undefined) headers['content-type'] = typeof body === 'string' ? 'text/csv' : 'application/json';
    if (method === 'GET') return headers;
    const token = this.options.csrfToken();
    if (token !== '') headers[CSRF_HEADER] = token;
    if (method === 'POST') headers['idempotency-key'] = this.options.randomId();
    return headers;
  }

  private async read<T>(response: Response): Promise<T> {
    const text = await response.text();
    const body = parseJson(text, response.status);
    if (response.ok) return body as T;
    if (!isErrorBody(body)) throw new ApiError({ status: response.status, code: MALFORMED, message: `The exchange answered ${response.status} without a reason.` });
    const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
    throw new ApiError({
      status: response.status,
      code: body.error.code,
      message: body.error.message,
      field: body.error.field,
      requestId: body.error.request_id,
      retryAfterSeconds: Number.isNaN(retryAfter) ? undefined : retryAfter,
    });
  }
}

function parseJson(text: string, status: number): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new ApiError({ status, code: MALFORMED, message: `The exchange answered ${status} with something that is not JSON.` });
  }
}

function queryString(query: Query): string {
  const pairs = Object.entries(query).filter((pair): pair is [string, string | number] => pair[1] !== undefined);
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString()}`;
}
