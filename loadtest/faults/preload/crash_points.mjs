/**
 * Ends the process at an exact moment, once the file CRASH_WHEN names it. Loaded before the server into
 * each of its threads: the server itself knows nothing of it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { ServerResponse } from 'node:http';
import pg from 'pg';

const { CRASH_WHEN } = process.env;
const isDue = (point) => existsSync(CRASH_WHEN) && readFileSync(CRASH_WHEN, 'utf8') === point;
const die = () => process.kill(process.pid, 'SIGKILL');
const forever = () => new Promise(() => undefined);

const { query } = pg.Client.prototype;
pg.Client.prototype.query = function (config, ...rest) {
  if (config?.name !== 'journal_append') return query.call(this, config, ...rest);
  // The engine has applied the batch; the journal has not seen it.
  if (isDue('apply_append')) {
    die();
    return forever();
  }
  const appended = query.call(this, config, ...rest);
  if (!isDue('commit_acknowledge')) return appended;
  return appended.then(() => {
    die();
    return forever();
  });
};

const { end } = ServerResponse.prototype;
ServerResponse.prototype.end = function (...given) {
  // The client has its answer; what follows the commits (live data, projections) may not have seen it.
  if (this.req.method === 'POST' && this.statusCode === 201 && isDue('acknowledge_publish')) this.once('finish', die);
  return end.apply(this, given);
};
