/** Who is logged in. The session is a cookie the page cannot read; what it may know comes from /auth/session. */
import type { ApiClient } from './api_client.ts';
import { Cell } from './cell.ts';
import type { ApiError } from './errors.ts';
import type { Role, WireMe } from './wire.ts';

const RETRY_MILLIS = 3_000;

export type SessionState = { status: 'unknown' } | { status: 'anonymous'; expired: boolean } | { status: 'open'; me: WireMe };

export interface Registration {
  email: string;
  password: string;
  company: string;
  role: Role;
}

export class Session {
  readonly state = new Cell<SessionState>({ status: 'unknown' });
  private readonly api: ApiClient;
  private token = '';

  constructor(api: ApiClient) {
    this.api = api;
  }

  csrfToken(): string {
    return this.token;
  }

  get me(): WireMe | undefined {
    return this.state.value.status === 'open' ? this.state.value.me : undefined;
  }

  /** Finds out whether the cookie of an earlier visit still stands; asks again while the exchange is away. */
  async resume(): Promise<void> {
    try {
      const { session } = await this.api.get<{ session: WireMe | null }>('/auth/session');
      if (session === null) this.state.value = { status: 'anonymous', expired: this.state.value.status === 'open' };
      else this.open(session);
    } catch {
      if (this.state.value.status === 'unknown') setTimeout(() => void this.resume(), RETRY_MILLIS);
    }
  }

  /** @throws ApiError */
  async login(email: string, password: string): Promise<void> {
    this.open(await this.api.post<WireMe>('/auth/login', { email, password }));
  }

  /** Registers, then logs in. @throws ApiError */
  async register(registration: Registration): Promise<void> {
    await this.api.post('/auth/register', registration);
    await this.login(registration.email, registration.password);
  }

  async logout(): Promise<void> {
    try {
      await this.api.post('/auth/logout');
    } finally {
      this.token = '';
      this.state.value = { status: 'anonymous', expired: false };
    }
  }

  /** Every call passes its error through here: an expired session shows the login and keeps what was typed. */
  noticed(error: ApiError): void {
    if (error.status === 401 && this.state.value.status === 'open') this.state.value = { status: 'anonymous', expired: true };
  }

  private open(me: WireMe): void {
    if (me.csrf_token !== undefined) this.token = me.csrf_token;
    this.state.value = { status: 'open', me };
  }
}
