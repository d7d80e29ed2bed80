/**
 * Ends the process at an exact moment, once the file CRASH_WHEN exists. Loaded before the server into
 * each of its threads: the server itself knows nothing of it.
 */
import { existsSync } from 'node:fs';
import { ServerResponse } from 'node:http';
import pg from 'pg';

const { CRASH_POINT, CRASH_WHEN } = process.env;
const armed = () => existsSync(CRASH_WHEN);
const die = () => process.kill(process.pid, 'SIGKILL');
const forever = () => new Promise(() => undefined);

if (CRASH_POINT === 'apply_append' || CRASH_POINT === 'commit_acknowledge') {
  const { query } = pg.Client.prototype;
  pg.Client.prototype.query = function (config, ...rest) {
    if (config?.name !== 'journal_append' || !armed()) return query.call(this, config, ...rest);
    // The engine has applied the batch; the journal has not seen it.
    if (CRASH_POINT === 'apply_append') {
      die();
      return forever();
    }
    return query.call(this, config, ...rest).then(() => {
      die();
      return forever();
    });
  };
}

if (CRASH_POINT === 'acknowledge_publish') {
  const { end } = ServerResponse.prototype;
  ServerResponse.prototype.end = function (...given) {
    // The client has its answer; what follows the commits (live data, projections) may not have seen it.
    if (this.req.method === 'POST' && this.statusCode === 201 && armed()) this.once('finish', die);
    return end.apply(this, given);
  };
}
