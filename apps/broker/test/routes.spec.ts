import 'reflect-metadata';
import { RequestMethod } from '@nestjs/common';
import { controllers } from '../src/app.module';
import { allowedRoles, isPublic } from '../src/auth/allow';
import { ask, type Fleet, startFleet } from './fleet';

interface Route {
  name: string;
  method: string;
  path: string;
  roles: string[] | undefined;
  open: boolean;
}

/** Every handler of every controller, as Nest's own metadata has them. */
const routes: Route[] = controllers.flatMap((controller) => {
  const base: string = Reflect.getMetadata('path', controller);
  return Object.getOwnPropertyNames(controller.prototype).flatMap((name) => {
    const handler = (controller.prototype as unknown as Record<string, object>)[name]!;
    const method: number | undefined = Reflect.getMetadata('method', handler);
    if (method === undefined) return [];
    const own: string = Reflect.getMetadata('path', handler);
    return [
      {
        name: `${controller.name}.${name}`,
        method: RequestMethod[method]!,
        path: `/${base}/${own}`
          .replace(/\/+/g, '/')
          .replace(/(?<=.)\/$/, '')
          .replace(/:\w+/g, 'anything'),
        roles: Reflect.getMetadata(allowedRoles, handler) ?? Reflect.getMetadata(allowedRoles, controller),
        open: Reflect.getMetadata(isPublic, handler) ?? Reflect.getMetadata(isPublic, controller) ?? false,
      },
    ];
  });
});
const guarded = routes.filter(({ open }) => !open);

describe('every route', () => {
  let fleet: Fleet;
  const keys: Record<string, string> = {};
  beforeAll(async () => {
    fleet = await startFleet();
    for (const role of ['viewer', 'operator']) {
      keys[role] = (await fleet.admin('POST', '/v1/admin-keys', { name: role, role })).body.key;
    }
    keys['service'] = await fleet.service('a-service');
  });
  afterAll(() => fleet.stop());

  const call = ({ method, path }: Route, key?: string) =>
    ask(`${fleet.brokers[0]!.url}${path}`, method, method === 'GET' || method === 'DELETE' ? undefined : {}, {
      accept: 'application/json', // events would be a stream that does not end
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
    });

  it('says who may call it', () => {
    expect(routes.length).toBeGreaterThan(20);
    expect(routes.filter(({ roles, open }) => !open && !roles?.length).map(({ name }) => name)).toEqual([]);
    const open = routes.filter((route) => route.open).map(({ path }) => path);
    expect(open.sort()).toEqual(['/health/live', '/health/ready', '/metrics']);
  });

  it.each(guarded.map((route) => [`${route.method} ${route.path}`, route] as const))(
    '%s lets in nobody without its role',
    async (_, route) => {
      expect(await call(route)).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
      expect((await call(route, `tba_${'x'.repeat(41)}`)).status).toBe(401);
      expect(await call(route, keys['service'])).toMatchObject({ status: 403, body: { code: 'forbidden' } });
      for (const role of ['viewer', 'operator']) {
        const { status } = await call(route, keys[role]);
        if (route.roles!.includes(role)) expect([200, 201, 204, 400, 404]).toContain(status);
        else expect(status).toBe(403);
      }
    },
  );

  it('the last usable admin key cannot be revoked, another can and then opens nothing', async () => {
    const { items } = (await fleet.admin('GET', '/v1/admin-keys')).body;
    const id = (name: string) => items.find((item: { name: string }) => item.name === name).id;
    expect(await fleet.admin('DELETE', `/v1/admin-keys/${id('bootstrap')}`)).toMatchObject({
      status: 409,
      body: { code: 'last_admin_key' },
    });
    expect((await fleet.admin('DELETE', `/v1/admin-keys/${id('viewer')}`)).status).toBe(204);
    const answer = await ask(`${fleet.brokers[0]!.url}/v1/clients`, 'GET', undefined, {
      authorization: `Bearer ${keys['viewer']}`,
    });
    expect(answer.status).toBe(401);
  });
});
