/** The processes of an exchange with roles; `npm run cluster` and docker-compose.yml start these. */
export interface Member {
  /** Of the service. */
  name: string;
  /** ROLE */
  role: string;
  /** How many of it there are, unless told otherwise. */
  count: number;
}

/** Nothing in it has to survive. A process that starts is sent the whole book at once, which may be many megabytes. */
export const REDIS_ARGUMENTS = ['--save', '', '--appendonly', 'no', '--client-output-buffer-limit', 'pubsub', '256mb', '64mb', '60'];

export const TOPOLOGY: readonly Member[] = [
  // Leads when nobody does, and stands by when it comes back after another took over.
  { name: 'engine', role: 'engine,standby', count: 1 },
  { name: 'standby', role: 'standby', count: 1 },
  { name: 'api', role: 'api,gateway', count: 2 },
];

/** Of node, for whoever starts a process of the server: as `npm start` and the container have it. */
export const SERVER_ARGUMENTS: readonly string[] = ['--enable-source-maps', '--max-semi-space-size=64', '--initial-old-space-size=256'];
