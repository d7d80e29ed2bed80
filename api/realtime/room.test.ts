import { describe, expect, test } from 'vitest';
import { Random } from '../../engine/simulation/random.ts';
import type { Message } from './messages.ts';
import { Room } from './room.ts';
import type { Audience, Member, Source } from './room.ts';

class Client implements Member {
  readonly id: string;
  readonly received: Message[] = [];
  congested = false;
  drained = true;
  closed = '';

  constructor(id: string) {
    this.id = id;
  }
  send(message: Message): void {
    this.received.push(message);
  }
  close(code: string): void {
    this.closed = code;
  }
  /** Messages as `type seq prev_seq`. */
  get log(): string[] {
    return this.received.map(({ type, seq, prev_seq: before }) => `${type} ${seq} ${before}`);
  }
}

class Hall implements Audience<Client> {
  readonly inside = new Set<Client>();
  frames = 0;
  toRoom(_room: string, message: Message): void {
    this.frames++;
    for (const client of this.inside) client.send(message);
  }
  toEach(members: readonly Client[], message: Message): void {
    for (const client of members) client.send(message);
  }
  enter(_room: string, member: Client): void {
    this.inside.add(member);
  }
  exit(_room: string, member: Client): void {
    this.inside.delete(member);
  }
}

/** A counter as a source: an update tells what was added, a snapshot the sum. */
class Counter implements Source {
  sum = 0;
  private fresh = 0;
  add(count: number): void {
    this.sum += count;
    this.fresh += count;
  }
  update(): unknown {
    const { fresh } = this;
    this.fresh = 0;
    return fresh === 0 ? null : fresh;
  }
  snapshot(): unknown {
    return this.sum;
  }
}

function open(source: Source = new Counter(), interval = 50) {
  const hall = new Hall();
  const progress = { sequence: 100, now: 0 };
  const errors: unknown[] = [];
  const room = new Room<Client>({
    channel: 'book', instrument: 'x', name: 'r', source, audience: hall, progress, interval, wake: () => undefined, onError: (error) => errors.push(error),
  });
  let wall = 0;
  /** Commits something and lets `millis` pass. */
  const step = (millis: number): boolean => {
    progress.sequence += 1;
    wall += millis;
    room.touch();
    return room.tick(wall);
  };
  return { hall, progress, room, step, errors, idle: (millis: number) => room.tick((wall += millis)) };
}

describe('a room', () => {
  test('begins with a snapshot and chains what follows', () => {
    const counter = new Counter();
    const { room, step } = open(counter);
    const client = new Client('a');
    room.join(client);
    for (let count = 0; count < 3; count++) {
      counter.add(1);
      step(50);
    }
    expect(client.log).toEqual(['snapshot 100 null', 'update 101 100', 'update 102 101', 'update 103 102']);
    expect(client.received[1]).toMatchObject({ channel: 'book', instrument: 'x', ts: '1970-01-01T00:00:00.000Z', data: 1 });
  });

  test('makes no more frames than its pace, and none when nothing changed', () => {
    const counter = new Counter();
    const { hall, room, step, idle } = open(counter);
    const client = new Client('a');
    room.join(client);
    counter.add(1);
    step(50);
    for (let count = 0; count < 9; count++) {
      counter.add(1);
      step(4);
    }
    expect(hall.frames).toBe(1);
    idle(50);
    expect(client.received.at(-1)).toMatchObject({ seq: 110, prev_seq: 101, data: 9 });
    step(50);
    expect(hall.frames).toBe(2);
  });

  test('tells what is urgent before its interval is over', () => {
    const counter = new Counter();
    const { hall, room, step, idle } = open(counter, 200);
    room.join(new Client('a'));
    counter.add(1);
    step(200);
    counter.add(1);
    step(50);
    expect(hall.frames).toBe(1);
    room.touch(true);
    idle(10);
    expect(hall.frames).toBe(2);
    counter.add(1);
    step(50);
    expect(hall.frames).toBe(2);
  });

  test('lets who joins in between wait for the next frame', () => {
    const counter = new Counter();
    const { room, step, progress } = open(counter);
    const [early, late] = [new Client('a'), new Client('b')];
    room.join(early);
    counter.add(1);
    step(50);
    counter.add(2);
    progress.sequence += 1;
    room.touch();
    room.join(late);
    expect(late.received).toEqual([]);
    counter.add(3);
    step(50);
    expect(early.received.slice(1).map(({ data }) => data)).toEqual([1, 5]);
    expect(late.received.map(({ seq, data }) => [seq, data])).toEqual([[103, 6]]);
  });

  test('lets who has heard more elsewhere wait for what comes after that', () => {
    const counter = new Counter();
    const { room, step, idle, progress } = open(counter);
    const [here, ahead, quiet] = [new Client('a'), new Client('b'), new Client('c')];
    room.join(here);
    // Nothing has changed since the room's last frame, whichever message another process has told.
    progress.sequence = 110;
    room.resume(quiet, 107);
    expect(idle(50)).toBe(false);
    // This process has not come so far.
    room.resume(ahead, 112);
    expect(idle(50)).toBe(true);
    counter.add(1);
    step(50);
    expect([quiet.log, ahead.log]).toEqual([['snapshot 111 107'], []]);
    counter.add(1);
    step(50);
    counter.add(1);
    step(50);
    expect(ahead.log).toEqual(['update 113 112']);
    expect(quiet.log).toEqual(['snapshot 111 107', 'update 112 111', 'update 113 112']);
    expect(here.log).toEqual(['snapshot 100 null', 'update 111 100', 'update 112 111', 'update 113 112']);
  });

  test('begins anew with who names a message that never was', () => {
    const counter = new Counter();
    const { room, idle } = open(counter);
    const client = new Client('a');
    room.resume(client, 9_000);
    idle(0);
    expect(client.log).toEqual([]);
    idle(1_000);
    expect(client.log).toEqual(['snapshot 100 null']);
    expect(idle(50)).toBe(false);
  });

  test('fetches what a snapshot does not tell', async () => {
    let answer: (data: unknown) => void = () => undefined;
    const asked: [number, number][] = [];
    const counter = new Counter();
    const source: Source = {
      update: () => counter.update(), snapshot: () => [],
      recover: (after, upTo) => {
        asked.push([after, upTo]);
        return new Promise((resolve) => (answer = resolve));
      },
    };
    const { room, step } = open(source);
    const client = new Client('a');
    room.resume(client, 42);
    counter.add(1);
    step(50);
    expect([asked, client.log]).toEqual([[[42, 100]], []]);
    answer(['missed']);
    await expect.poll(() => client.log).toEqual(['snapshot 100 42', 'update 101 100']);
    expect(client.received[0].data).toEqual(['missed']);
    counter.add(1);
    step(50);
    expect(client.log.at(-1)).toBe('update 102 101');
  });

  test('replays from a message on, else sends a snapshot that continues the chain', () => {
    const counter = new Counter();
    const { room, step } = open(counter);
    const [steady, back, lost] = [new Client('a'), new Client('b'), new Client('c')];
    room.join(steady);
    for (let count = 0; count < 5; count++) {
      counter.add(1);
      step(50);
    }
    room.resume(back, 103);
    expect(back.log).toEqual(['update 104 103', 'update 105 104']);
    room.resume(lost, 42);
    expect(lost.log).toEqual(['snapshot 105 42']);
    counter.add(1);
    step(50);
    expect(back.log.at(-1)).toBe('update 106 105');
    expect(lost.log.at(-1)).toBe('update 106 105');
    const upToDate = new Client('d');
    room.resume(upToDate, 106);
    expect(upToDate.log).toEqual([]);
    counter.add(1);
    step(50);
    expect(upToDate.log).toEqual(['update 107 106']);
  });

  test('keeps a bounded number of frames', () => {
    const counter = new Counter();
    const { room, step } = open(counter);
    room.join(new Client('a'));
    for (let count = 0; count < 2_000; count++) {
      counter.add(1);
      step(50);
    }
    const back = new Client('b');
    room.resume(back, 1_500);
    expect(back.log).toEqual(['snapshot 2100 1500']);
  });

  test('gives who cannot keep up a snapshot when it can again, and closes who never can', () => {
    const counter = new Counter();
    const { room, step, hall } = open(counter);
    const [quick, slow, stuck] = [new Client('a'), new Client('b'), new Client('c')];
    for (const client of [quick, slow, stuck]) room.join(client);
    counter.add(1);
    step(50);
    for (const client of [slow, stuck]) Object.assign(client, { congested: true, drained: false });
    for (let count = 0; count < 10; count++) {
      counter.add(1);
      step(50);
    }
    expect(slow.received).toHaveLength(2);
    Object.assign(slow, { congested: false, drained: true });
    counter.add(1);
    step(50);
    expect(slow.log.slice(1)).toEqual(['update 101 100', 'snapshot 112 101']);
    expect(slow.received.at(-1)?.data).toBe(12);
    counter.add(1);
    step(31_000);
    expect(slow.log.at(-1)).toBe('update 113 112');
    expect(stuck.closed).toBe('slow_consumer');
    expect([...hall.inside]).toEqual([quick, slow]);
    expect(quick.received).toHaveLength(1 + 1 + 10 + 2);
  });

  test('is rebuilt by a thousand who join at random times, lose one frame in a hundred and notice each loss', () => {
    const random = new Random(11);
    const counter = new Counter();
    const { room, step } = open(counter);
    const missing = new Set<Follower>();
    class Follower extends Client {
      sum = 0;
      losing = true;
      lost = 0;
      private last: number | null = null;
      override send({ type, seq, prev_seq: before, data }: Message): void {
        if (type === 'update' && this.losing && random.chance(0.01)) this.lost++;
        else if (before !== this.last) missing.add(this);
        else {
          this.sum = type === 'snapshot' ? (data as number) : this.sum + (data as number);
          this.last = seq;
        }
      }
      resume(): void {
        room.resume(this, this.last ?? 0);
      }
    }
    const followers: Follower[] = [];
    const JOINING = 400;
    for (let count = 0; count < JOINING + 20; count++) {
      for (let joining = random.between(0, 5); joining > 0 && followers.length < 1_000 && count < JOINING; joining--) {
        const follower = new Follower(`f${followers.length}`);
        followers.push(follower);
        room.join(follower);
      }
      if (count === JOINING) for (const follower of followers) follower.losing = false;
      if (followers.length > 0) {
        const one = random.pick(followers);
        one.congested = !one.congested;
        one.drained = !one.congested;
      }
      if (count > JOINING) for (const follower of followers) Object.assign(follower, { congested: false, drained: true });
      counter.add(random.between(1, 9));
      step(50);
      const behind = [...missing];
      missing.clear();
      for (const follower of behind) follower.resume();
    }
    expect(followers.length).toBeGreaterThan(900);
    expect(followers.reduce((sum, { lost }) => sum + lost, 0)).toBeGreaterThan(1_000);
    expect(followers.filter(({ sum, closed }) => sum !== counter.sum || closed !== '')).toEqual([]);
  });

  test('sends nothing to who has left', () => {
    const counter = new Counter();
    const { room, step } = open(counter);
    const client = new Client('a');
    room.join(client);
    room.leave(client);
    counter.add(1);
    step(50);
    expect(client.log).toEqual(['snapshot 100 null']);
    expect(room.isEmpty).toBe(true);
  });
});

describe('a room whose source has to be asked', () => {
  class Asked implements Source {
    answer = 'first';
    asked = 0;
    private value = '';
    private told = '';
    fail = false;
    prepare(): Promise<void> {
      this.asked++;
      const { answer } = this;
      if (this.fail) return Promise.reject(new Error('away'));
      return Promise.resolve().then(() => void (this.value = answer));
    }
    update(): unknown {
      if (this.told === this.value) return null;
      this.told = this.value;
      return this.value;
    }
    snapshot(): unknown {
      return this.value;
    }
  }

  test('asks before the first snapshot and once per frame', async () => {
    const source = new Asked();
    const { room, step, idle } = open(source);
    const client = new Client('a');
    room.join(client);
    expect(idle(0)).toBe(true);
    await expect.poll(() => client.log).toEqual(['snapshot 100 null']);
    step(50);
    await expect.poll(() => source.asked).toBe(2);
    idle(50);
    expect(client.received).toHaveLength(1);
    source.answer = 'second';
    step(50);
    const last = (): unknown => {
      idle(50);
      return client.received.at(-1);
    };
    await expect.poll(last).toMatchObject({ type: 'update', seq: 102, prev_seq: 100, data: 'second' });
  });

  test('tries again when there was no answer', async () => {
    const source = new Asked();
    source.fail = true;
    const { room, idle, errors } = open(source);
    const client = new Client('a');
    room.join(client);
    idle(0);
    await expect.poll(() => errors).toHaveLength(1);
    source.fail = false;
    idle(50);
    await expect.poll(() => client.log).toEqual(['snapshot 100 null']);
  });
});
