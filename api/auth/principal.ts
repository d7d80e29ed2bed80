import type { Role } from '../../engine/vocabulary.ts';
import type { ApiKey } from './keys.ts';

/** Who is calling: resolved from the bearer key or the session cookie. */
export interface Principal {
  user: string;
  company: number;
  role: Role;
  /** 'session' for the web app, else the key's public id. */
  key: string;
  /** The record of the key, when there is one. */
  apiKey?: ApiKey;
  /** The session's public digest, when there is one. */
  session?: string;
  scopes: readonly string[];
}
