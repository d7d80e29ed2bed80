/**
 * What the processes of one exchange say to each other passes through Redis, which anybody may have
 * filled with anything. So each message is sealed under a secret that stands in Postgres, for the place
 * where it is said; what does not open is not heard.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { deserialize, serialize } from 'node:v8';
import type { Knex } from 'knex';
import { EVENTS } from '../../engine/events.ts';
import { WORDS_PER_ACKNOWLEDGEMENT } from '../sequencer/messages.ts';

const MAC_BYTES = 16;
/** Part of the seal: processes of versions that write events or acknowledgements otherwise do not hear each other. */
const FORMAT = createHash('sha256').update(JSON.stringify(['ccx 1', WORDS_PER_ACKNOWLEDGEMENT, EVENTS])).digest();

export class Seal {
  private readonly secret: Buffer;
  /** Begins every name in Redis: exchanges that share one do not meet. */
  readonly prefix: string;

  constructor(secret: Buffer) {
    this.secret = secret;
    this.prefix = `ccx:${createHash('sha256').update(secret).digest('hex').slice(0, 8)}`;
  }

  static async of(database: Knex): Promise<Seal> {
    const row = await database('cluster_secret').first<{ secret: Buffer }>('secret');
    return new Seal(row.secret);
  }

  close(place: string, message: object): Buffer {
    const body = serialize(message);
    return Buffer.concat([this.mac(place, body), body]);
  }

  /** undefined: it was not closed by one of us for this place. */
  open(place: string, bytes: Buffer): unknown {
    if (bytes.length <= MAC_BYTES) return undefined;
    const body = bytes.subarray(MAC_BYTES);
    if (!timingSafeEqual(bytes.subarray(0, MAC_BYTES), this.mac(place, body))) return undefined;
    return deserialize(body);
  }

  private mac(place: string, body: Buffer): Buffer {
    return createHmac('sha256', this.secret).update(FORMAT).update('\0').update(place).update('\0').update(body).digest().subarray(0, MAC_BYTES);
  }
}
