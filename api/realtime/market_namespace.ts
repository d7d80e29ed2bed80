/** Namespace /market: public data, for everyone. */
import type { Namespace } from 'socket.io';
import type { Directory } from '../directory.ts';
import type { MarketData } from '../market/market_data.ts';
import { Connection } from './connection.ts';
import { MarketRooms } from './market_rooms.ts';
import { RoomTable } from './room_table.ts';
import { serveSubscriptions } from './subscriptions.ts';

export class MarketNamespace {
  private readonly rooms: RoomTable;
  private readonly connections = new Set<Connection>();
  private readonly unfollow: () => void;

  constructor(namespace: Namespace, market: MarketData, directory: Directory, { onError, owedMillis }: { onError: (error: unknown) => void; owedMillis: number }) {
    this.rooms = new RoomTable(namespace, market, onError);
    const rooms = new MarketRooms(market, directory);
    const unfollow = market.follow((change) => rooms.change(change));
    this.unfollow = () => {
      unfollow();
      rooms.close();
    };
    namespace.on('connection', (socket) => {
      const connection = new Connection(socket, owedMillis);
      this.connections.add(connection);
      socket.on('disconnect', () => this.connections.delete(connection));
      serveSubscriptions(socket, connection, { rooms: this.rooms, plan: (request) => rooms.plan(request), onError });
    });
  }

  get size(): number {
    return this.connections.size;
  }

  close(): void {
    this.unfollow();
    for (const connection of [...this.connections]) connection.close('server_closing');
    this.rooms.close();
  }
}
