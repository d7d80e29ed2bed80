import { expect, test } from 'vitest';
import { operatorRoutes } from './operator_routes.ts';

test('a clock that runs by itself is nobody\'s to move', async () => {
  const setClock = operatorRoutes.find(({ operationId }) => operationId === 'setClock') ?? expect.fail('no such route');
  const context = { services: { config: { clock: 'wall' } }, body: { now: '2026-12-01T14:00:00Z' } };
  await expect(setClock.handle(context as unknown as Parameters<typeof setClock.handle>[0])).rejects.toMatchObject({ code: 'clock_not_manual', status: 409 });
});
